package vfio

import (
	"errors"
	"fmt"
	"os"

	"glassnic/bus/mmio"
	"glassnic/bus/pci"
)

// region asks for a region, and what of it can be mapped.
func (f *function) region(index uint32) (r regionInfo, parts []span, err error) {
	b, err := inform(f.fd(), deviceGetRegion, index)
	if err != nil {
		return regionInfo{}, nil, fmt.Errorf("ask for region %d: %w", index, err)
	}
	return parseRegion(b, uint64(os.Getpagesize()))
}

// BAR maps what the kernel lets be mapped of a base address register; asked for again, it gives the same
// region. Where there is an MSI-X table that the kernel keeps for itself, the region reads as all ones.
// Registers that cannot be mapped, such as I/O ports, are reached by system calls.
func (f *function) BAR(n int) (mmio.Region, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	step := fmt.Sprintf("map BAR %d", n)
	if f.closed {
		return mmio.Region{}, f.fail(step, os.ErrClosed)
	}
	if n < 0 || n >= len(f.bars) {
		return mmio.Region{}, f.fail(step, errors.New("there are BARs 0 to 5"))
	}
	if f.bars[n].region.Size() > 0 {
		return f.bars[n].region, nil
	}
	r, parts, err := f.region(uint32(n))
	if err != nil {
		return mmio.Region{}, f.fail(step, err)
	}
	switch {
	case r.Length == 0:
		return mmio.Region{}, f.fail(step, errors.New("the device has none, or it is the upper half of the one before"))
	case r.Length > 1<<32:
		return mmio.Region{}, f.fail(step, fmt.Errorf("%d bytes are more than any device has", r.Length))
	}
	if len(parts) > 0 {
		mem, err := mapParts(f.fd(), int64(r.Offset), int(r.Length), parts)
		if err != nil {
			return mmio.Region{}, f.fail(step, fmt.Errorf("mmap: %w", err))
		}
		f.bars[n] = bar{mem, mmio.Map(mem)}
	} else {
		f.bars[n] = bar{nil, pci.Window(f.file, int64(r.Offset), uint32(min(r.Length, 1<<32-4)))}
	}
	return f.bars[n].region, nil
}
