//go:build linux

package ladder

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// messages are buffers of 2,048 bytes, and what recvmmsg(2) and sendmmsg(2) want to know of each. What is exported here to
// the rest of the package is safe to call.
type messages struct {
	data [][]byte
	iovs []unix.Iovec
	msgs []mmsghdr
}

// mmsghdr is struct mmsghdr (recvmmsg(2)).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
	_   [4]byte
}

func newMessages(n int) *messages {
	m := &messages{data: make([][]byte, n), iovs: make([]unix.Iovec, n), msgs: make([]mmsghdr, n)}
	for i := range n {
		m.data[i] = make([]byte, 2048)
		m.iovs[i].Base = &m.data[i][0]
		m.msgs[i].hdr.Iov = &m.iovs[i]
		m.msgs[i].hdr.SetIovlen(1)
	}
	return m
}

// receive waits for a frame and takes those that are there; 0 where none came.
func (m *messages) receive(fd int) int {
	for i := range m.iovs {
		m.iovs[i].SetLen(len(m.data[i]))
	}
	n, _, errno := unix.Syscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs[0])), uintptr(len(m.msgs)), unix.MSG_WAITFORONE, 0, 0)
	if errno != 0 {
		return 0
	}
	for i := range int(n) {
		m.iovs[i].SetLen(int(m.msgs[i].len))
	}
	return int(n)
}

// send sends frames first to n-1 as they were received, and returns how many were taken.
func (m *messages) send(fd, first, n int) int {
	k, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(fd), uintptr(unsafe.Pointer(&m.msgs[first])), uintptr(n-first), 0, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(k)
}
