package vhostuser

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Hangup waits until the back-end has closed its end of the connection, which it reports, or until one of the file
// descriptors stop becomes readable. Requests may be made meanwhile.
func (f *Front) Hangup(stop ...int) (bool, error) {
	raw, err := f.conn.sock.SyscallConn()
	if err != nil {
		return false, fmt.Errorf("hangup: %w", err)
	}
	var fds []unix.PollFd
	var perr error
	if err := raw.Control(func(fd uintptr) {
		fds = []unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}
		for _, s := range stop {
			fds = append(fds, unix.PollFd{Fd: int32(s), Events: unix.POLLIN})
		}
		for {
			if _, perr = unix.Ppoll(fds, nil, nil); !errors.Is(perr, unix.EINTR) {
				return
			}
		}
	}); err != nil {
		return false, fmt.Errorf("hangup: %w", err)
	}
	if perr != nil {
		return false, fmt.Errorf("hangup: ppoll: %w", perr)
	}
	return fds[0].Revents != 0, nil
}

// Shut ends the connection both ways, so that the other end and Hangup see its end, and leaves it to Close.
func (f *Front) Shut() error {
	raw, err := f.conn.sock.SyscallConn()
	if err != nil {
		return err
	}
	var e error
	err = raw.Control(func(fd uintptr) { e = unix.Shutdown(int(fd), unix.SHUT_RDWR) })
	return errors.Join(err, e)
}
