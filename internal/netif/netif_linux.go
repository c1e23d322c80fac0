// Package netif asks the kernel about one of its network interfaces, through a socket that is opened once: also after
// privileges are dropped, and in the network namespace where it was opened.
package netif

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// ErrGone is returned where the interface has been removed, also where another one has its name.
var ErrGone = errors.New("the interface was removed")

// Interface is one of the kernel's. Its methods may be called concurrently.
type Interface struct {
	mu    sync.Mutex
	fd    int
	index int
	seq   uint32
	buf   []byte
}

// State is what the kernel says of an interface.
type State struct {
	Index   int
	Name    string
	Up      bool // by the administrator
	Running bool // and with a link
	MTU     int  // bytes, without Ethernet header
	MAC     net.HardwareAddr
	// What the kernel dropped of what it received there, and of what it wanted to send.
	RxDropped, TxDropped uint64
}

// Open looks an interface up by its name, in the network namespace of the calling thread.
func Open(name string) (*Interface, State, error) {
	if name == "" || len(name) >= unix.IFNAMSIZ {
		return nil, State{}, fmt.Errorf("an interface name has 1 to %d bytes", unix.IFNAMSIZ-1)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, State{}, os.NewSyscallError("socket", err)
	}
	i := &Interface{fd: fd, buf: make([]byte, 64<<10)}
	// The kernel answers within the call that asks.
	err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	var s State
	if err == nil {
		s, err = i.ask(0, name)
	}
	if errors.Is(err, ErrGone) {
		err = errors.New("there is no such interface")
	}
	if err != nil {
		return nil, s, errors.Join(err, unix.Close(fd))
	}
	i.index = s.Index
	return i, s, nil
}

// State asks for the state. The error is around ErrGone where the interface is not there any more.
func (i *Interface) State() (State, error) { return i.ask(i.index, "") }

// Close closes the socket.
func (i *Interface) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	fd := i.fd
	i.fd = -1
	return unix.Close(fd)
}

// Attributes of RTM_NEWLINK (linux/if_link.h) and fields of rtnl_link_stats64.
const (
	statsRxDropped = 6 * 8
	statsTxDropped = 7 * 8
)

// ask sends RTM_GETLINK (rtnetlink(7)) and reads the answer.
func (i *Interface) ask(index int, name string) (State, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.seq++
	ne := binary.NativeEndian
	msg := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	if name != "" {
		msg = attribute(msg, unix.IFLA_IFNAME, append([]byte(name), 0))
	}
	ne.PutUint32(msg[unix.SizeofNlMsghdr+4:], uint32(index))
	b, err := exchange(i.fd, unix.RTM_GETLINK, i.seq, msg, i.buf)
	if errors.Is(err, unix.ENODEV) {
		return State{}, ErrGone
	}
	if err != nil {
		return State{}, fmt.Errorf("RTM_GETLINK: %w", err)
	}
	return parse(b)
}

// exchange sends a message, of which it fills the header in (netlink(7)), and returns what the answer has behind its
// header. It lies in buf.
func exchange(fd int, kind uint16, seq uint32, msg, buf []byte) ([]byte, error) {
	ne := binary.NativeEndian
	ne.PutUint32(msg, uint32(len(msg)))
	ne.PutUint16(msg[4:], kind)
	ne.PutUint16(msg[6:], unix.NLM_F_REQUEST)
	ne.PutUint32(msg[8:], seq)
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, os.NewSyscallError("sendto", err)
	}
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, os.NewSyscallError("recvfrom", err)
		}
		b := buf[:n]
		if len(b) < unix.SizeofNlMsghdr || ne.Uint32(b[8:]) != seq {
			continue // an answer that came too late
		}
		if ne.Uint16(b[4:]) == unix.NLMSG_ERROR && len(b) >= unix.SizeofNlMsghdr+4 {
			return nil, unix.Errno(-int32(ne.Uint32(b[unix.SizeofNlMsghdr:])))
		}
		return b[unix.SizeofNlMsghdr:], nil
	}
}

// parse reads an RTM_NEWLINK.
func parse(b []byte) (s State, err error) {
	ne := binary.NativeEndian
	if len(b) < unix.SizeofIfInfomsg {
		return s, errors.New("RTM_NEWLINK: too short")
	}
	flags := ne.Uint32(b[8:])
	s.Index, s.Up, s.Running = int(int32(ne.Uint32(b[4:]))), flags&unix.IFF_UP != 0, flags&unix.IFF_RUNNING != 0
	for kind, v := range attributes(b[unix.SizeofIfInfomsg:]) {
		switch kind {
		case unix.IFLA_IFNAME:
			s.Name = unix.ByteSliceToString(v)
		case unix.IFLA_MTU:
			if len(v) >= 4 {
				s.MTU = int(ne.Uint32(v))
			}
		case unix.IFLA_ADDRESS:
			s.MAC = append(net.HardwareAddr(nil), v...)
		case unix.IFLA_STATS64:
			if len(v) >= statsTxDropped+8 {
				s.RxDropped, s.TxDropped = ne.Uint64(v[statsRxDropped:]), ne.Uint64(v[statsTxDropped:])
			}
		}
	}
	return s, nil
}

// attribute appends an attribute to a message.
func attribute(msg []byte, kind uint16, value []byte) []byte {
	ne := binary.NativeEndian
	msg = ne.AppendUint16(msg, uint16(4+len(value)))
	msg = append(ne.AppendUint16(msg, kind), value...)
	return append(msg, make([]byte, -len(value)&3)...)
}

// attributes goes through those of a message, up to one that makes no sense.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	ne := binary.NativeEndian
	return func(yield func(uint16, []byte) bool) {
		for len(b) >= 4 {
			n := int(ne.Uint16(b))
			if n < 4 || n > len(b) || !yield(ne.Uint16(b[2:]), b[4:n]) {
				return
			}
			b = b[min((n+3)&^3, len(b)):]
		}
	}
}
