// Package wake is how one thread wakes another that sleeps in poll(2).
package wake

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Event is an eventfd(2), or a FIFO that processes share: readable from Signal on until Clear. Its methods may be
// called concurrently.
type Event struct {
	mu sync.Mutex
	fd int // -1 once closed
}

// New makes an event that was not signalled.
func New() (*Event, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	return &Event{fd: fd}, nil
}

// OpenFIFO opens a FIFO (fifo(7)) as an event: who signals it wakes who sleeps on it in another process.
func OpenFIFO(path string) (*Event, error) {
	// For reading and writing, so that it opens without another process and outlives it.
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT != unix.S_IFIFO {
		err = errors.New("it is no FIFO: remove it")
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Event{fd: fd}, nil
}

// Take makes an event of an eventfd or a pipe that another process handed over; fd belongs to the event, also where
// there is an error.
//
// O_NONBLOCK belongs to all who share the event (fcntl(2)), also to those who got one of New's: who clears it later, and
// fills the event, keeps Signal until somebody reads it; who clears it and empties the event keeps Clear until the next
// signal. An eventfd has no write that does without the flag: pwritev2(2) with RWF_NOWAIT fails with EOPNOTSUPP, and a look
// by poll(2) comes too early. So a partner that means harm can hold a worker up.
func Take(fd int) (*Event, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("event: %w", err)
	}
	return &Event{fd: fd}, nil
}

// FD returns the file descriptor, -1 once closed.
func (e *Event) FD() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.fd
}

// Signal makes the event readable. It does not block, but for what Take says of partners.
func (e *Event) Signal() error {
	// The kernel's own partners (vhost) never read an eventfd: it has to have room for all signals there ever are.
	var one [8]byte
	binary.NativeEndian.PutUint64(one[:], 1)
	return e.do(func(fd int) (int, error) { return unix.Write(fd, one[:]) })
}

// Clear makes the event unreadable. It does not block, but for what Take says of partners. A FIFO that was signalled more
// than 512 times stays readable.
func (e *Event) Clear() error {
	var b [4096]byte // all signals of a FIFO; an eventfd counts in 8 bytes
	return e.do(func(fd int) (int, error) { return unix.Read(fd, b[:]) })
}

// do makes a system call that fails with EAGAIN where the event is as it is to be already.
func (e *Event) do(call func(fd int) (int, error)) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return os.ErrClosed
	}
	if _, err := call(e.fd); err != nil && !errors.Is(err, unix.EAGAIN) {
		return fmt.Errorf("event: %w", err)
	}
	return nil
}

// Close closes the file descriptor, once nobody sleeps on it any more.
func (e *Event) Close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fd < 0 {
		return nil
	}
	fd := e.fd
	e.fd = -1
	return unix.Close(fd)
}

// Set is file descriptors that a thread sleeps on, such as those of events. It belongs to one goroutine.
type Set struct{ fds []unix.PollFd }

// Add puts a file descriptor in.
func (s *Set) Add(fd int) { s.fds = append(s.fds, unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}) }

// Sleep waits until one of the descriptors is readable, or broken, and for limit at most (ppoll(2)). It
// returns false when the limit was reached.
func (s *Set) Sleep(limit time.Duration) (bool, error) {
	for end := time.Now().Add(limit); ; {
		t := unix.NsecToTimespec(max(0, limit.Nanoseconds()))
		n, err := unix.Ppoll(s.fds, &t, nil)
		if err == nil {
			return n > 0, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return false, fmt.Errorf("ppoll: %w", err)
		}
		limit = time.Until(end)
	}
}
