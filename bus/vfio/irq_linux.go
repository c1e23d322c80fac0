package vfio

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus/internal/ioctl"
	"glassnic/bus/irq"
	"glassnic/bus/pci"
)

// irqs implements irq.Set for one kind of a device's interrupts. The device does one kind at a time.
type irqs struct {
	f     *function
	kind  irq.Kind
	index uint32
	count int

	mu     sync.Mutex
	events []*event
}

var indexOf = map[irq.Kind]uint32{irq.INTx: irqINTx, irq.MSI: irqMSI, irq.MSIX: irqMSIX}

// Interrupts returns the best kind that the device has: MSI-X, MSI or its pin.
func (f *function) Interrupts() (irq.Set, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, f.fail("interrupts", os.ErrClosed)
	}
	for _, k := range []irq.Kind{irq.MSIX, irq.MSI, irq.INTx} {
		if f.irqs == nil {
			if err := f.choose(k); err != nil {
				return nil, f.fail("interrupts", err)
			}
		}
	}
	if f.irqs == nil {
		return nil, nil
	}
	return f.irqs, nil
}

// ChooseInterrupts has Interrupts return another kind from now on, for drivers and tests that want just that.
// Those that were returned before end.
func (f *function) ChooseInterrupts(k irq.Kind) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return f.fail("interrupts", os.ErrClosed)
	}
	if f.irqs != nil {
		if err := f.irqs.Disable(); err != nil {
			return err
		}
		f.irqs = nil
	}
	err := f.choose(k)
	if err == nil && f.irqs == nil {
		err = fmt.Errorf("the device has no %v", k)
	}
	return f.fail("interrupts", err)
}

// choose takes a kind if the device has it.
func (f *function) choose(k irq.Kind) error {
	n, err := f.irqCount(indexOf[k])
	if err == nil && n > 0 {
		f.irqs = &irqs{f: f, kind: k, index: indexOf[k], count: n}
	}
	return err
}

// irqCount tells how many interrupts of an index can come as events.
func (f *function) irqCount(index uint32) (int, error) {
	if index >= f.info.IRQs {
		return 0, nil
	}
	b := encode(irqInfo{Index: index})
	if _, err := ioctl.Pass(f.fd(), deviceGetIRQ, b); err != nil {
		if errors.Is(err, unix.EINVAL) { // no such interrupts, as errors of conventional PCI
			return 0, nil
		}
		return 0, fmt.Errorf("ask for interrupts %d: %w", index, err)
	}
	var i irqInfo
	if err := decode(b, &i); err != nil || i.Flags&irqEventfd == 0 {
		return 0, err
	}
	return int(i.Count), nil
}

func (s *irqs) Kind() irq.Kind { return s.kind }
func (s *irqs) Vectors() int   { return s.count }

// Enable implements irq.Set.
func (s *irqs) Enable(n int) ([]irq.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	step := fmt.Sprintf("enable %d interrupts by %v", n, s.kind)
	switch {
	case n < 1 || n > s.count:
		return nil, s.f.fail(step, fmt.Errorf("the device has %d", s.count))
	case s.events != nil:
		return nil, s.f.fail(step, errors.New("they are on: disable them first"))
	}
	var (
		list []irq.Event
		fds  []int32
	)
	for range n {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			return nil, errors.Join(s.f.fail(step, fmt.Errorf("eventfd: %w", err)), s.drop())
		}
		e := &event{fd: fd}
		if s.kind == irq.INTx {
			e.unmask = s.unmask
		}
		s.events = append(s.events, e)
		list = append(list, e)
		fds = append(fds, int32(fd))
	}
	left, err := s.f.setIRQs(irqSet{Flags: irqFDs | irqTrigger, Index: s.index, Count: uint32(n)}, fds...)
	if err == nil && left > 0 {
		err = fmt.Errorf("the system has %d left: ask for fewer: %w", left, unix.ENOSPC)
	}
	if err == nil && s.kind == irq.INTx {
		err = s.pin(true)
	} else if err == nil {
		err = s.f.master() // the others are writes to memory
	}
	if err != nil {
		return nil, errors.Join(s.f.fail(step, err), s.drop())
	}
	return list, nil
}

// Disable implements irq.Set.
func (s *irqs) Disable() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == nil {
		return nil
	}
	var err error
	if s.kind == irq.INTx {
		err = s.pin(false)
	}
	_, off := s.f.setIRQs(irqSet{Flags: irqNone | irqTrigger, Index: s.index})
	return errors.Join(s.f.fail("disable interrupts", errors.Join(err, off)), s.drop())
}

// drop closes the events.
func (s *irqs) drop() (err error) {
	for _, e := range s.events {
		err = errors.Join(err, e.close())
	}
	s.events = nil
	return err
}

// pin has the device use its interrupt pin or keep it quiet.
func (s *irqs) pin(on bool) error {
	cmd, err := s.f.command()
	if err != nil {
		return err
	}
	if on {
		cmd &^= pci.CmdNoINTx
	} else {
		cmd |= pci.CmdNoINTx
	}
	return s.f.cfg.Write16(pci.CfgCommand, cmd)
}

// unmask lets the pin's interrupt come again, which the kernel masked when it came.
func (s *irqs) unmask() error {
	_, err := s.f.setIRQs(irqSet{Flags: irqNone | irqUnmask, Index: irqINTx, Count: 1})
	return s.f.fail("unmask interrupt", err)
}

// setIRQs returns a number above 0 where the system has no more interrupts left than that.
func (f *function) setIRQs(s irqSet, fds ...int32) (int, error) {
	return ioctl.Pass(f.fd(), deviceSetIRQs, encode(s, fds...))
}

// event implements irq.Event by an eventfd.
type event struct {
	unmask func() error // nil where nothing was masked

	mu sync.Mutex
	fd int // -1 once closed
}

func (e *event) FD() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fd
}

func (e *event) Clear() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return os.ErrClosed
	}
	if _, err := fired(e.fd); err != nil {
		return err
	}
	if e.unmask == nil {
		return nil
	}
	return e.unmask()
}

func (e *event) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	fd := e.fd
	e.fd = -1
	return unix.Close(fd)
}

// fired tells whether an eventfd was signalled since it was read last (eventfd(2)).
func fired(fd int) (bool, error) {
	var b [8]byte
	_, err := unix.Read(fd, b[:])
	if errors.Is(err, unix.EAGAIN) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read eventfd: %w", err)
	}
	return true, nil
}
