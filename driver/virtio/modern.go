package virtio

import (
	"errors"
	"fmt"

	"glassnic/bus"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
	chip "glassnic/chip/virtio"
)

// modern is the interface of devices since version 1.0: structures in memory space, which capabilities tell the
// places of (4.1.4).
type modern struct {
	common, notify, device, interrupt window
	multiplier                        uint32
}

// errVector is of a device that has no resources for a vector (4.1.5.1.2).
var errVector = errors.New("the device does not take its interrupt vector (queue_msix_vector, 4.1.5.1.2): open the port without interrupts")

var errNoModern = errors.New("no modern registers")

// findModern looks the structures up: of each type the first that is usable (4.1.4.1). The error is around
// errNoModern where the device has no capabilities of the sort.
func findModern(fn bus.Function) (*modern, error) {
	cfg := fn.Config()
	if cfg == nil {
		return nil, fmt.Errorf("%w: no configuration space", errNoModern)
	}
	caps, err := pci.Capabilities(cfg)
	if err != nil {
		return nil, err
	}
	var (
		m     modern
		found [chip.CapDevice + 1]bool
	)
	for _, c := range caps {
		if c.Extended || c.ID != chip.CapVendor {
			continue
		}
		s, err := readStructure(cfg, c.Offset)
		if err != nil {
			return nil, err
		}
		if s.bar > 5 || s.kind > chip.CapDevice || found[s.kind] {
			continue // reserved, or none of those that the driver uses
		}
		w, err := s.open(fn)
		if err != nil {
			return nil, fmt.Errorf("structure %d: %w", s.kind, err)
		}
		found[s.kind] = true
		switch s.kind {
		case chip.CapCommon:
			m.common = w
		case chip.CapNotify:
			m.notify, m.multiplier = w, s.multiplier
		case chip.CapISR:
			m.interrupt = w
		case chip.CapDevice:
			m.device = w
		}
	}
	switch {
	case !found[chip.CapCommon] && !found[chip.CapNotify]:
		return nil, errNoModern
	case !found[chip.CapCommon], m.common.len < chip.CommonSize:
		return nil, fmt.Errorf("common configuration of %d bytes, want %d (4.1.4.3)", m.common.len, chip.CommonSize)
	case !found[chip.CapNotify], m.notify.len < 2, m.multiplier%2 != 0:
		return nil, fmt.Errorf("notifications of %d bytes, %d bytes apart (4.1.4.4)", m.notify.len, m.multiplier)
	}
	return &m, nil
}

// structure is what a capability says (4.1.4).
type structure struct {
	kind, bar  uint8
	off, len   uint32
	multiplier uint32
}

func readStructure(cfg bus.ConfigSpace, at int) (s structure, err error) {
	var errs [5]error
	s.kind, errs[0] = cfg.Read8(at + chip.CapType)
	s.bar, errs[1] = cfg.Read8(at + chip.CapBAR)
	s.off, errs[2] = cfg.Read32(at + chip.CapOffset)
	s.len, errs[3] = cfg.Read32(at + chip.CapLength)
	if s.kind == chip.CapNotify {
		s.multiplier, errs[4] = cfg.Read32(at + chip.CapMultiplier)
	}
	return s, errors.Join(errs[:]...)
}

// open maps the structure's BAR.
func (s structure) open(fn bus.Function) (window, error) {
	r, err := fn.BAR(int(s.bar))
	if err != nil {
		return window{}, err
	}
	if s.off > r.Size() || s.len > r.Size()-s.off || s.off%4 != 0 {
		return window{}, fmt.Errorf("%d bytes at %#x of BAR %d, which has %d", s.len, s.off, s.bar, r.Size())
	}
	return window{r, s.off, s.len}, nil
}

func (m *modern) read8(off uint32) uint8       { return m.common.r.Read8(m.common.off + off) }
func (m *modern) read16(off uint32) uint16     { return m.common.r.Read16(m.common.off + off) }
func (m *modern) read32(off uint32) uint32     { return m.common.r.Read32(m.common.off + off) }
func (m *modern) write8(off uint32, v uint8)   { m.common.r.Write8(m.common.off+off, v) }
func (m *modern) write16(off uint32, v uint16) { m.common.r.Write16(m.common.off+off, v) }
func (m *modern) write32(off uint32, v uint32) { m.common.r.Write32(m.common.off+off, v) }

// write64 writes an address as two halves (4.1.3.1).
func (m *modern) write64(off uint32, v uint64) {
	m.write32(off, uint32(v))
	m.write32(off+4, uint32(v>>32))
}

func (*modern) legacy() bool        { return false }
func (m *modern) status() uint8     { return m.read8(chip.DeviceStatus) }
func (m *modern) setStatus(v uint8) { m.write8(chip.DeviceStatus, v) }
func (*modern) enablesPairs() bool  { return false }
func (m *modern) queues() int       { return int(m.read16(chip.NumQueues)) }

func (m *modern) offered() (f chip.Features) {
	for i := range uint32(2) {
		m.write32(chip.DeviceFeatureSelect, i)
		f |= chip.Features(m.read32(chip.DeviceFeature)) << (32 * i)
	}
	return f
}

func (m *modern) accept(f chip.Features) {
	for i := range uint32(2) {
		m.write32(chip.DriverFeatureSelect, i)
		m.write32(chip.DriverFeature, uint32(f>>(32*i)))
	}
}

func (m *modern) queueSize(queue int) int {
	m.write16(chip.QueueSelect, uint16(queue))
	return int(m.read16(chip.QueueSize))
}

// enable implements transport (4.1.5.1.3).
func (m *modern) enable(queue int, a areas) error {
	m.write16(chip.QueueSelect, uint16(queue))
	m.write16(chip.QueueSize, uint16(a.size))
	if got := m.read16(chip.QueueSize); int(got) != a.size {
		return fmt.Errorf("the device makes a size of %d into %d (queue_size, 4.1.4.3)", a.size, got)
	}
	m.write16(chip.QueueMSIXVector, a.vector)
	if got := m.read16(chip.QueueMSIXVector); a.vector != chip.NoVector && got != a.vector {
		return errVector
	}
	m.write64(chip.QueueDesc, a.descs)
	m.write64(chip.QueueDriver, a.driver)
	m.write64(chip.QueueDevice, a.device)
	m.write16(chip.QueueEnable, 1)
	if m.read16(chip.QueueEnable) != 1 {
		return errors.New("the device does not enable it (queue_enable, 4.1.4.3)")
	}
	return nil
}

// doorbell implements transport (4.1.4.4).
func (m *modern) doorbell(queue int) (mmio.Doorbell16, error) {
	m.write16(chip.QueueSelect, uint16(queue))
	off := uint64(m.read16(chip.QueueNotifyOff)) * uint64(m.multiplier)
	if off+2 > uint64(m.notify.len) {
		return mmio.Doorbell16{}, fmt.Errorf("its doorbell is at %#x of %d bytes (queue_notify_off, 4.1.4.4)", off, m.notify.len)
	}
	return m.notify.r.Doorbell16(m.notify.off + uint32(off)), nil
}

func (m *modern) config(off uint32, bits int) uint32   { return m.device.read(off, bits) }
func (m *modern) generation() uint8                    { return m.read8(chip.ConfigGeneration) }
func (m *modern) isr() uint8                           { return uint8(m.interrupt.read(0, 8)) }
func (*modern) setConfig(uint32, uint8)                {}
func (m *modern) registers() ([]chip.Register, window) { return chip.CommonRegisters, m.common }
