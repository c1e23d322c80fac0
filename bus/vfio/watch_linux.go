package vfio

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus"
)

// watch hears what befalls the device.
type watch struct {
	mu   sync.Mutex
	fds  []int // eventfds, for the reasons in this order
	told error // what was heard
}

// reasons are the interrupts that tell of trouble.
var reasons = []struct {
	index uint32
	text  string
}{
	{irqError, "it reported an error that it does not recover from (PCI Express AER; the kernel's log has it)"},
	{irqRequest, "the kernel wants it back, to unbind or remove it: close it"},
}

// start asks the kernel to tell of trouble, as far as it can for the device.
func (w *watch) start(f *function) {
	for _, r := range reasons {
		fd := -1
		if n, err := f.irqCount(r.index); err == nil && n > 0 {
			if fd, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
				fd = -1
			} else if _, err := f.setIRQs(irqSet{Flags: irqFDs | irqTrigger, Index: r.index, Count: 1}, int32(fd)); err != nil {
				_ = unix.Close(fd)
				fd = -1
			}
		}
		w.fds = append(w.fds, fd)
	}
}

// Trouble implements bus.Watched.
func (f *function) Trouble() error {
	w := &f.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, fd := range w.fds {
		if w.told != nil || fd < 0 {
			continue
		}
		if yes, err := fired(fd); err == nil && yes {
			w.told = f.fail("trouble", fmt.Errorf("%s: %w", reasons[i].text, bus.ErrGone))
		}
	}
	return w.told
}

func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fd := range w.fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	w.fds = nil
}
