package afpacket

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/internal/netns"
	"glassnic/nic"
	"glassnic/packet"
)

func open(t *testing.T, name string, cfg nic.Config) *Device {
	dev, err := nic.Open(t.Context(), "packet:"+name, cfg)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return dev.(*Device)
}

func closeAll(t *testing.T, ports ...nic.Device) {
	if err := nic.CloseAll(ports...); err != nil {
		t.Error(err)
	}
}

// send sends frames, each in buffers of at most some bytes.
func send(t *testing.T, d *Device, part int, frames ...[]byte) {
	for _, f := range frames {
		var first, last *packet.Buf
		for len(f) > 0 {
			var b [1]*packet.Buf
			if d.Info().Pool.Alloc(b[:]) == 0 {
				t.Error("no buffer")
				return
			}
			k := min(len(f), part)
			b[0].SetBytes(f[:k])
			if f = f[k:]; first == nil {
				first = b[0]
			} else {
				last.SetNext(b[0])
			}
			last = b[0]
		}
		if n := d.TxQueue(0).Send([]*packet.Buf{first}); n != 1 {
			t.Errorf("%d taken", n)
		}
	}
}

// receive waits for frames.
func receive(t *testing.T, d *Device, n int) (all [][]byte) {
	batch := make([]*packet.Buf, 7)
	for end := time.Now().Add(20 * time.Second); len(all) < n; {
		k := d.RxQueue(0).Receive(batch)
		for _, b := range batch[:k] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(batch[:k])
		if k == 0 && time.Now().After(end) {
			t.Errorf("%d frames of %d", len(all), n)
			return all
		}
	}
	return all
}

func testFrame(size int, typ string) []byte {
	f := bytes.Repeat([]byte{byte(size)}, size)
	copy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01"+typ)
	return f
}

// TestFrames: frames of all sizes and kinds come over as they were sent; tags are in them.
func TestFrames(t *testing.T) {
	netns.RunPair(t, 9000, 1, func() {
		cfg := nic.Config{MTU: 9000}
		a, b := open(t, "left", cfg), open(t, "right", cfg)
		defer closeAll(t, a, b)
		var sent [][]byte
		for _, size := range []int{14, 60, 1514, 2048, 2049, 9014} {
			sent = append(sent, testFrame(size, "\x88\xb5"))
		}
		sent = append(sent, testFrame(100, "\x81\x00\x20\x05\x88\xb5"), testFrame(9014, "\x88\xa8\x00\x07\x81\x00\x00\x05\x88\xb5"))
		for _, part := range []int{2048, 1000} {
			send(t, a, part, sent...)
			for i, got := range receive(t, b, len(sent)) {
				if !bytes.Equal(got, sent[i]) {
					t.Errorf("frame %d: %d bytes, want %d: % x", i, len(got), len(sent[i]), got[:20])
				}
			}
		}
		send(t, a, 2048, testFrame(9030, "\x88\xb5"), testFrame(13, "\x88"), testFrame(60, "\x88\xb5"))
		if got := receive(t, b, 1); !bytes.Equal(got[0], testFrame(60, "\x88\xb5")) {
			t.Errorf("% x", got[0])
		}
		if s, _ := a.Stats(); s.TxDropped != 2 || s.TxPackets != uint64(2*len(sent)+1) || s.RxPackets != 0 {
			t.Errorf("%+v", s)
		}
		if s, _ := b.Stats(); s.RxPackets != uint64(2*len(sent)+1) || s.RxMissed+s.RxErrors+s.RxDropped != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// TestMissed: what does not fit the ring is counted, and frames that are too long for the port.
func TestMissed(t *testing.T) {
	netns.RunPair(t, 9000, 1, func() {
		a, b := open(t, "left", nic.Config{MTU: 9000}), open(t, "right", nic.Config{})
		defer closeAll(t, a, b)
		const n = 4000
		long := testFrame(9014, "\x88\xb5")
		for i := range n {
			send(t, a, 2048, long)
			if i%100 == 0 {
				a.TxQueue(0).Send(nil)
			}
		}
		send(t, a, 2048, testFrame(60, "\x88\xb5"))
		for end := time.Now().Add(20 * time.Second); ; {
			batch := make([]*packet.Buf, 8)
			packet.Free(batch[:b.RxQueue(0).Receive(batch)])
			s, _ := b.Stats()
			if s.RxErrors+s.RxMissed+s.RxPackets == n+1 && s.RxErrors > 0 && s.RxMissed > 0 {
				break
			}
			if time.Now().After(end) {
				t.Errorf("%d sent: %+v", n+1, s)
				break
			}
		}
	})
}

func TestAllocations(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a, b := open(t, "left", nic.Config{}), open(t, "right", nic.Config{})
		defer closeAll(t, a, b)
		out, in := make([]*packet.Buf, 32), make([]*packet.Buf, 64)
		cache := a.Info().Pool.NewCache()
		defer cache.Flush()
		a.tx[0].UseCache(cache)
		defer a.tx[0].UseCache(nil)
		back := b.Info().Pool.NewCache()
		defer back.Flush()
		data := testFrame(200, "\x88\xb5")
		got := 0
		n := testing.AllocsPerRun(200, func() {
			k := cache.Fill(out)
			for _, p := range out[:k] {
				p.SetBytes(data)
			}
			a.tx[0].Send(out[:k])
			m := b.rx[0].Receive(in)
			got += m
			back.Put(in[:m])
		})
		if n != 0 || got == 0 {
			t.Errorf("%v allocations for a batch, %d frames received", n, got)
		}
	})
}

func TestRefused(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		for _, c := range []struct{ name, want string }{
			{"nothing", "no such interface"}, {"", "1 to 15 bytes"}, {"much-too-long-a-name", "1 to 15 bytes"},
		} {
			dev, err := nic.Open(t.Context(), "packet:"+c.name, nic.Config{})
			if dev != nil || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: %v", c.name, err)
			}
		}
	})
}

// poll waits until a socket is readable.
func poll(fd int) error {
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 20_000)
	return err
}

// TestTimestamps: frames carry the time at which the kernel got them, between their sending and that at which they were
// seen to be there; without being asked for, none.
func TestTimestamps(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		cfg := nic.Config{Interrupts: true}
		a, plain := open(t, "left", cfg), open(t, "right", cfg)
		cfg.Offloads = nic.Timestamps
		b := open(t, "right", cfg)
		defer closeAll(t, a, b, plain)
		if plain.Info().Offloads != 0 || b.Info().Offloads != nic.Timestamps {
			t.Errorf("offloads %v and %v", plain.Info().Offloads, b.Info().Offloads)
		}
		batch, last := make([]*packet.Buf, 7), int64(0)
		for i := range 5 {
			sent := time.Now().UnixNano()
			send(t, a, 2048, testFrame(60+i, "\x88\xb5"))
			for unix.EINTR == poll(b.rx[0].WaitFD()) {
			}
			there := time.Now().UnixNano()
			n := b.RxQueue(0).Receive(batch)
			if n != 1 {
				t.Errorf("%d frames", n)
				return
			}
			at, ok := batch[0].Timestamp()
			if !ok || at < sent || at > there || at <= last {
				t.Errorf("sent at %d, there at %d, stamped %v %d, the one before %d", sent, there, ok, at, last)
			}
			last = at
			packet.Free(batch[:n])
		}
		for got, end := 0, time.Now().Add(20*time.Second); got < 5 && time.Now().Before(end); {
			n := plain.RxQueue(0).Receive(batch)
			for _, p := range batch[:n] {
				if at, ok := p.Timestamp(); ok {
					t.Errorf("stamped %d without being asked to", at)
				}
			}
			packet.Free(batch[:n])
			got += n
		}
	})
}

// TestStampedOnce: frames have the time at which the kernel's stack got them, and not those at which it put them into the
// rings of each port, which differ.
func TestStampedOnce(t *testing.T) {
	netns.RunPair(t, 1500, 1, func() {
		a := open(t, "left", nic.Config{})
		ports := []nic.Device{a}
		defer func() { closeAll(t, ports...) }()
		var rings []*Device
		for range 3 {
			b := open(t, "right", nic.Config{Offloads: nic.Timestamps})
			ports, rings = append(ports, b), append(rings, b)
			// Linux 6.18 takes what the stack stamped also without; older kernels do not.
			if v, err := unix.GetsockoptInt(b.rx[0].fd, unix.SOL_PACKET, unix.PACKET_TIMESTAMP); err != nil || v != unix.SOF_TIMESTAMPING_SOFTWARE {
				t.Errorf("PACKET_TIMESTAMP %d, %v", v, err)
			}
		}
		// The kernel begins to stamp some time after it was asked to.
		alike := 0
		for end := time.Now().Add(20 * time.Second); alike < 100; {
			send(t, a, 2048, testFrame(60, "\x88\xb5"))
			var at []int64
			for _, b := range rings {
				at = append(at, stampOf(t, b))
			}
			switch {
			case at[0] == at[1] && at[1] == at[2]:
				alike++
			case alike > 0:
				t.Errorf("stamped %d, after %d frames with one time", at, alike)
				return
			case time.Now().After(end):
				t.Errorf("stamped %d", at)
				return
			}
		}
	})
}

// stampOf waits for one frame and returns its time.
func stampOf(t *testing.T, d *Device) int64 {
	var b [1]*packet.Buf
	for end := time.Now().Add(20 * time.Second); d.RxQueue(0).Receive(b[:]) == 0; {
		if time.Now().After(end) {
			t.Error("no frame")
			runtime.Goexit()
		}
	}
	defer packet.Free(b[:])
	at, ok := b[0].Timestamp()
	if !ok {
		t.Error("no time")
	}
	return at
}
