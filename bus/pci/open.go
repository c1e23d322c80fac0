package pci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
)

func init() {
	bus.Register("pci", func(ctx context.Context, rest string, opt bus.Options) (bus.Function, error) {
		return Sysfs{}.Open(ctx, rest, opt)
	})
}

// function implements bus.Function.
type function struct {
	sys   Sysfs
	dev   Device
	lock  *os.File // resource0, or config where there is none, locked
	cfg   *Config
	huge  source
	arena *dma.Arena
	alloc dma.Allocator // the arena's

	mu     sync.Mutex
	closed bool
	keep   bool // DMA memory, for the device could not be stopped
	bars   [6]bar
}

type bar struct {
	mem    []byte   // as mapped, whole pages
	file   *os.File // of I/O ports
	region mmio.Region
}

// source is a dma.Source with something to close.
type source interface {
	dma.Source
	Close() error
}

// Open takes an unbound device for this process: refuses one that a kernel driver or another process
// holds (bus.ErrInUse) or whose DMA an IOMMU translates, switches its memory space on and its interrupt
// pin off, and bus mastering on with the first DMA memory (Command register, PCI Local Bus 3.0, section
// 6.2.2). DMA memory is huge pages, preferably of the device's NUMA node, by physical address. Needs root.
// A device that is bound to VFIO is opened by the scheme "vfio".
func (s Sysfs) Open(ctx context.Context, addr string, opt bus.Options) (bus.Function, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("pci %s: open: %w", addr, err)
	}
	dev, err := s.Device(addr)
	if err != nil {
		return nil, err
	}
	if IsVFIO(dev.Driver) {
		return bus.Open(ctx, "vfio:"+dev.Address, opt)
	}
	if dev.Driver != "" {
		return nil, fmt.Errorf("pci %s: open: kernel driver %s has it: `glassnic dev unbind %s`: %w", dev.Address, dev.Driver, dev.Address, bus.ErrInUse)
	}
	if err := s.checkIOMMU(dev.Address); err != nil {
		return nil, err
	}
	f := &function{sys: s, dev: dev}
	if err := f.open(opt); err != nil {
		return nil, errors.Join(err, f.release())
	}
	return f, nil
}

// checkIOMMU refuses devices for which physical addresses mean nothing
// (Documentation/ABI/testing/sysfs-kernel-iommu_groups: type).
func (s Sysfs) checkIOMMU(addr string) error {
	group := filepath.Join(s.device(addr), "iommu_group", "type")
	switch t := text(group); t {
	case "", "identity":
		return nil
	default:
		return fmt.Errorf("pci %s: open: the IOMMU translates its DMA (%s is %q), so it cannot reach physical addresses: use the IOMMU, `glassnic dev bind %s --driver vfio-pci`; or do without, `echo identity > %s` or boot with iommu=pt",
			addr, group, t, addr, group)
	}
}

func (f *function) open(opt bus.Options) (err error) {
	addr := f.dev.Address
	path := f.sys.lockPath(addr)
	if f.lock, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return explain(addr, "open "+filepath.Base(path), err)
	}
	if err := lockFile(f.lock); err != nil {
		if errors.Is(err, bus.ErrInUse) {
			return fmt.Errorf("pci %s: open: a process has locked %s: stop it (`fuser -v %s` names it): %w", addr, path, path, err)
		}
		return explain(addr, "lock "+path, err)
	}
	if f.cfg, err = f.sys.OpenConfig(addr, true); err != nil {
		return err
	}
	if f.huge, err = newHuge(opt.HugePageSize, f.dev.NUMANode, f.sys.Pagemap); err != nil {
		return fmt.Errorf("pci %s: %w", addr, err)
	}
	f.arena = dma.NewArena(f.huge)
	f.alloc = Late(f.arena, f.master)
	return f.start()
}

// lockPath is the file whose lock owns the device.
func (s Sysfs) lockPath(addr string) string {
	path := filepath.Join(s.device(addr), "resource0")
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return filepath.Join(s.device(addr), "config")
	}
	return path
}

// start switches the device on.
func (f *function) start() error {
	cmd, err := f.command()
	if err != nil {
		return err
	}
	if cmd&CmdMaster != 0 {
		// Whoever had the device last left without stopping it (killed, say), and its rings point
		// into memory that belongs to others now: DMA stays off until it has forgotten them. A
		// device without function reset is left to the driver, which resets it before it asks for
		// memory.
		if err := f.cfg.Write16(CfgCommand, cmd&^CmdMaster); err != nil {
			return err
		}
		if err := f.Reset(); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if cmd, err = f.command(); err != nil {
			return err
		}
	}
	return f.cfg.Write16(CfgCommand, cmd&^CmdMaster|CmdMemory|CmdNoINTx)
}

// master lets the device access memory.
func (f *function) master() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return explain(f.dev.Address, "switch bus mastering on", os.ErrClosed)
	}
	cmd, err := f.command()
	if err != nil {
		return err
	}
	return f.cfg.Write16(CfgCommand, cmd|CmdMaster)
}

// command reads the Command register of a device that answers.
func (f *function) command() (uint16, error) {
	v, err := f.cfg.Read32(CfgVendor)
	if err != nil {
		return 0, err
	}
	if v == 1<<32-1 {
		return 0, fmt.Errorf("pci %s: %w (configuration space reads all ones): seat it, or `echo 1 > %s`, then `echo 1 > %s`", f.dev.Address,
			errGone, filepath.Join(f.sys.device(f.dev.Address), "remove"), filepath.Join(f.sys.root(), "bus/pci/rescan"))
	}
	return f.cfg.Read16(CfgCommand)
}

var errGone = errors.New("device does not answer")

func (f *function) Address() string            { return f.dev.Address }
func (f *function) ID() bus.ID                 { return f.dev.ID }
func (f *function) NUMANode() int              { return f.dev.NUMANode }
func (f *function) Config() bus.ConfigSpace    { return f.cfg }
func (*function) Interrupts() (irq.Set, error) { return nil, nil }
func (f *function) DMA() dma.Allocator         { return f.alloc }
func (*function) Isolated() bool               { return false }

// Reset resets the function alone, by whichever way the kernel knows for the device; what stood in its
// configuration space is restored. An error around os.ErrNotExist means that it knows none.
func (f *function) Reset() error {
	path := filepath.Join(f.sys.device(f.dev.Address), "reset")
	return explain(f.dev.Address, "reset by "+path, f.sys.put(Step{path, "1"}))
}

// Close stops the device's DMA first. Should that fail on a device that still answers, its DMA memory
// stays out of use until the process ends, for the device may still write to it.
func (f *function) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	f.closed = true
	return errors.Join(f.stop(), f.release())
}

func (f *function) stop() error {
	cmd, err := f.command()
	if err == nil {
		err = f.cfg.Write16(CfgCommand, cmd&^CmdMaster)
	}
	if err == nil {
		// The read also pushes the device's writes under way in front of it (PCI Express Base 3.0,
		// section 2.4.1).
		cmd, err = f.command()
	}
	switch {
	case errors.Is(err, errGone):
		return err
	case err == nil && cmd&CmdMaster != 0:
		err = fmt.Errorf("pci %s: bus mastering stays on", f.dev.Address)
	}
	if err != nil {
		f.keep = true
		return fmt.Errorf("%w: close: DMA memory is kept from use: reset the device or reboot", err)
	}
	return nil
}

// release gives back what open took, as far as it came.
func (f *function) release() error {
	var errs []error
	for i := range f.bars {
		errs = append(errs, explain(f.dev.Address, fmt.Sprintf("unmap BAR %d", i), f.bars[i].close()))
	}
	if f.arena != nil && !f.keep {
		errs = append(errs, f.arena.Close())
	}
	if f.huge != nil {
		errs = append(errs, f.huge.Close())
	}
	if f.cfg != nil {
		errs = append(errs, f.cfg.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Close())
	}
	return errors.Join(errs...)
}
