package vhostuser

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Timeout is how long the other end may take for an answer, for the rest of a message that has begun, and to take
// one.
const Timeout = 5 * time.Second

// Conn is a connection between the two ends. One goroutine may receive while others send. Close ends what waits.
type Conn struct {
	sock *net.UnixConn
	send sync.Mutex
	oob  []byte // for the receiver
}

// NewConn makes a connection of a stream socket, which belongs to it.
func NewConn(sock *net.UnixConn) *Conn {
	return &Conn{sock: sock, oob: make([]byte, unix.CmsgSpace(4*MaxFDs))}
}

// Close closes the connection.
func (c *Conn) Close() error { return c.sock.Close() }

// Send sends a message with its file descriptors, which stay the caller's. It fails where the other end does not
// take it within Timeout; the connection is of no use then.
func (c *Conn) Send(m *Message) error {
	if len(m.Payload) > MaxPayload || len(m.FDs) > MaxFDs {
		return fmt.Errorf("send %v: %d bytes and %d file descriptors, want %d and %d at most", m.Request, len(m.Payload), len(m.FDs), MaxPayload, MaxFDs)
	}
	b := append(m.appendHeader(make([]byte, 0, HeaderSize+len(m.Payload))), m.Payload...)
	var oob []byte
	if len(m.FDs) > 0 {
		oob = unix.UnixRights(m.FDs...)
	}
	c.send.Lock()
	defer c.send.Unlock()
	if err := c.sock.SetWriteDeadline(time.Now().Add(Timeout)); err != nil {
		return fmt.Errorf("send %v: %w", m.Request, err)
	}
	// File descriptors go with the first byte, and once only.
	n, _, err := c.sock.WriteMsgUnix(b, oob, nil)
	if err == nil && n < len(b) {
		_, err = c.sock.Write(b[n:])
	}
	if err != nil {
		return fmt.Errorf("send %v: %w", m.Request, err)
	}
	return nil
}

// Receive waits for a message: for ever where limit is 0. At the end of the connection the error wraps io.EOF. After
// an error the connection is of no use.
func (c *Conn) Receive(limit time.Duration) (*Message, error) {
	deadline := time.Time{}
	if limit > 0 {
		deadline = time.Now().Add(limit)
	}
	var fds []int
	m, err := c.receive(deadline, &fds)
	if err != nil {
		closeAll(fds)
		return nil, fmt.Errorf("receive: %w", err)
	}
	m.FDs = fds
	return m, nil
}

func (c *Conn) receive(deadline time.Time, fds *[]int) (*Message, error) {
	var header [HeaderSize]byte
	if err := c.fill(header[:], deadline, fds); err != nil {
		return nil, err
	}
	m, size, err := parseHeader(header[:])
	if err != nil {
		return nil, err
	}
	m.Payload = make([]byte, size)
	if err := c.fill(m.Payload, time.Now().Add(Timeout), fds); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, fmt.Errorf("%v: %w", m.Request, err)
	}
	return m, nil
}

// fill reads until b is full. File descriptors may come with any byte.
func (c *Conn) fill(b []byte, deadline time.Time, fds *[]int) error {
	if err := c.sock.SetReadDeadline(deadline); err != nil {
		return err
	}
	for got := 0; got < len(b); {
		n, oobn, flags, _, err := c.sock.ReadMsgUnix(b[got:], c.oob)
		more, perr := parseRights(c.oob[:oobn])
		*fds = append(*fds, more...)
		switch {
		case errors.Is(err, io.EOF) && got > 0:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case perr != nil:
			return perr
		case flags&unix.MSG_CTRUNC != 0, len(*fds) > MaxFDs:
			return fmt.Errorf("more than %d file descriptors in a message, or no more can be opened: raise RLIMIT_NOFILE", MaxFDs)
		}
		if got == 0 {
			// Whoever begins a message sends the rest.
			if err := c.sock.SetReadDeadline(time.Now().Add(Timeout)); err != nil {
				return err
			}
		}
		got += n
	}
	return nil
}

// parseRights returns the file descriptors of control messages, also where there is an error.
func parseRights(oob []byte) (fds []int, err error) {
	if len(oob) == 0 {
		return nil, nil
	}
	all, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("control message: %w", err)
	}
	for i := range all {
		if all[i].Header.Level != unix.SOL_SOCKET || all[i].Header.Type != unix.SCM_RIGHTS {
			continue
		}
		more, e := unix.ParseUnixRights(&all[i])
		fds = append(fds, more...)
		err = errors.Join(err, e)
	}
	return fds, err
}

func closeAll(fds []int) {
	for _, fd := range fds {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
}

// Take returns file descriptor i, which is the caller's from then on; -1 where there is none or it was taken.
func (m *Message) Take(i int) int {
	if i < 0 || i >= len(m.FDs) {
		return -1
	}
	fd := m.FDs[i]
	m.FDs[i] = -1
	return fd
}

// Close closes the file descriptors that nobody took.
func (m *Message) Close() {
	closeAll(m.FDs)
	m.FDs = slices.DeleteFunc(m.FDs, func(int) bool { return true })
}
