package vfio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/internal/ioctl"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
)

// function implements bus.Function.
type function struct {
	dev   pci.Device
	group *group
	file  *os.File
	info  deviceInfo
	cfg   *pci.Config
	arena *dma.Arena
	alloc dma.Allocator // the arena's
	watch watch

	mu     sync.Mutex
	closed bool
	bars   [6]bar
	irqs   *irqs // nil until asked for
}

type bar struct {
	mem    []byte // nil where it is not mapped
	region mmio.Region
}

func open(ctx context.Context, rest string, opt bus.Options) (bus.Function, error) {
	return openIn(ctx, pci.Sysfs{}, rest, opt)
}

// openIn opens a device that is bound to VFIO, and whose group is this process's or nobody's. The kernel resets
// it, if it knows how. Its memory space is switched on and its interrupt pin off, and bus mastering on with the
// first DMA memory (Command register, PCI Local Bus 3.0, section 6.2.2). DMA memory is huge pages or, where
// there are none, ordinary ones, preferably of the device's NUMA node.
func openIn(ctx context.Context, sys pci.Sysfs, addr string, opt bus.Options) (bus.Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("vfio %s: open: %w", addr, err)
	}
	dev, err := sys.Device(addr)
	if err != nil {
		return nil, err
	}
	g, ok, err := sys.Group(dev.Address)
	if err != nil {
		return nil, err
	}
	f := &function{dev: dev, watch: watch{log: -1}}
	if err := refuse(dev, g, ok); err != nil {
		return nil, f.fail("open", err)
	}
	size, err := dma.HugePageSize(opt.HugePageSize)
	if err != nil {
		return nil, f.fail("open", err)
	}
	if f.group, err = take(sys, g, dev.Address); err != nil {
		return nil, f.fail("open", err)
	}
	f.arena = dma.NewArena(&memory{c: f.group.c, addr: dev.Address, size: size, node: dev.NUMANode})
	f.alloc = pci.Late(f.arena, f.master)
	if err := f.open(); err != nil {
		return nil, errors.Join(f.fail("open", err), f.release())
	}
	return f, nil
}

// fail names device and step.
func (f *function) fail(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("vfio %s: %s: %w", f.dev.Address, step, err)
}

func (f *function) open() error {
	fd, err := ioctl.Pass(f.group.fd, groupGetDevice, append([]byte(f.dev.Address), 0))
	if err != nil {
		return fmt.Errorf("get the device from its group: %w", err)
	}
	unix.CloseOnExec(fd)
	f.file = os.NewFile(uintptr(fd), "vfio "+f.dev.Address)
	b := encode(deviceInfo{})
	if _, err := ioctl.Pass(f.fd(), deviceGetInfo, b); err != nil {
		return fmt.Errorf("ask what it is: %w", err)
	}
	if err := decode(b, &f.info); err != nil {
		return err
	}
	if f.info.Flags&devicePCI == 0 || f.info.Regions <= configRegion {
		return fmt.Errorf("VFIO does not hand it out as a PCI device (flags %#x, %d regions)", f.info.Flags, f.info.Regions)
	}
	r, _, err := f.region(configRegion)
	if err != nil {
		return err
	}
	f.cfg = pci.NewConfig(f.dev.Address, section{
		io.NewSectionReader(f.file, int64(r.Offset), int64(r.Length)),
		io.NewOffsetWriter(f.file, int64(r.Offset)),
	})
	f.watch.start(f)
	cmd, err := f.command()
	if err != nil {
		return err
	}
	return f.cfg.Write16(pci.CfgCommand, cmd&^pci.CmdMaster|pci.CmdMemory|pci.CmdNoINTx)
}

// master lets the device access memory.
func (f *function) master() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	const step = "switch bus mastering on"
	if f.closed {
		return f.fail(step, os.ErrClosed)
	}
	cmd, err := f.command()
	if err == nil {
		err = f.cfg.Write16(pci.CfgCommand, cmd|pci.CmdMaster)
	}
	return f.fail(step, err)
}

// section is a part of a file.
type section struct {
	*io.SectionReader
	*io.OffsetWriter
}

// fd is the device's descriptor, valid until Close.
func (f *function) fd() int { return int(f.file.Fd()) }

// command reads the Command register of a device that answers.
func (f *function) command() (uint16, error) {
	v, err := f.cfg.Read32(pci.CfgVendor)
	if err != nil {
		return 0, err
	}
	if v == 1<<32-1 {
		return 0, fmt.Errorf("configuration space reads all ones: was the card pulled?: %w", bus.ErrGone)
	}
	return f.cfg.Read16(pci.CfgCommand)
}

func (f *function) Address() string         { return f.dev.Address }
func (f *function) ID() bus.ID              { return f.dev.ID }
func (f *function) NUMANode() int           { return f.dev.NUMANode }
func (f *function) Config() bus.ConfigSpace { return f.cfg }
func (f *function) DMA() dma.Allocator      { return f.alloc }
func (*function) Isolated() bool            { return true }

// Reset resets the function alone; what stood in its configuration space is restored. An error around
// os.ErrNotExist means that the kernel knows no way.
func (f *function) Reset() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.closed:
		return f.fail("reset", os.ErrClosed)
	case f.info.Flags&deviceResets == 0:
		return f.fail("reset", fmt.Errorf("the kernel knows no way to reset this function: %w", os.ErrNotExist))
	}
	_, err := ioctl.Number(f.fd(), deviceReset, 0)
	return f.fail("reset", err)
}

// Close stops the device's DMA first; the kernel then resets the device and takes it back.
func (f *function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.fail("close", f.stop()), f.release())
}

// stop takes bus mastering away. The IOMMU keeps a device that goes on all the same from memory that is
// unmapped.
func (f *function) stop() error {
	cmd, err := f.command()
	if err == nil {
		err = f.cfg.Write16(pci.CfgCommand, cmd&^pci.CmdMaster)
	}
	if err == nil {
		// The read pushes the device's writes under way in front of it (PCI Express Base 3.0, section 2.4.1).
		_, err = f.command()
	}
	return err
}

// release gives back what open took, as far as it came.
func (f *function) release() error {
	var errs []error
	if f.irqs != nil {
		errs = append(errs, f.irqs.Disable())
	}
	f.watch.close()
	for i := range f.bars {
		if mem := f.bars[i].mem; mem != nil {
			errs = append(errs, f.fail(fmt.Sprintf("unmap BAR %d", i), unmap(mem)))
		}
		f.bars[i] = bar{}
	}
	errs = append(errs, f.arena.Close())
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(append(errs, f.fail("give the group back", f.group.leave(f.dev.Address)))...)
}
