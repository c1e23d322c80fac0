package shm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
)

// lockWait is how long Open waits for the lock of a port: a driver that was just killed still holds
// it for a moment, and a model that looks whether anybody does takes it for an instant.
const lockWait = 100 * time.Millisecond

// function implements bus.Function.
type function struct {
	addr  string
	id    bus.ID
	space *space
	irqs  *interrupts // nil: the model has none

	mu   sync.Mutex
	file *os.File // nil once closed
	regs []byte
}

func open(ctx context.Context, rest string, _ bus.Options) (bus.Function, error) {
	port, dir, err := split(rest)
	if err != nil {
		return nil, err
	}
	fn := &function{addr: "shm:" + port}
	if err := fn.open(ctx, port, dir); err != nil {
		return nil, fmt.Errorf("%s: %w", fn.addr, err)
	}
	return fn, nil
}

func (fn *function) open(ctx context.Context, port, dir string) (err error) {
	path := filepath.Join(port, "resource0")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open registers: %w: %s", err, cure(dir))
	}
	defer func() {
		if err != nil {
			_ = dma.Unmap(fn.regs)
			f.Close()
		}
	}()
	if err := exclusive(ctx, f); err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat registers: %w", err)
	}
	if st.Size() < 4096 || st.Size() > 1<<30 || !st.Mode().IsRegular() {
		return fmt.Errorf("%s has %d bytes, which is no register file: %s", path, st.Size(), cure(dir))
	}
	if fn.id, err = readID(filepath.Join(port, "config")); err != nil {
		return err
	}
	if fn.regs, err = dma.MapFile(f, int(st.Size())); err != nil {
		return fmt.Errorf("map registers %s: %w", path, err)
	}
	// A hole in the file on a full file system would raise SIGBUS on access.
	if err := dma.Populate(fn.regs); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("map registers %s: %w", path, err)
	}
	if fn.space, err = attach(dir); err != nil {
		return err
	}
	fn.irqs = newInterrupts(fn.addr, port)
	fn.file = f
	return nil
}

// exclusive takes the port for this process; the lock goes with the file or the process.
func exclusive(ctx context.Context, f *os.File) error {
	for end := time.Now().Add(lockWait); ; {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case !errors.Is(err, unix.EWOULDBLOCK):
			return fmt.Errorf("lock %s: %w", f.Name(), err)
		case time.Now().After(end):
			return fmt.Errorf("%s is locked: another driver has the port open: stop it: %w", f.Name(), bus.ErrInUse)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lock %s: %w", f.Name(), context.Cause(ctx))
		case <-time.After(time.Millisecond):
		}
	}
}

// readID reads the header of a PCI configuration space (PCI Local Bus 3.0, section 6.1).
func readID(path string) (bus.ID, error) {
	b, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return defaultID, nil
	case err != nil:
		return bus.ID{}, fmt.Errorf("read configuration space: %w", err)
	case len(b) < 64:
		return bus.ID{}, fmt.Errorf("%s has %d bytes and needs 64: mend it or remove it", path, len(b))
	}
	le := binary.LittleEndian
	return bus.ID{
		Vendor: le.Uint16(b[0x00:]), Device: le.Uint16(b[0x02:]),
		Subvendor: le.Uint16(b[0x2c:]), Subdevice: le.Uint16(b[0x2e:]),
		Revision: b[0x08], Class: le.Uint32(b[0x08:]) >> 8,
	}, nil
}

func (fn *function) Address() string         { return fn.addr }
func (fn *function) ID() bus.ID              { return fn.id }
func (fn *function) NUMANode() int           { return -1 }
func (fn *function) Config() bus.ConfigSpace { return nil }
func (fn *function) DMA() dma.Allocator      { return fn.space.arena }

// Interrupts returns those of the model, by MSI-X.
func (fn *function) Interrupts() (irq.Set, error) {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	if fn.file == nil {
		return nil, fmt.Errorf("%s: interrupts: %w", fn.addr, os.ErrClosed)
	}
	if fn.irqs == nil {
		return nil, nil
	}
	return fn.irqs, nil
}

// Reset does nothing: the shared file has no reset line, and the driver resets the model as it resets
// a card, by CTRL.RST.
func (fn *function) Reset() error { return nil }

// BAR returns the registers for n = 0. A model cannot see reads there.
func (fn *function) BAR(n int) (mmio.Region, error) {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	if fn.file == nil {
		return mmio.Region{}, fmt.Errorf("%s: BAR %d: %w", fn.addr, n, os.ErrClosed)
	}
	if n != 0 {
		return mmio.Region{}, fmt.Errorf("%s: no BAR %d: only BAR 0 is shared", fn.addr, n)
	}
	return mmio.MapPolled(fn.regs), nil
}

// Close leaves the registers as the driver set them. DMA memory that the driver has not freed stays
// until the last port of the directory that this process has open is closed.
func (fn *function) Close() error {
	fn.mu.Lock()
	defer fn.mu.Unlock()
	if fn.file == nil {
		return nil
	}
	f := fn.file
	fn.file = nil
	var off error
	if fn.irqs != nil {
		off = fn.irqs.Disable()
	}
	// The lock goes last: a model takes its end for the driver's.
	if err := errors.Join(off, dma.Unmap(fn.regs), fn.space.detach(), f.Close()); err != nil {
		return fmt.Errorf("%s: close: %w", fn.addr, err)
	}
	return nil
}
