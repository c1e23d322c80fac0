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
	var r [6]Resource
	all, err := s.resources(addr)
	copy(r[:], all)
	return r, err
}

// Windows returns all memory addresses that a device decodes: its registers and option ROM, and what a bridge
// passes on.
func (s Sysfs) Windows(addr string) (list []Resource, err error) {
	addr, err = s.find(addr)
	if err != nil {
		return nil, err
	}
	all, err := s.resources(addr)
	for _, r := range all {
		if r.Size > 0 && !r.IO {
			list = append(list, r)
		}
	}
	return list, err
}

// resources returns those of the device at a normalised address, BARs first.
func (s Sysfs) resources(addr string) ([]Resource, error) {
	b, err := os.ReadFile(filepath.Join(s.device(addr), "resource"))
	if err != nil {
		return nil, explain(addr, "read resource", err)
	}
	r, err := parseResources(string(b))
	return r, explain(addr, "read resource", err)
}

func parseResources(text string) (list []Resource, err error) {
	for line := range strings.Lines(text) {
		n := len(list) + 1
		f := strings.Fields(line)
		if len(f) != 3 {
			return nil, fmt.Errorf("line %d: want start, end and flags", n)
		}
		var v [3]uint64
		for i := range v {
			if v[i], err = strconv.ParseUint(f[i], 0, 64); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		var r Resource
		start, end, flags := v[0], v[1], v[2]
		if flags&(resourceIO|resourceMemory) != 0 && end > start {
			r = Resource{Start: start, Size: end - start + 1, IO: flags&resourceIO != 0}
		}
		list = append(list, r)
	}
	return list, nil
}

// BAR maps a register file of memory type, and reaches one of I/O type by system calls; asked for again, it
// gives the same region.
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
	if f.bars[n].region.Size() > 0 {
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
	case r.Size > 1<<32 || r.IO && r.Size > 1<<16:
		return mmio.Region{}, explain(addr, step, fmt.Errorf("%d bytes are more than any device has", r.Size))
	}
	path := filepath.Join(f.sys.device(addr), "resource"+strconv.Itoa(n))
	if r.IO {
		f.bars[n], err = f.ports(path, uint32(r.Size))
	} else {
		f.bars[n], err = mapped(path, r)
	}
	if err != nil {
		return mmio.Region{}, explain(addr, step, err)
	}
	return f.bars[n].region, nil
}

func mapped(path string, r Resource) (bar, error) {
	// Registers smaller than a page may start within one.
	off := int(r.Start % uint64(os.Getpagesize()))
	mem, err := mapBAR(path, off, int(r.Size))
	if err != nil {
		return bar{}, err
	}
	return bar{mem: mem, region: mmio.Map(mem[off : off+int(r.Size)])}, nil
}

// ports opens registers in I/O space and has the device answer there.
func (f *function) ports(path string, size uint32) (bar, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return bar{}, err
	}
	cmd, err := f.command()
	if err == nil {
		err = f.cfg.Write16(CfgCommand, cmd|CmdIO)
	}
	if err != nil {
		return bar{}, errors.Join(err, file.Close())
	}
	return bar{file: file, region: Window(file, 0, size)}, nil
}

// close gives back what the registers are reached by.
func (b *bar) close() (err error) {
	switch {
	case b.mem != nil:
		err = unmapBAR(b.mem)
	case b.file != nil:
		err = b.file.Close()
	}
	*b = bar{}
	return err
}
