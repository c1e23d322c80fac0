package vhostuser

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus"
)

// redial is how long a client waits before it tries again.
const redial = 100 * time.Millisecond

// Endpoint is a socket to which one connection after the other is made: it outlives the other end.
type Endpoint struct {
	path   string
	listen *net.UnixListener // nil: a client
	file   os.FileInfo       // of the listener's socket

	last time.Time // a client's last connection

	mu   sync.Mutex
	stop context.CancelFunc // of a client
	ctx  context.Context
}

// Listen makes the socket at a path, which must not exist, or be one that nobody listens on. Close removes it.
func Listen(path string) (*Endpoint, error) {
	addr := &net.UnixAddr{Name: path, Net: "unix"}
	l, err := net.ListenUnix("unix", addr)
	if errors.Is(err, unix.EADDRINUSE) {
		if err := stale(path); err != nil {
			return nil, err
		}
		l, err = net.ListenUnix("unix", addr)
	}
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false)
	e := &Endpoint{path: path, listen: l}
	e.file, _ = os.Lstat(path)
	return e, nil
}

// stale removes a socket that nobody listens on.
func stale(path string) error {
	if st, err := os.Lstat(path); err == nil && st.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is no socket: choose another path", path)
	}
	c, err := net.DialTimeout("unix", path, Timeout)
	if err == nil {
		_ = c.Close()
		return fmt.Errorf("%s: another process listens there: %w", path, bus.ErrInUse)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// Dial makes a client, which tries for as long as it has to.
func Dial(path string) *Endpoint {
	e := &Endpoint{path: path}
	e.ctx, e.stop = context.WithCancel(context.Background())
	return e
}

// Connect waits for the next connection: until somebody connects, or until somebody listens. Close ends it with an
// error around net.ErrClosed. It belongs to one goroutine.
func (e *Endpoint) Connect() (*Conn, error) {
	if e.listen != nil {
		for {
			c, err := e.listen.AcceptUnix()
			if err == nil {
				return NewConn(c), nil
			}
			// Without free file descriptors it gets better when others close theirs.
			if !errors.Is(err, unix.EMFILE) && !errors.Is(err, unix.ENFILE) && !errors.Is(err, unix.ECONNABORTED) {
				return nil, fmt.Errorf("accept: %w", err)
			}
			time.Sleep(redial)
		}
	}
	var d net.Dialer
	// Somebody who ends connections at once is not kept busy with them.
	select {
	case <-e.ctx.Done():
	case <-time.After(time.Until(e.last.Add(redial))):
	}
	for {
		c, err := d.DialContext(e.ctx, "unix", e.path)
		if err == nil {
			if u, ok := c.(*net.UnixConn); ok {
				e.last = time.Now()
				return NewConn(u), nil
			}
		}
		select {
		case <-e.ctx.Done():
			return nil, fmt.Errorf("connect: %w", net.ErrClosed)
		case <-time.After(redial):
		}
	}
}

// Close ends Connect for good, and removes the socket if Listen made it. Connections stay.
func (e *Endpoint) Close() error {
	if e.listen == nil {
		e.stop()
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	// Somebody may have put another socket there.
	if st, err := os.Lstat(e.path); err == nil && e.file != nil && os.SameFile(st, e.file) {
		_ = os.Remove(e.path)
	}
	e.file = nil
	return e.listen.Close()
}
