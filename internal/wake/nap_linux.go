package wake

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Nap is a sleep of milliseconds that the Go runtime does not hear of. Handing its processor on and taking it back,
// and waking its monitor for that, costs several times what the sleep does. Several threads may sleep at a time.
type Nap struct{ epoll int }

// NewNap makes a nap that an event ends, as long as that is open.
func NewNap(e *Event) (*Nap, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("nap: %w", err)
	}
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, e.FD(), &unix.EpollEvent{Events: unix.EPOLLIN}); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("nap: %w", err)
	}
	return &Nap{fd}, nil
}

// Sleep sleeps for d in whole milliseconds, at least one, or less where the event ends it. The runtime waits for the
// thread meanwhile when it stops all of them, as to collect garbage.
func (n *Nap) Sleep(d time.Duration) {
	for end := time.Now().Add(d); d > 0; d = time.Until(end) {
		ms := max(1, d.Milliseconds())
		// With nowhere to write an event to, epoll_pwait(2) ends with EFAULT when there is one, which is as good.
		if _, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(n.epoll), 0, 1, uintptr(ms), 0, 0); e != unix.EINTR {
			return
		}
	}
}

// Close closes the nap, in which nobody sleeps any more.
func (n *Nap) Close() error { return unix.Close(n.epoll) }
