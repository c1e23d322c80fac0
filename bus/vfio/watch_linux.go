package vfio

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus"
)

// watch hears what befalls the device.
type watch struct {
	mu    sync.Mutex
	fds   []int // eventfds, for the reasons in this order
	log   int   // the kernel's log; -1 where this user may not read it
	gone  error // what was heard of the end
	fault error // the first DMA that the IOMMU refused
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
	w.log = openLog()
}

// openLog opens the kernel's log behind its last line. Who has it open may read on after all privileges are gone.
func openLog() int {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1
	}
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		_ = unix.Close(fd)
		return -1
	}
	return fd
}

// logLines bounds how many lines of the kernel's log one look reads.
const logLines = 1024

// readLog looks for faults of a device in what the kernel has logged since: one line a read, and EPIPE where lines
// were lost (Linux, Documentation/ABI/testing/dev-kmsg).
func (w *watch) readLog(addr string) (text string) {
	b := make([]byte, 8192)
	for range logLines {
		n, err := unix.Read(w.log, b)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n == 0 {
			return text
		}
		line, _, _ := strings.Cut(string(b[:n]), "\n")
		if iova, kind, ok := faultLine(line, addr); ok && text == "" {
			text = faultText(kind, iova)
		}
	}
	return text
}

// Trouble implements bus.Watched.
func (f *function) Trouble() error {
	w := &f.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, fd := range w.fds {
		if w.gone != nil || fd < 0 {
			continue
		}
		if yes, err := fired(fd); err == nil && yes {
			w.gone = f.fail("trouble", fmt.Errorf("%s: %w", reasons[i].text, bus.ErrGone))
		}
	}
	if w.fault == nil && w.log >= 0 {
		if text := w.readLog(f.dev.Address); text != "" {
			w.fault = f.fail("trouble", fmt.Errorf("%w: %s", bus.ErrFault, text))
		}
	}
	if w.gone != nil {
		return w.gone
	}
	return w.fault
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
	if w.log >= 0 {
		_ = unix.Close(w.log)
		w.log = -1
	}
}
