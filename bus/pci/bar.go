package pci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"glassnic/bus/mmio"
)

// Resource is where the kernel has put one of a device's base address registers.
type Resource struct {
	Start, Size uint64 // in bytes; Size 0 for none
	IO          bool   // I/O ports, not memory
}

// Bits of the third column of sysfs's resource file (linux/ioport.h).
const (
	resourceIO     = 0x100
	resourceMemory = 0x200
)

// Resources returns what base address registers 0–5 decode.
func (s Sysfs) Resources(addr string) ([6]Resource, error) {
	addr, err := s.find(addr)
	if err != nil {
		return [6]Resource{}, err
	}
	b, err := os.ReadFile(filepath.Join(s.device(addr), "resource"))
	if err != nil {
		return [6]Resource{}, explain(addr, "read resource", err)
	}
	r, err := parseResources(string(b))
	return r, explain(addr, "read resource", err)
}

func parseResources(text string) (r [6]Resource, err error) {
	n := 0
	for line := range strings.Lines(text) {
		if n == len(r) {
			break
		}
		f := strings.Fields(line)
		if len(f) != 3 {
			return r, fmt.Errorf("line %d: want start, end and flags", n+1)
		}
		var v [3]uint64
		for i := range v {
			if v[i], err = strconv.ParseUint(f[i], 0, 64); err != nil {
				return r, fmt.Errorf("line %d: %w", n+1, err)
			}
		}
		start, end, flags := v[0], v[1], v[2]
		if flags&(resourceIO|resourceMemory) != 0 && end > start {
			r[n] = Resource{Start: start, Size: end - start + 1, IO: flags&resourceIO != 0}
		}
		n++
	}
	return r, nil
}

// BAR maps a register file of memory type; mapping it again gives the same region.
func (f *function) BAR(n int) (mmio.Region, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	addr := f.dev.Address
	step := fmt.Sprintf("map BAR %d", n)
	if f.closed {
		return mmio.Region{}, explain(addr, step, os.ErrClosed)
	}
	if n < 0 || n >= len(f.bars) {
		return mmio.Region{}, explain(addr, step, errors.New("there are BARs 0 to 5"))
	}
	if f.bars[n].mem != nil {
		return f.bars[n].region, nil
	}
	all, err := f.sys.Resources(addr)
	if err != nil {
		return mmio.Region{}, err
	}
	r := all[n]
	switch {
	case r.Size == 0:
		return mmio.Region{}, explain(addr, step, errors.New("the device has none, or it is the upper half of the one before"))
	case r.IO:
		return mmio.Region{}, explain(addr, step, errors.New("it is in I/O space, which cannot be mapped"))
	case r.Size > 1<<32:
		return mmio.Region{}, explain(addr, step, fmt.Errorf("%d bytes are more than 4 GiB", r.Size))
	}
	// Registers smaller than a page may start within one.
	off := int(r.Start % uint64(os.Getpagesize()))
	mem, err := mapBAR(filepath.Join(f.sys.device(addr), "resource"+strconv.Itoa(n)), off, int(r.Size))
	if err != nil {
		return mmio.Region{}, explain(addr, step, err)
	}
	f.bars[n] = bar{mem: mem, region: mmio.Map(mem[off : off+int(r.Size)])}
	return f.bars[n].region, nil
}
