//go:build guest

package guest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/internal/traffic"
)

// idle leaves the processor to the kernel, which has the other ends of the wires.
const idle = "--idle-sleep=100us"

// kernelPort is a card as its kernel driver serves it: frames go in and out by packet(7).
type kernelPort struct{ fd int }

func newKernelPort(t *testing.T, c card) *kernelPort {
	t.Helper()
	name := netdev(t, c)
	// The kernel has nothing to say itself on such a wire.
	_ = os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0)
	command(t, "ip", "link", "set", "dev", name, "promisc", "on", "up")
	dev, err := net.InterfaceByName(name)
	if err != nil {
		t.Fatal(err)
	}
	const all = unix.ETH_P_ALL<<8&0xff00 | unix.ETH_P_ALL>>8 // in network order
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		unix.Close(fd)
		command(t, "ip", "link", "set", "dev", name, "promisc", "off", "down")
	})
	for _, err := range []error{
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: all, Ifindex: dev.Index}),
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20),
		unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 50_000}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	// What is sent before is lost.
	await(t, "the link of "+name, func() bool {
		up, err := os.ReadFile("/sys/class/net/" + name + "/carrier")
		return err == nil && up[0] == '1'
	})
	return &kernelPort{fd}
}

// drain throws away what has come so far.
func (p *kernelPort) drain() {
	for b := make([]byte, 2048); ; {
		if _, err := unix.Read(p.fd, b); err != nil {
			return
		}
	}
}

// kernelStream sends numbered frames from one port of the kernel to another without end, a few at a time.
type kernelStream struct {
	frames *traffic.Templates
	check  traffic.Checker // the receiver's until stop
	sent   atomic.Uint64
	seen   atomic.Uint64
	top    atomic.Uint64 // one above the highest number seen
	lost   atomic.Uint64
	end    atomic.Bool
	wait   sync.WaitGroup
}

func newKernelStream(t *testing.T, id uint16, from, to *kernelPort) *kernelStream {
	t.Helper()
	frames, err := traffic.New(traffic.Spec{Sizes: sizes, Stream: id, Seq: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &kernelStream{frames: frames}
	s.wait.Go(func() {
		b := make([]byte, 2048)
		for !s.end.Load() {
			n, err := unix.Read(to.fd, b)
			if err != nil || binary.BigEndian.Uint16(b[12:]) == unix.ETH_P_ARP {
				continue
			}
			s.check.Check(b[:n])
			s.seen.Add(1)
			sum := s.check.Totals()
			s.top.Store(sum.OK + sum.Reordered + sum.Lost)
			s.lost.Store(sum.Lost)
		}
	})
	s.wait.Go(func() {
		b := make([]byte, 2048)
		for !s.end.Load() {
			for range 16 {
				seq := s.sent.Load()
				// What the interface does not take now is not sent.
				if _, err := unix.Write(from.fd, b[:frames.Render(b, seq)]); err == nil {
					s.sent.Add(1)
				}
			}
			time.Sleep(2 * time.Millisecond) // both ends of the wire and the forwarder share a processor
		}
	})
	t.Cleanup(func() { s.stop() })
	return s
}

// goesOn waits until frames come that are sent from now on, with numbers up to n: older ones may still lie in the
// kernel's queues.
func (s *kernelStream) goesOn(t *testing.T, what string, n uint64) {
	t.Helper()
	sent := s.sent.Load()
	await(t, fmt.Sprintf("%d frames %s", n, what), func() bool { return s.top.Load() >= sent+n })
}

// some is a number of frames, never the same, after which something happens.
func some() uint64 { return 50 + rand.Uint64N(200) }

// stop ends the stream and returns what came.
func (s *kernelStream) stop() traffic.Totals {
	s.end.Store(true)
	s.wait.Wait()
	return s.check.Totals()
}
