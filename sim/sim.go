// Package sim is the other side of the bus: cards that are not there, at the level of their registers,
// and what they are plugged into.
//
// A card is trapped or polled. A trapped card is called at every register access and moves frames when
// it is stepped, all on one goroutine: deterministic, and its DMA goes through an IOMMU that refuses what
// was not handed out. Polled cards belong to a World that watches their registers from another
// goroutine, or, served with Serve, from another process.
package sim

import (
	"errors"
	"fmt"
	"sync"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/chip"
	facts "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
)

// Trapped is a trapped card with memory of its own. The card's methods, the driver's and the
// function's all belong to one goroutine.
type Trapped struct {
	Card  *ixgbe.Card
	Space *iommu.Space
	// Kind is how functions that are made from now on interrupt: by MSI-X after NewTrapped.
	Kind irq.Kind
}

// NewTrapped makes a trapped card. Memory may be left nil for a new space; cards that are to share
// buffers get the same one.
func NewTrapped(cfg ixgbe.Config) (*Trapped, error) {
	if cfg.Memory == nil {
		cfg.Memory = iommu.New()
	}
	c, err := ixgbe.New(cfg)
	if err != nil {
		return nil, err
	}
	return &Trapped{Card: c, Space: cfg.Memory, Kind: irq.MSIX}, nil
}

// Function returns the card as a driver sees it, after a function level reset.
func (t *Trapped) Function(address string) bus.Function {
	t.Card.Reset()
	t.Card.SetBusMaster(true)
	return &function{
		address: address, device: t.Card.Device(), dma: t.Space,
		region: mmio.Trap(facts.BARSize, t.Card),
		reset:  t.Card.Reset,
		irqs:   newInterrupts(address, t.Card, t.Kind),
		close: func() error {
			t.Card.SetBusMaster(false)
			return nil
		},
	}
}

// function implements bus.Function for a model.
type function struct {
	address string
	device  uint16
	dma     dma.Allocator
	region  mmio.Region
	irqs    irq.Set
	reset   func()
	close   func() error
	once    sync.Once
}

func (f *function) Address() string { return f.address }

func (f *function) ID() bus.ID {
	return bus.ID{Vendor: facts.VendorIntel, Device: f.device, Subvendor: facts.VendorIntel, Revision: 1, Class: 0x020000}
}

func (f *function) NUMANode() int                { return -1 }
func (f *function) Config() bus.ConfigSpace      { return nil }
func (f *function) Interrupts() (irq.Set, error) { return f.irqs, nil }
func (f *function) DMA() dma.Allocator           { return f.dma }

func (f *function) BAR(n int) (mmio.Region, error) {
	if n != 0 {
		return mmio.Region{}, fmt.Errorf("%s: the model has no BAR %d: only BAR 0", f.address, n)
	}
	return f.region, nil
}

func (f *function) Reset() error {
	f.reset()
	return nil
}

func (f *function) Close() (err error) {
	f.once.Do(func() {
		if f.irqs != nil {
			err = f.irqs.Disable()
		}
		err = errors.Join(err, f.close())
	})
	return err
}

// Describe decodes a register access in one line: name, value, fields that are not zero, section.
func Describe(e ixgbe.Event) string {
	row, _ := facts.Registers.Find(e.Off)
	if row == nil {
		return e.String() + " (no such register)"
	}
	return fmt.Sprintf("%v %s(%s)", e, fields(row, e.Value), row.Section)
}

func fields(row *chip.Register, v uint32) string {
	s := ""
	for _, f := range row.Fields {
		if x := f.Value(v); x != 0 {
			s += fmt.Sprintf("%s=%#x ", f.Name, x)
		}
	}
	return s
}
