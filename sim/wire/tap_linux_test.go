package wire

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/internal/netns"
)

// kernelSide is a packet socket on a TAP interface, and an ordinary one for ioctls.
type kernelSide struct {
	t       *testing.T
	fd, ctl int
	name    string
	index   int
}

func openKernelSide(t *testing.T, name string) *kernelSide {
	k := &kernelSide{t: t, name: name}
	var err error
	if k.ctl, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(k.ctl) })
	const proto = 0x88B5 // leaves out what the kernel sends on its own
	swapped := uint16(proto>>8 | proto&0xff<<8)
	if k.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(swapped)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(k.fd) })
	k.index = int(k.ioctl(unix.SIOCGIFINDEX, nil).Uint32())
	if err := unix.Bind(k.fd, &unix.SockaddrLinklayer{Protocol: swapped, Ifindex: k.index}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(k.fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5}); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *kernelSide) ioctl(request uint, set func(*unix.Ifreq)) *unix.Ifreq {
	req, err := unix.NewIfreq(k.name)
	if err == nil {
		if set != nil {
			set(req)
		}
		err = unix.IoctlIfreq(k.ctl, request, req)
	}
	if err != nil {
		k.t.Errorf("ioctl %#x on %s: %v", request, k.name, err)
	}
	return req
}

func (k *kernelSide) setUp(up bool) {
	flags := uint16(0)
	if up {
		flags = unix.IFF_UP
	}
	k.ioctl(unix.SIOCSIFFLAGS, func(r *unix.Ifreq) { r.SetUint16(flags) })
}

// remove deletes the interface (rtnetlink, RTM_DELLINK).
func (k *kernelSide) remove() {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		k.t.Error(err)
		return
	}
	defer unix.Close(fd)
	msg := make([]byte, unix.SizeofNlMsghdr+unix.SizeofIfInfomsg)
	ne := binary.NativeEndian
	ne.PutUint32(msg, uint32(len(msg)))
	ne.PutUint16(msg[4:], unix.RTM_DELLINK)
	ne.PutUint16(msg[6:], unix.NLM_F_REQUEST|unix.NLM_F_ACK)
	ne.PutUint32(msg[unix.SizeofNlMsghdr+4:], uint32(k.index))
	if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		k.t.Error(err)
		return
	}
	ack := make([]byte, 256)
	if n, _, err := unix.Recvfrom(fd, ack, 0); err != nil || n < 20 || ne.Uint32(ack[16:]) != 0 {
		k.t.Errorf("delete %s: %v % x", k.name, err, ack[:max(n, 0)])
	}
}

// testFrame returns a frame for any receiver that the kernel does nothing with.
func testFrame(n int, fill byte) []byte {
	f := bytes.Repeat([]byte{fill}, n)
	copy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5")
	return f
}

// arrivals receives until want test frames have come, leaving out the kernel's own.
func arrivals(t *testing.T, e End, want int) (got []Frame) {
	for deadline := time.Now().Add(5 * time.Second); len(got) < want && time.Now().Before(deadline); {
		for _, f := range take(e, 100) {
			if f.Data[12] == 0x88 && f.Data[13] == 0xB5 {
				got = append(got, f)
			}
		}
	}
	if len(got) != want {
		t.Errorf("%d frames arrived, want %d", len(got), want)
	}
	return got
}

func TestTap(t *testing.T) {
	netns.Run(t, func() {
		tap, err := OpenTap("wiretap0")
		if err != nil {
			t.Error(err)
			return
		}
		defer tap.Close()
		k := openKernelSide(t, tap.Name())
		testTapDown(t, tap)
		k.ioctl(unix.SIOCSIFMTU, func(r *unix.Ifreq) { r.SetUint32(9710) })
		k.setUp(true)
		unix.GetsockoptInt(k.fd, unix.SOL_SOCKET, unix.SO_ERROR) // says once that the interface was down
		testTapReceive(t, tap, k)
		testTapSend(t, tap, k)
		if !tap.Up() {
			t.Error("down")
		}
		k.remove()
		tap.Receive(make([]Frame, 1))
		if tap.Up() {
			t.Error("up although the interface was deleted")
		}
		before := tap.Stats()
		if n := tap.Send([]Frame{{Data: testFrame(60, 1)}}); n != 1 || tap.Stats().Dropped != before.Dropped+1 {
			t.Errorf("%d taken, %+v", n, tap.Stats())
		}
	})
}

func testTapDown(t *testing.T, tap *Tap) {
	if n := tap.Send([]Frame{{Data: testFrame(60, 1)}, {Data: testFrame(60, 2)}}); n != 2 {
		t.Errorf("%d frames taken by an interface that is down", n)
	}
	wantStats(t, tap, Stats{Dropped: 2})
	if !tap.Up() {
		t.Error("the link must come back with the interface")
	}
}

func testTapReceive(t *testing.T, tap *Tap, k *kernelSide) {
	// More than one buffer, and one batch, holds.
	for i := range 100 {
		if _, err := unix.Write(k.fd, testFrame(9724, byte(i))); err != nil {
			t.Error(err)
		}
	}
	for i, f := range arrivals(t, tap, 100) {
		if len(f.Data) != 9724 || f.Data[9723] != byte(i) {
			t.Errorf("frame %d is not the one sent", i)
		}
	}
	// Into memory that held other frames.
	sizes := []int{14, 59, 60, 1514, 9724}
	for i, n := range sizes {
		if _, err := unix.Write(k.fd, testFrame(n, byte(i+1))); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for i, f := range arrivals(t, tap, len(sizes)) {
		want := testFrame(sizes[i], byte(i+1))
		if short := MinFrame - len(want); short > 0 {
			want = append(want, make([]byte, short)...)
		}
		if !bytes.Equal(f.Data, want) {
			t.Errorf("frame %d, of %d bytes: %d others arrived", i, sizes[i], len(f.Data))
		}
	}
}

func testTapSend(t *testing.T, tap *Tap, k *kernelSide) {
	before := tap.Stats()
	frames := []Frame{
		{Data: testFrame(60, 1)}, {Data: testFrame(60, 2), Bad: true}, {Data: testFrame(9724, 3)}, {Data: []byte("short")}, {}, {Data: testFrame(1514, 4)},
		{Data: testFrame(MaxFrame+1, 5)},
	}
	if n := tap.Send(frames); n != len(frames) {
		t.Errorf("%d frames taken of %d", n, len(frames))
	}
	s := tap.Stats()
	if s.TxFrames-before.TxFrames != 3 || s.TxBytes-before.TxBytes != 60+9724+1514 || s.Dropped-before.Dropped != 4 {
		t.Errorf("%+v after %+v", s, before)
	}
	buf := make([]byte, MaxFrame)
	for _, i := range []int{0, 2, 5} {
		n, _, err := unix.Recvfrom(k.fd, buf, 0)
		if err != nil || !bytes.Equal(buf[:n], frames[i].Data) {
			t.Errorf("frame %d: %d bytes, %v", i, n, err)
		}
	}
}

func TestTapByDescriptor(t *testing.T) {
	netns.Run(t, func() {
		open := func(flags uint16) int {
			fd, err := unix.Open(tapDevice, unix.O_RDWR|unix.O_CLOEXEC, 0)
			if err != nil {
				t.Error(err)
			}
			req, _ := unix.NewIfreq("wiretap%d")
			req.SetUint16(flags)
			if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, req); err != nil {
				t.Error(err)
			}
			return fd
		}
		tap, err := NewTap(open(unix.IFF_TAP | unix.IFF_NO_PI))
		if err != nil {
			t.Error(err)
			return
		}
		if tap.Name() != "wiretap0" || tap.Receive(make([]Frame, 4)) != 0 { // which would block
			t.Error(tap.Name())
		}
		if _, err := OpenTap("wiretap0"); err == nil || !strings.Contains(err.Error(), "another program") {
			t.Error(err)
		}
		for range 2 {
			if err := tap.Close(); err != nil || tap.Up() || tap.Receive(make([]Frame, 4)) != 0 {
				t.Error("closed:", err)
			}
		}
		for _, flags := range []uint16{unix.IFF_TUN | unix.IFF_NO_PI, unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR} {
			fd := open(flags)
			if _, err := NewTap(fd); err == nil || !strings.Contains(err.Error(), "IFF_TAP|IFF_NO_PI only") {
				t.Errorf("flags %#x: %v", flags, err)
			}
			unix.Close(fd)
		}
		if _, err := OpenTap("lo"); err == nil || !strings.Contains(err.Error(), "another kind") {
			t.Error(err)
		}
	})
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := NewTap(int(null.Fd())); err == nil || !strings.Contains(err.Error(), "TUNGETIFF") {
		t.Error(err)
	}
}

// A full socket stands in for a kernel short of memory, which cannot be had at will.
func TestTapBackPressure(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	tap := &Tap{fd: pair[0], buf: make([]byte, tapBuffer)}
	defer tap.Close()
	far := &Tap{fd: pair[1], buf: make([]byte, tapBuffer)}
	defer far.Close()
	frames := make([]Frame, 10_000)
	for i := range frames {
		frames[i] = frameOf(60, byte(i))
	}
	n := tap.Send(frames)
	if n == 0 || n == len(frames) || tap.Send(frames[n:]) != 0 {
		t.Fatalf("%d frames taken", n)
	}
	wantStats(t, tap, Stats{TxFrames: uint64(n), TxBytes: 60 * uint64(n)})
	if got := take(far, len(frames)); len(got) != n || got[n-1].Data[0] != byte(n-1) {
		t.Errorf("%d frames arrived", len(got))
	}
	if k := tap.Send(frames[n:]); k == 0 {
		t.Error("nothing taken although there is room again")
	}
	// Longer than a wire takes: dropped, and the next one arrives.
	take(far, len(frames))
	if _, err := unix.Write(pair[0], make([]byte, MaxFrame+1)); err != nil {
		t.Fatal(err)
	}
	tap.Send(frames[:1])
	if got := take(far, 10); len(got) != 1 || far.Stats().Dropped != 1 {
		t.Errorf("%d frames, %+v", len(got), far.Stats())
	}
}
