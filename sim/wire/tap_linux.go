package wire

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	tapDevice = "/dev/net/tun"
	// tapBuffer holds one Receive: 32 frames of 1514 bytes and more, and one of MaxFrame in any case.
	tapBuffer = 64 << 10
)

// Tap is a Linux TAP interface: what the kernel sends there arrives at the port, padded to 60 bytes as
// a MAC does, and what the port sends the kernel receives. Longer frames than MaxFrame
// are dropped and counted.
//
// When the kernel is short of memory or of room in the socket (EAGAIN, ENOBUFS, ENOMEM), Send takes
// fewer frames. Frames that it refuses are dropped and counted: with the wrong FCS, shorter than an
// Ethernet header (EINVAL), or while the interface is down (EIO). Once the interface has been deleted the
// link is down for good.
type Tap struct {
	counters
	fd   int
	name string
	gone atomic.Bool
	buf  []byte
}

// OpenTap opens the TAP interface with a name (1–15 bytes) in the network namespace of the calling
// thread, and makes one, which goes with Close, if there is none. Addresses, MTU and setting it up
// ("ip link set NAME up") are left to the caller. It needs CAP_NET_ADMIN or an interface made for the user.
func OpenTap(name string) (*Tap, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r\x00%") {
		return nil, fmt.Errorf("wire: tap %q: an interface name has 1 to 15 bytes, without spaces, '/', ':' and '%%'", name)
	}
	fd, err := unix.Open(tapDevice, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("wire: tap %s: open %s: %w%s", name, tapDevice, err, tapCure(name, err))
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("wire: tap %s: TUNSETIFF: %w%s", name, err, tapCure(name, err))
	}
	// An interface that stays may have been told that checksums and segmentation are not for it.
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("wire: tap %s: TUNSETOFFLOAD: %w", name, err)
	}
	return &Tap{fd: fd, name: name, buf: make([]byte, tapBuffer)}, nil
}

// NewTap takes over an open file descriptor of a TAP interface, made without IFF_VNET_HDR, and with
// IFF_NO_PI, which cannot be checked: in the kernel's answer that bit means that there is no filter
// (IFF_NOFILTER). Close closes the descriptor. After an error it is still the caller's.
func NewTap(fd int) (*Tap, error) {
	req, err := unix.NewIfreq("")
	if err == nil {
		err = unix.IoctlIfreq(fd, unix.TUNGETIFF, req)
	}
	if err != nil {
		return nil, fmt.Errorf("wire: tap: file descriptor %d: TUNGETIFF: %w: pass one of %s after TUNSETIFF", fd, err, tapDevice)
	}
	name, flags := req.Name(), req.Uint16()
	if flags&unix.IFF_TAP == 0 || flags&unix.IFF_VNET_HDR != 0 {
		return nil, fmt.Errorf("wire: tap %s: interface flags %#x: make it with IFF_TAP|IFF_NO_PI only", name, flags)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, fmt.Errorf("wire: tap %s: set non-blocking: %w", name, err)
	}
	return &Tap{fd: fd, name: name, buf: make([]byte, tapBuffer)}, nil
}

func tapCure(name string, err error) string {
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return ": run \"modprobe tun\" as root"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Sprintf(": run as root, or once \"ip tuntap add dev %s mode tap user $USER\" as root", name)
	case errors.Is(err, unix.EBUSY):
		return ": another program has it open"
	case errors.Is(err, unix.EINVAL):
		return ": the name belongs to an interface of another kind"
	}
	return ""
}

// Name returns the interface's name at the time it was opened.
func (t *Tap) Name() string { return t.name }

// Receive implements End. Each frame is one system call, and one more finds that there are no more.
func (t *Tap) Receive(frames []Frame) int {
	n, bytes, buf := 0, uint64(0), t.buf
	for n < len(frames) && len(buf) > MaxFrame {
		size, err := unix.Read(t.fd, buf[:MaxFrame+1])
		if err == unix.EINTR {
			continue
		}
		if err != nil || size <= 0 {
			t.check(err)
			break
		}
		if size > MaxFrame { // and perhaps cut by the kernel to what the buffer holds
			t.dropped.Add(1)
			continue
		}
		if size < MinFrame {
			clear(buf[size:MinFrame])
			size = MinFrame
		}
		frames[n] = Frame{Data: buf[:size:size]}
		n++
		bytes += uint64(size)
		buf = buf[min((size+63)&^63, len(buf)):]
	}
	if n > 0 {
		t.rx(n, bytes)
	}
	return n
}

// Send implements End.
func (t *Tap) Send(frames []Frame) int {
	var sent, bytes, dropped uint64
	for i := 0; i < len(frames); {
		f := &frames[i]
		if f.Bad || !sendable(f.Data) {
			dropped++
			i++
			continue
		}
		_, err := unix.Write(t.fd, f.Data)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM {
			break
		}
		i++
		if err != nil {
			t.check(err)
			dropped++
			continue
		}
		sent++
		bytes += uint64(len(f.Data))
	}
	if sent > 0 {
		t.tx(int(sent), bytes)
	}
	if dropped > 0 {
		t.dropped.Add(dropped)
	}
	return int(sent + dropped)
}

// check notices that the interface was deleted: its file then answers EBADFD.
func (t *Tap) check(err error) {
	if err == unix.EBADFD || err == unix.EBADF {
		t.gone.Store(true)
	}
}

// Up implements End: true until the interface is deleted or the Tap closed. It is safe for concurrent use.
func (t *Tap) Up() bool { return !t.gone.Load() }

// Close closes the file, with which an interface that is not persistent goes away.
func (t *Tap) Close() error {
	if t.fd < 0 {
		return nil
	}
	fd := t.fd
	t.fd = -1
	t.gone.Store(true)
	return unix.Close(fd)
}
