package virtio

import (
	"errors"
	"fmt"

	"glassnic/bus"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
	chip "glassnic/chip/virtio"
)

// legacy is the interface of devices from before version 1.0: registers in I/O space, behind them the device's
// configuration (4.1.4.10).
type legacy struct {
	r       mmio.Region
	control func() (uint16, error) // message control of MSI-X; nil where there is none
}

// findLegacy opens the registers.
func findLegacy(fn bus.Function) (*legacy, error) {
	r, err := fn.BAR(0)
	if err != nil {
		return nil, err
	}
	if r.Size() < chip.LegacyConfig {
		return nil, fmt.Errorf("%d bytes of registers, want %d (4.1.4.10)", r.Size(), chip.LegacyConfig)
	}
	l := &legacy{r: r}
	cfg := fn.Config()
	if cfg == nil {
		return l, nil
	}
	caps, err := pci.Capabilities(cfg)
	for _, c := range caps {
		if !c.Extended && c.ID == capMSIX {
			l.control = func() (uint16, error) { return cfg.Read16(c.Offset + msixControl) }
		}
	}
	return l, err
}

// The MSI-X capability (PCI Local Bus 3.0, 6.8.2).
const (
	capMSIX     = 0x11
	msixControl = 2
	msixEnable  = 1 << 15
)

// vectors tells whether MSI-X is on: then the device has two registers more.
func (l *legacy) vectors() bool {
	if l.control == nil {
		return false
	}
	v, err := l.control()
	return err == nil && v&msixEnable != 0
}

func (*legacy) legacy() bool             { return true }
func (l *legacy) status() uint8          { return l.r.Read8(chip.LegacyStatus) }
func (l *legacy) setStatus(v uint8)      { l.r.Write8(chip.LegacyStatus, v) }
func (*legacy) enablesPairs() bool       { return false }
func (l *legacy) queues() int            { return 0 }
func (l *legacy) offered() chip.Features { return chip.Features(l.r.Read32(chip.LegacyDeviceFeatures)) }
func (l *legacy) accept(f chip.Features) { l.r.Write32(chip.LegacyDriverFeatures, uint32(f)) }

func (l *legacy) queueSize(queue int) int {
	l.r.Write16(chip.LegacyQueueSelect, uint16(queue))
	return int(l.r.Read16(chip.LegacyQueueSize))
}

// enable implements transport: the device derives all places from that of the descriptors (4.1.5.1.3.1).
func (l *legacy) enable(queue int, a areas) error {
	page := a.descs / chip.LegacyAlign
	if a.descs%chip.LegacyAlign != 0 || page >= 1<<32 {
		return fmt.Errorf("its ring lies at %#x, where a legacy device reaches 44 bits (4.1.4.10)", a.descs)
	}
	l.r.Write16(chip.LegacyQueueSelect, uint16(queue))
	if l.vectors() {
		l.r.Write16(chip.LegacyQueueVector, a.vector)
		if got := l.r.Read16(chip.LegacyQueueVector); a.vector != chip.NoVector && got != a.vector {
			return errVector
		}
	}
	l.r.Write32(chip.LegacyQueueAddress, uint32(page))
	if l.r.Read32(chip.LegacyQueueAddress) != uint32(page) {
		return errors.New("the device does not enable it (Queue Address, 4.1.4.10)")
	}
	return nil
}

// doorbell implements transport: there is one for all queues.
func (l *legacy) doorbell(int) (mmio.Doorbell16, error) {
	return l.r.Doorbell16(chip.LegacyQueueNotify), nil
}

// own is the device's configuration.
func (l *legacy) own() window {
	off := chip.LegacyConfig
	if l.vectors() {
		off = chip.LegacyConfigMSIX
	}
	return window{l.r, off, l.r.Size() - min(off, l.r.Size())}
}

func (l *legacy) config(off uint32, bits int) uint32 { return l.own().read(off, bits) }
func (l *legacy) isr() uint8                         { return l.r.Read8(chip.LegacyISR) }
func (*legacy) generation() uint8                    { return 0 }

func (l *legacy) setConfig(off uint32, v uint8) {
	w := l.own()
	w.r.Write8(w.off+off, v)
}

func (l *legacy) registers() ([]chip.Register, window) {
	return chip.LegacyRegisters, window{l.r, 0, l.r.Size()}
}
