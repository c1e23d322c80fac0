package ixgbe_test

import (
	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/sim/iommu"
)

// function is a bus.Function of which a test has changed something.
type function struct {
	bus.Function
	region *mmio.Region  // nil for the function's own
	memory dma.Allocator // likewise
	err    error         // of BAR
}

func (f *function) BAR(n int) (mmio.Region, error) {
	if f.region == nil || f.err != nil {
		r, err := f.Function.BAR(n)
		if f.err != nil {
			err = f.err
		}
		return r, err
	}
	return *f.region, nil
}

func (f *function) DMA() dma.Allocator {
	if f.memory == nil {
		return f.Function.DMA()
	}
	return f.memory
}

// blank is a polled card with nobody behind its registers.
type blank struct {
	regs   []byte
	space  *iommu.Space
	device uint16
}

func newBlank() *blank { return &blank{make([]byte, facts.BARSize), iommu.New(), 0x10fb} }

func (*blank) Address() string              { return "blank" }
func (b *blank) ID() bus.ID                 { return bus.ID{Vendor: 0x8086, Device: b.device} }
func (*blank) NUMANode() int                { return -1 }
func (*blank) Config() bus.ConfigSpace      { return nil }
func (*blank) Interrupts() (irq.Set, error) { return nil, nil }
func (b *blank) DMA() dma.Allocator         { return b.space }
func (*blank) Reset() error                 { return nil }
func (*blank) Close() error                 { return nil }
func (b *blank) region() mmio.Region        { return mmio.MapPolled(b.regs) }
func (b *blank) set(off uint32, v uint32)   { b.region().Write32(off, v) }
func (b *blank) BAR(int) (mmio.Region, error) {
	return b.region(), nil
}
