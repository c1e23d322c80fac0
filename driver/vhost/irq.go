//go:build linux

package vhost

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"glassnic/internal/wake"
)

// sleeper is how a receive queue wakes its worker: a set of events (epoll(7)), whose file descriptor stays the same
// while drivers come and go with events of their own.
type sleeper struct {
	set   int
	event *wake.Event // the session's, which tells of a ring that has begun
}

func newSleeper() (*sleeper, error) {
	set, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	s := &sleeper{set: set}
	if s.event, err = wake.New(); err == nil {
		err = s.control(unix.EPOLL_CTL_ADD, s.event)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *sleeper) control(op int, e *wake.Event) error {
	fd := e.FD()
	if err := unix.EpollCtl(s.set, op, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
		return fmt.Errorf("epoll_ctl: %w", err)
	}
	return nil
}

// watch replaces a driver's event by another; nil is none. One that cannot be waited for wakes nobody.
func (s *sleeper) watch(old, event *wake.Event) {
	if old != nil {
		_ = s.control(unix.EPOLL_CTL_DEL, old)
	}
	if event != nil {
		_ = s.control(unix.EPOLL_CTL_ADD, event)
	}
}

// nudge wakes the worker, if it sleeps, to look again.
func (s *sleeper) nudge() { _ = s.event.Signal() }

func (s *sleeper) close() error {
	if s == nil {
		return nil
	}
	var err error
	if s.event != nil {
		err = s.event.Close()
	}
	return errors.Join(err, unix.Close(s.set))
}

// WaitFD implements nic.Waiter.
func (q *rxQueue) WaitFD() int {
	if q.wake == nil {
		return -1
	}
	return q.wake.set
}

// Arm implements nic.Waiter. A barrier stands between the wish to be told and the last look (2.7.10.1, 2.8.22).
func (q *rxQueue) Arm() bool {
	r := q.own
	if q.wake == nil {
		return false
	}
	r.mu.Lock()
	defer r.leave()
	r.faults(true)
	if !r.live.Load() {
		return true // the session wakes the worker when there is a driver
	}
	if r.kick == nil {
		return false // the driver does not tell
	}
	r.ask(true)
	if r.waiting() {
		r.ask(false)
		return false
	}
	return true
}

// Disarm implements nic.Waiter.
func (q *rxQueue) Disarm() {
	r := q.own
	if q.wake == nil {
		return
	}
	r.mu.Lock()
	defer r.leave()
	r.faults(true)
	// What cannot be cleared wakes the worker once for nothing.
	_ = q.wake.event.Clear()
	if r.kick != nil {
		_ = r.kick.Clear()
	}
	if r.live.Load() {
		r.ask(false)
	}
}
