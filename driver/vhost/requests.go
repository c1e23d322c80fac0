//go:build linux

package vhost

import (
	"errors"
	"fmt"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/internal/wake"
)

// answer does what a message asks for, and returns the reply to those that have one ("Front-end message types").
func (d *Device) answer(m *vhostuser.Message) (reply []byte, err error) {
	s := &d.session
	if m.Reply {
		return nil, errors.New("a reply that nobody asked for")
	}
	switch m.Request {
	case vhostuser.GetFeatures:
		return vhostuser.PutU64(uint64(d.offered) | vhostuser.FeatureProtocol), m.Empty()
	case vhostuser.SetFeatures:
		return nil, d.setFeatures(m)
	case vhostuser.GetProtocolFeatures:
		return vhostuser.PutU64(uint64(protocolFeatures)), m.Empty()
	case vhostuser.SetProtocolFeatures:
		v, err := m.U64()
		if f := vhostuser.ProtocolFeatures(v); err == nil && !protocolFeatures.Has(f) {
			err = fmt.Errorf("%v: not offered", f&^protocolFeatures)
		} else if err == nil {
			s.protocol = f
		}
		return nil, err
	case vhostuser.SetOwner:
		return nil, m.Empty()
	case vhostuser.GetQueueNum:
		return vhostuser.PutU64(uint64(len(d.rx))), m.Empty()
	case vhostuser.ResetOwner, vhostuser.ResetDevice:
		d.stopRings()
		s.status = 0
		return nil, nil
	case vhostuser.SetMemTable, vhostuser.AddMemReg, vhostuser.RemMemReg:
		return nil, d.setMemory(m)
	case vhostuser.GetMaxMemSlots:
		return vhostuser.PutU64(vhostuser.MaxMemSlots), m.Empty()
	case vhostuser.SetStatus:
		v, err := m.U64()
		if err == nil && v == 0 {
			d.stopRings()
		}
		s.status = v
		return nil, err
	case vhostuser.GetStatus:
		return vhostuser.PutU64(s.status), m.Empty()
	case vhostuser.SetVringKick, vhostuser.SetVringCall, vhostuser.SetVringErr:
		return nil, d.setEvent(m)
	case vhostuser.SetVringAddr:
		a, err := m.VringAddr()
		if err == nil && a.Flags != 0 {
			err = fmt.Errorf("flags %#x: logging was not offered", a.Flags)
		}
		if err != nil {
			return nil, err
		}
		return nil, d.with(a.Index, func(r *ring) error {
			r.addr, r.placed = a, true
			return nil
		})
	case vhostuser.SetVringNum, vhostuser.SetVringBase, vhostuser.SetVringEnable, vhostuser.GetVringBase:
		return d.setRing(m)
	}
	return nil, errors.New("this end does not know such a request, or has not offered it")
}

func (d *Device) setFeatures(m *vhostuser.Message) error {
	v, err := m.U64()
	if err != nil {
		return err
	}
	if more := chip.Features(v&^vhostuser.FeatureProtocol) &^ d.offered; more != 0 {
		return fmt.Errorf("%v: not offered", more)
	}
	d.lock()
	defer d.unlock()
	s := &d.session
	old := s.virtio.Swap(v &^ vhostuser.FeatureProtocol)
	s.negotiated = v&vhostuser.FeatureProtocol != 0
	for _, r := range d.rings {
		if !s.negotiated {
			r.enabled = true // "Ring states"
		}
		if chip.Features(old) != s.features() {
			r.halt()
		}
		r.settle(s.features())
	}
	return nil
}

// setMemory changes the memory while nobody uses it. Rings that lie in what is gone stop.
func (d *Device) setMemory(m *vhostuser.Message) (err error) {
	d.lock()
	defer d.unlock()
	switch m.Request {
	case vhostuser.SetMemTable:
		var all []vhostuser.Region
		if all, err = m.Regions(); err != nil {
			return err
		}
		fds := make([]int, len(all))
		for i := range fds {
			fds[i] = m.Take(i)
		}
		err = d.memory.Set(all, fds)
	case vhostuser.AddMemReg:
		var r vhostuser.Region
		if r, err = m.Region(); err != nil {
			return err
		}
		if len(m.FDs) != 1 {
			return fmt.Errorf("%d file descriptors, want 1", len(m.FDs))
		}
		err = d.memory.Add(r, m.Take(0))
	case vhostuser.RemMemReg:
		var r vhostuser.Region
		if r, err = m.Region(); err != nil {
			return err
		}
		err = d.memory.Remove(r)
	}
	for _, r := range d.rings {
		r.settle(d.session.features())
	}
	return err
}

// with changes a ring and then sees whether it can be used.
func (d *Device) with(index uint32, change func(*ring) error) error {
	if index >= uint32(len(d.rings)) {
		return fmt.Errorf("ring %d: there are %d", index, len(d.rings))
	}
	r := d.rings[index]
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := change(r); err != nil {
		return err
	}
	r.settle(d.session.features())
	return nil
}

func (d *Device) setRing(m *vhostuser.Message) (reply []byte, err error) {
	v, err := m.VringState()
	if err != nil {
		return nil, err
	}
	return reply, d.with(v.Index, func(r *ring) error {
		switch m.Request {
		case vhostuser.SetVringNum:
			if v.Num < 1 || v.Num > chip.RingMax {
				return fmt.Errorf("%d descriptors: want 1 to %d", v.Num, chip.RingMax)
			}
			r.size = int(v.Num)
			r.halt()
		case vhostuser.SetVringBase:
			r.base = v.Num
			r.halt()
		case vhostuser.SetVringEnable:
			if v.Num > 1 {
				return fmt.Errorf("ring %d: enable %d: want 0 or 1", v.Index, v.Num)
			}
			r.enabled = v.Num == 1
		case vhostuser.GetVringBase:
			reply = vhostuser.VringState{Index: v.Index, Num: r.where()}.Payload()
			r.end()
		}
		return nil
	})
}

func (d *Device) setEvent(m *vhostuser.Message) error {
	index, ok, err := m.VringFD()
	if err != nil {
		return err
	}
	var e *wake.Event
	if ok {
		if e, err = wake.Take(m.Take(0)); err != nil {
			return err
		}
	}
	err = d.with(uint32(index), func(r *ring) error {
		switch m.Request {
		case vhostuser.SetVringKick:
			r.setKick(e)
			r.started = true
			r.broken.Store(nil)
		case vhostuser.SetVringCall:
			r.setCall(e)
			if e != nil && r.begun {
				// Until then the driver may have been told by an event that nobody looks at: QEMU starts a ring
				// first, and then says by which event its guest hears of it. One too many does no harm (2.7.10).
				_ = e.Signal()
			}
		case vhostuser.SetVringErr:
			r.setErr(e)
		}
		e = nil
		return nil
	})
	if e != nil {
		_ = e.Close()
	}
	return err
}

// stopRings stops all rings, until the front-end starts them again.
func (d *Device) stopRings() {
	d.lock()
	defer d.unlock()
	for _, r := range d.rings {
		r.end()
	}
}
