package virtio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
)

func (*backend) legacy() bool { return false }

// offered implements transport. Translated addresses would have to be asked for one by one, and there is nobody behind
// a control queue. Link and address are always told: by the connection, and by chance in the end.
func (b *backend) offered() chip.Features {
	b.talk.Lock()
	defer b.talk.Unlock()
	f := b.real &^ (chip.AccessPlatform | chip.NetCtrlVQ | chip.NetSpeedDuplex)
	if b.split {
		f &^= chip.RingPacked
	}
	if b.own == nil {
		f &^= chip.NetMTU | chip.NetMAC
	}
	if b.mac != nil {
		f |= chip.NetMAC
	}
	return f | chip.NetStatus
}

// accept implements transport.
func (b *backend) accept(f chip.Features) {
	b.talk.Lock()
	defer b.talk.Unlock()
	_ = b.ask(func(front *vhostuser.Front) error {
		v := uint64(f & b.real)
		if !b.plain {
			v |= vhostuser.FeatureProtocol
		}
		b.agreed = f
		return front.SetFeatures(v)
	})
}

func (b *backend) packed() bool { return b.agreed.Has(chip.RingPacked) }

// status implements transport.
func (b *backend) status() uint8 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.kept && (b.front == nil || b.err != nil) && !b.undone {
		return 0xff
	}
	return b.state
}

// setStatus implements transport. Without DRIVER_OK no ring is enabled, and 0 stops all.
func (b *backend) setStatus(v uint8) {
	b.talk.Lock()
	defer b.talk.Unlock()
	was, is := b.now(), v
	err := b.ask(func(f *vhostuser.Front) error {
		if v&chip.StatusDriverOK != 0 && was&chip.StatusDriverOK == 0 {
			if err := b.enableAll(f); err != nil {
				return err
			}
		}
		if v == 0 {
			if err := b.stopAll(f); err != nil {
				return err
			}
		}
		if !f.Protocol.Has(vhostuser.FeatureStatus) {
			return nil
		}
		if err := f.SetStatus(uint64(v)); err != nil || v == 0 {
			return err
		}
		got, err := f.Status()
		if err == nil && got >= 0xff {
			err = fmt.Errorf("GET_STATUS: the device status %#x has more than the bits of 2.1", got)
		}
		is = uint8(got)
		return err
	})
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err == nil:
		b.state = is
	case v == 0 && was != 0 && !ended(err):
		b.undone = true // it may still be at work
	}
}

func (b *backend) now() uint8 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state
}

// ended tells whether an error is the end of a connection: who closes it gives the memory back.
func ended(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE)
}

// enableAll enables all rings ("Ring states"). Without protocol features they are.
func (b *backend) enableAll(f *vhostuser.Front) error {
	for i, v := range b.vrings {
		if v.set && !b.plain {
			if err := f.SetVringEnable(i, true); err != nil {
				return err
			}
		}
	}
	return nil
}

// stopAll stops all rings, which the device does not touch any more once it has answered.
func (b *backend) stopAll(f *vhostuser.Front) error {
	for i, v := range b.vrings {
		if !v.set {
			continue
		}
		if _, err := f.VringBase(i); err != nil {
			return err
		}
		v.set = false
	}
	return nil
}

func (b *backend) queues() int       { return 2 * b.pairs }
func (b *backend) queueSize(int) int { return chip.RingMax }

// enablesPairs implements transport.
func (*backend) enablesPairs() bool { return true }

// config implements transport.
func (b *backend) config(off uint32, bits int) uint32 {
	b.talk.Lock()
	c := make([]byte, chip.ConfigMTU+2)
	copy(c, b.own)
	if b.mac != nil {
		copy(c[chip.ConfigMAC:], b.mac)
	}
	pairs := b.pairs
	b.talk.Unlock()
	return field(c, pairs, b.connected(), off, bits)
}

// field reads a field of a configuration (5.1.4) with so many pairs of queues, and that state of the link.
func field(c []byte, pairs int, up bool, off uint32, bits int) uint32 {
	le := binary.LittleEndian
	le.PutUint16(c[chip.ConfigMaxPairs:], uint16(pairs))
	le.PutUint16(c[chip.ConfigStatus:], 0)
	if up {
		le.PutUint16(c[chip.ConfigStatus:], chip.NetLinkUp)
	}
	c = append(c, 0, 0, 0, 0)
	switch at := c[min(int(off), len(c)-4):]; bits {
	case 8:
		return uint32(at[0])
	case 16:
		return uint32(le.Uint16(at))
	default:
		return le.Uint32(at)
	}
}

func (*backend) generation() uint8                      { return 0 }
func (*backend) setConfig(uint32, uint8)                {}
func (*backend) isr() uint8                             { return 0 }
func (b *backend) registers() ([]chip.Register, window) { return nil, window{} }
