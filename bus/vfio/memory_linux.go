package vfio

import (
	"errors"
	"fmt"

	"glassnic/bus/dma"
)

// dmaPage is the size in bytes of pages unless 1 GiB is asked for.
const dmaPage = 2 << 20

// memory is a dma.Source of pages that the devices of a container reach. Its methods may be called
// concurrently.
type memory struct {
	c    *container
	addr string // the device
	size int
	node int
}

// Page implements dma.Source. Where no huge page of 2 MiB is left it takes ordinary pages, which the IOMMU
// makes contiguous: they work as well and cost more misses of its cache.
func (m *memory) Page() (dma.Memory, error) {
	b, err := dma.MapHuge(m.size, m.node)
	if m.size == dmaPage && errors.Is(err, dma.ErrNoHugePages) {
		b, err = dma.MapPlain(m.size, m.node)
	}
	if err != nil {
		return dma.Memory{}, fmt.Errorf("vfio %s: %w", m.addr, err)
	}
	iova, err := m.c.enter(b)
	if err != nil {
		return dma.Memory{}, errors.Join(fmt.Errorf("vfio %s: %w", m.addr, err), dma.Unmap(b))
	}
	return dma.Memory{Bytes: b, IOVA: iova}, nil
}

// Release implements dma.Source. A page that the IOMMU does not let go of is never used again.
func (m *memory) Release(p dma.Memory) error {
	if err := m.c.remove(p.IOVA, len(p.Bytes)); err != nil {
		return fmt.Errorf("vfio %s: %w: the memory is kept from use", m.addr, err)
	}
	return dma.Unmap(p.Bytes)
}

// PageSize implements dma.Source.
func (m *memory) PageSize() int { return m.size }

// Domain implements dma.Source.
func (m *memory) Domain() any { return m.c }
