package afxdp

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// socket is an AF_XDP socket, bound to a queue of an interface, with its rings.
type socket struct {
	fd                       int
	rx, tx, fill, completion ring
	zeroCopy                 bool
}

// plan is what the sockets of a port have in common.
type plan struct {
	index          int // of the interface
	rxRing, txRing int
	flags          uint16
	busy           int
	mem            []byte
}

// busyTime is how long a call polls at most, in microseconds; it looks once in any case, since sockets do not block.
const busyTime = 20

// open binds a socket to a queue. The first of a port registers its UMEM, the others share it.
func (s *socket) open(p plan, queue int, first *socket) (err error) {
	s.fd, err = unix.Socket(unix.AF_XDP, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	switch {
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("AF_XDP socket: %w: run as root, or give the program CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF", err)
	case errors.Is(err, unix.EAFNOSUPPORT):
		return fmt.Errorf("AF_XDP socket: %w: this kernel is built without CONFIG_XDP_SOCKETS: use packet:IFNAME instead", err)
	case err != nil:
		return fmt.Errorf("AF_XDP socket: %w", err)
	}
	if first == s {
		if err := register(s.fd, p.mem); errors.Is(err, unix.ENOBUFS) {
			return fmt.Errorf("XDP_UMEM_REG: %w: %d bytes may not be locked: raise RLIMIT_MEMLOCK, or run as root", err, len(p.mem))
		} else if err != nil {
			return fmt.Errorf("XDP_UMEM_REG: %w", err)
		}
	}
	if err := s.rings(p); err != nil {
		return err
	}
	if err := s.options(p); err != nil {
		return err
	}
	addr := &unix.SockaddrXDP{Flags: p.flags, Ifindex: uint32(p.index), QueueID: uint32(queue)}
	if first != s {
		addr.Flags, addr.SharedUmemFD = unix.XDP_SHARED_UMEM, uint32(first.fd)
	}
	if err := s.bind(addr); err != nil {
		return err
	}
	v, err := unix.GetsockoptInt(s.fd, unix.SOL_XDP, unix.XDP_OPTIONS)
	s.zeroCopy = v&unix.XDP_OPTIONS_ZEROCOPY != 0
	if err != nil {
		return fmt.Errorf("XDP_OPTIONS: %w", err)
	}
	return nil
}

// rings makes the rings; each socket has all four, as a queue whose UMEM is shared needs.
func (s *socket) rings(p plan) error {
	list := []struct {
		name          string
		opt, n, entry int
		page          int64
		ring          *ring
		off           func(*unix.XDPMmapOffsets) unix.XDPRingOffset
	}{
		{"XDP_UMEM_FILL_RING", unix.XDP_UMEM_FILL_RING, p.rxRing, 8, unix.XDP_UMEM_PGOFF_FILL_RING, &s.fill, func(o *unix.XDPMmapOffsets) unix.XDPRingOffset { return o.Fr }},
		{"XDP_UMEM_COMPLETION_RING", unix.XDP_UMEM_COMPLETION_RING, p.txRing, 8, unix.XDP_UMEM_PGOFF_COMPLETION_RING, &s.completion, func(o *unix.XDPMmapOffsets) unix.XDPRingOffset { return o.Cr }},
		{"XDP_RX_RING", unix.XDP_RX_RING, p.rxRing, 16, unix.XDP_PGOFF_RX_RING, &s.rx, func(o *unix.XDPMmapOffsets) unix.XDPRingOffset { return o.Rx }},
		{"XDP_TX_RING", unix.XDP_TX_RING, p.txRing, 16, unix.XDP_PGOFF_TX_RING, &s.tx, func(o *unix.XDPMmapOffsets) unix.XDPRingOffset { return o.Tx }},
	}
	for _, r := range list {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_XDP, r.opt, r.n); err != nil {
			return fmt.Errorf("%s of %d: %w", r.name, r.n, err)
		}
	}
	var off unix.XDPMmapOffsets
	if err := getsockopt(s.fd, unix.XDP_MMAP_OFFSETS, &off); err != nil {
		return fmt.Errorf("XDP_MMAP_OFFSETS: %w", err)
	}
	for _, r := range list {
		var err error
		if *r.ring, err = mapRing(s.fd, r.page, r.off(&off), r.n, r.entry); err != nil {
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	return nil
}

// options sets what makes a socket faster.
func (s *socket) options(p plan) error {
	// How much one call sends; since Linux 6.18.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_XDP, unix.XDP_MAX_TX_SKB_BUDGET, min(maxBatch, p.txRing))
	// Where the kernel copies, how many bytes may be on their way. It needs CAP_NET_ADMIN.
	_ = unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer)
	if p.busy == 0 {
		return nil
	}
	for _, o := range []struct {
		name       string
		opt, value int
	}{
		{"SO_PREFER_BUSY_POLL", unix.SO_PREFER_BUSY_POLL, 1}, {"SO_BUSY_POLL", unix.SO_BUSY_POLL, busyTime}, {"SO_BUSY_POLL_BUDGET", unix.SO_BUSY_POLL_BUDGET, p.busy},
	} {
		if err := unix.SetsockoptInt(s.fd, unix.SOL_SOCKET, o.opt, o.value); err != nil {
			return fmt.Errorf("%s: %w: leave busy-poll out, or use Linux 5.11 or newer", o.name, err)
		}
	}
	return nil
}

// release is how long the kernel may take to let go of a queue whose last socket has been closed, which it does a
// little later.
const release = 2 * time.Second

func (s *socket) bind(addr *unix.SockaddrXDP) error {
	for end := time.Now().Add(release); ; time.Sleep(time.Millisecond) {
		err := unix.Bind(s.fd, addr)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EBUSY) && time.Now().Before(end):
			continue
		case errors.Is(err, unix.EBUSY):
			return fmt.Errorf("bind to queue %d: %w: another program has an AF_XDP socket there", addr.QueueID, err)
		case errors.Is(err, unix.EINVAL) && addr.Flags&unix.XDP_USE_SG != 0:
			return fmt.Errorf("bind to queue %d: %w: frames in several buffers need Linux 6.6: choose a lower MTU", addr.QueueID, err)
		}
		return fmt.Errorf("bind to queue %d: %w", addr.QueueID, err)
	}
}

// close lets go of the queue. What the kernel has not sent is lost.
func (s *socket) close() error {
	errs := []error{s.rx.unmap(), s.tx.unmap(), s.fill.unmap(), s.completion.unmap()}
	if s.fd >= 0 {
		errs = append(errs, unix.Close(s.fd))
		s.fd = -1
	}
	return errors.Join(errs...)
}
