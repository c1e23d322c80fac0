//go:build linux

package vhost

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

// A ring that was stopped says where it stands, and goes on there.
func TestStopAndGo(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f, 1)
		r := g.rings[1]
		g.frame(0, 60)
		for n := range 2*ringSize + 3 {
			r.offer(part{data(0), 72, false})
			receive(t, d.RxQueue(0), 1)
			want := uint32(n + 1)
			if r.packed {
				want = uint32(n+1) % ringSize
				if r.wrap {
					want |= 1 << 15
				}
				want |= want << 16
			}
			base, err := g.front.VringBase(1)
			if err != nil || base != want {
				t.Fatalf("after %d buffers it stands at %#x, %v; want %#x", n+1, base, err, want)
			}
			r.offer(part{data(0), 72, false})
			receive(t, d.RxQueue(0), 0)
			if n%2 == 0 {
				g.must(g.front.SetVringBase(1, base))
			}
			g.must(g.front.SetVringKick(1, r.kick))
			receive(t, d.RxQueue(0), 1)
			r.offer(part{data(0), 72, false})
			g.must(g.front.SetVringEnable(1, false))
			receive(t, d.RxQueue(0), 0)
			g.must(g.front.SetVringEnable(1, true))
			if s, _ := d.Stats(); s.RxMissed != uint64(n+1) || s.RxPackets != uint64(2*n+2) {
				t.Fatalf("the frame that came while the ring was disabled is not counted: %+v", s)
			}
			// Back to one buffer a round.
			for range 3 {
				if _, ok := r.comesBack(1); !ok {
					t.Fatal("a buffer did not come back")
				}
			}
			if _, err = g.front.VringBase(1); err != nil {
				t.Fatal(err)
			}
			r.rewind(2)
			g.must(g.front.SetVringBase(1, want))
			g.must(g.front.SetVringKick(1, r.kick))
		}
	})
}

// rewind takes back the last buffers of one descriptor each, which the device has used and will forget.
func (r *guestRing) rewind(n int) {
	for range n {
		if !r.packed {
			r.avail--
			r.used--
			r.next = (r.next + ringSize - 1) % ringSize
			continue
		}
		if r.next--; r.next < 0 {
			r.next, r.wrap = ringSize-1, !r.wrap
		}
		binary.LittleEndian.PutUint64(r.desc(r.next)[8:], usedBits(!r.wrap))
		if r.back--; r.back < 0 {
			r.back, r.lap = ringSize-1, !r.lap
		}
	}
	if !r.packed {
		base := r.g.mem[r.base:]
		base[4096+2], base[4096+3] = byte(r.avail), byte(r.avail>>8)
		base[8192+2], base[8192+3] = byte(r.used), byte(r.used>>8)
	}
}

// A packed ring goes on where it stands, whatever its base, also with chains, and with buffers that nobody has used yet.
func TestKilledPacked(t *testing.T) {
	d, path := newPort(t, nic.Config{})
	g := connect(t, path, plainFeatures|chip.RingPacked, 1)
	r := g.rings[1]
	g.frame(0, 60)
	chain := []part{{data(0), 30, false}, {data(0) + 30, 30, false}, {data(0) + 60, 12, false}}
	var waiting []int // descriptors of buffers that the device has not used
	for n := range 40 * ringSize {
		parts := 1 + n%3%2*2 // one or three
		if free := ringSize - descriptors(waiting); parts <= free {
			if parts == 1 {
				r.offer(part{data(0), 72, false})
			} else {
				r.offer(chain...)
			}
			waiting = append(waiting, parts)
		}
		for use := min(len(waiting), n%7); use > 0; use-- {
			batch := make([]*packet.Buf, 1)
			if d.RxQueue(0).Receive(batch) != 1 || batch[0].TotalLen() != 60 {
				t.Fatalf("round %d: no frame", n)
			}
			packet.Free(batch)
			if _, ok := r.comesBack(waiting[0]); !ok {
				t.Fatalf("round %d: no buffer comes back", n)
			}
			waiting = waiting[1:]
		}
		if _, err := g.front.VringBase(1); err != nil {
			t.Fatal(err)
		}
		g.must(g.front.SetVringBase(1, 1<<15|1<<31))
		g.must(g.front.SetVringKick(1, r.kick))
		if d.rings[1].next != uint16(r.back) || d.rings[1].wrap != r.lap {
			t.Fatalf("round %d: it goes on at descriptor %d, lap %v; want %d, %v", n, d.rings[1].next, d.rings[1].wrap, r.back, r.lap)
		}
	}
	if err := d.Trouble(); err != nil {
		t.Error(err)
	}
}

// A packed ring goes on though this end was killed when it had given back the last buffers of several, and not the first.
func TestKilledWithin(t *testing.T) {
	for at := range ringSize {
		for _, more := range []int{0, 1, 3} { // buffers that it had not come to
			for open := 1; at+open < ringSize; open++ {
				for done := 1; at+open+done <= ringSize && at+open+done+more <= at+ringSize; done++ {
					d := &Device{path: "test"}
					r := newRing(d, 1)
					mem, le := make([]byte, chip.DescSize*ringSize), binary.LittleEndian
					r.size, r.packed = ringSize, true
					r.view = newView(mem, make([]byte, 4), make([]byte, 4))
					set := func(n int, flags func(wrap bool) uint64) {
						le.PutUint64(mem[n%ringSize*chip.DescSize+8:], flags(n < ringSize)|uint64(n%ringSize)<<chip.PackedIDShift)
					}
					given := func(wrap bool) uint64 {
						if wrap {
							return uint64(chip.DescAvail) << chip.PackedFlagsShift
						}
						return uint64(chip.DescUsed) << chip.PackedFlagsShift
					}
					for n := range at {
						set(n, usedBits)
					}
					for n := range open {
						set(at+n, given)
					}
					for n := range done {
						set(at+open+n, usedBits)
					}
					for n := range more {
						set(at+open+done+n, given)
					}
					next, wrap, ok := r.stands()
					want := at + open + done
					if !ok || int(next) != want%ringSize || wrap != (want < ringSize) {
						t.Fatalf("%d before, %d available, %d used, %d available: it stands at %d, %v, %v; want %d", at, open, done, more, next, wrap, ok, want)
					}
					for n := range open {
						if d := le.Uint64(mem[(at+n)*chip.DescSize+8:]); d != usedBits(true)|uint64(at+n)<<chip.PackedIDShift {
							t.Fatalf("descriptor %d is %#x", at+n, d)
						}
					}
				}
			}
		}
	}
}

// descriptors is how many descriptors some buffers have.
func descriptors(buffers []int) (n int) {
	for _, b := range buffers {
		n += b
	}
	return n
}

// Descriptors that do not fit together say nothing: the base counts.
func TestBaseCounts(t *testing.T) {
	d, path := newPort(t, nic.Config{})
	g := connect(t, path, plainFeatures|chip.RingPacked, 1)
	r := g.rings[1]
	if _, err := g.front.VringBase(1); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint64(r.desc(3)[8:], usedBits(true))
	binary.LittleEndian.PutUint64(r.desc(7)[8:], usedBits(true))
	g.must(g.front.SetVringBase(1, 5|1<<15|5<<16|1<<31))
	g.must(g.front.SetVringKick(1, r.kick))
	if at := d.rings[1].next; at != 5 || !d.rings[1].wrap {
		t.Errorf("it begins at descriptor %d, want 5", at)
	}
}

// Rings that cannot be are refused, and say why.
func TestImpossibleRings(t *testing.T) {
	for name, c := range map[string]struct {
		features chip.Features
		act      func(*guest)
		want     string
	}{
		"size":        {plainFeatures, func(g *guest) { g.must(g.front.SetVringNum(1, 15)) }, "power of two"},
		"place":       {plainFeatures, func(g *guest) { g.must(g.front.SetVringAddr(vhostuser.VringAddr{Index: 1})) }, "region"},
		"descriptors": {plainFeatures, func(g *guest) { g.shift(8, 0, 0) }, "multiple of 16"},
		"available":   {plainFeatures, func(g *guest) { g.shift(0, 2, 0) }, "multiple of 4"},
		"used":        {plainFeatures | chip.RingPacked, func(g *guest) { g.shift(0, 0, 1) }, "multiple of 4"},
		"base":        {plainFeatures | chip.RingPacked, func(g *guest) { g.must(g.front.SetVringBase(1, ringSize)) }, "descriptor 16 of 16"},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, c.features, 1)
			c.act(g)
			if err := stopped(t, d, 1); !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: want %q", err, c.want)
			}
			if !d.rings[0].live.Load() {
				t.Error("the other ring")
			}
		})
	}
}

// shift moves the parts of ring 1.
func (g *guest) shift(desc, avail, used uint64) {
	a := g.rings[1].address()
	a.Desc, a.Avail, a.Used = a.Desc+desc, a.Avail+avail, a.Used+used
	g.must(g.front.SetVringAddr(a))
}

// readable tells whether a file descriptor is.
func readable(t *testing.T, fd int) bool {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n == 1
}

// A worker sleeps until a driver has begun, and until it has a frame.
func TestWait(t *testing.T) {
	for name, f := range map[string]chip.Features{
		"split": plainFeatures, "packed": plainFeatures | chip.RingPacked,
		"split, event index": plainFeatures | chip.EventIdx, "packed, event index": plainFeatures | chip.RingPacked | chip.EventIdx,
	} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{Interrupts: true})
			q := d.rx[0]
			fd := q.WaitFD()
			q.Disarm()
			if fd < 0 || readable(t, fd) || !q.Arm() {
				t.Fatal("it cannot wait for a driver")
			}
			g := connect(t, path, f, 1)
			r := g.rings[1]
			if !readable(t, fd) {
				t.Error("a driver has begun, and nobody wakes")
			}
			for n := range 3 * ringSize {
				q.Disarm()
				if readable(t, fd) {
					t.Fatal("readable after Disarm")
				}
				if r.kicks() {
					t.Fatalf("buffer %d: the driver is to kick while the worker polls", n)
				}
				if !q.Arm() || !r.kicks() {
					t.Fatalf("buffer %d: the driver is not to kick", n)
				}
				g.frame(0, 60)
				r.offer(part{data(0), 72, false})
				if _, err := unix.Write(r.kick, []byte{1, 0, 0, 0, 0, 0, 0, 0}); err != nil {
					t.Fatal(err)
				}
				if !readable(t, fd) || q.Arm() {
					t.Fatalf("buffer %d: nobody wakes", n)
				}
				receive(t, q, 1)
			}
			g.must(g.front.SetVringKick(1, -1))
			if q.Disarm(); q.Arm() {
				t.Error("it sleeps though the driver does not kick")
			}
			g.die()
			eventually(t, "the end", func() bool { return d.disconnect.Load() == 1 })
			if q.Disarm(); !q.Arm() || q.WaitFD() != fd {
				t.Error("it does not wait for the next driver")
			}
		})
	}
}

// A driver that gets another event for its calls hears of what came before by that one, also with the event index, by
// which it would not be told again.
func TestCallChanges(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f|chip.EventIdx, 1)
		r := g.rings[0]
		if r.called() {
			t.Error("called before anything was sent")
		}
		r.offer(part{data(0), 100, true})
		if !send(t, d, 0, make([]byte, 60)) || !r.called() {
			t.Fatal("not called")
		}
		g.must(g.front.SetVringCall(0, r.call))
		if !r.called() {
			t.Error("not called by the new event")
		}
		g.must(g.front.SetVringCall(0, -1))
		if r.called() {
			t.Error("called by an event that was taken back")
		}
	})
}

// A driver whose wish to be told comes late, after the device has looked for it, is told when the rings are idle: once.
func TestReminds(t *testing.T) {
	for _, events := range []chip.Features{0, chip.EventIdx} {
		eachWay(t, func(t *testing.T, f chip.Features) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, f|events, 1)
			batch := make([]*packet.Buf, 1)
			for i, r := range g.rings {
				for n := 0; n < 3*ringSize; n += 2 {
					r.off(n)
					for range 2 {
						if g.frame(0, 60); i == 0 {
							r.offer(part{data(0), 100, true})
							send(t, d, 0, make([]byte, 60))
						} else {
							r.offer(part{data(0), 72, false})
							packet.Free(batch[:d.RxQueue(0).Receive(batch)])
						}
						if _, ok := r.comesBack(1); !ok || r.called() {
							t.Fatalf("ring %d, buffer %d: used %v, or called though the driver does not want that", i, n, ok)
						}
					}
					r.want(n)
					for range 2 {
						d.RxQueue(0).Receive(batch)
					}
					if !r.called() {
						t.Fatalf("ring %d, buffer %d: the driver waits for ever", i, n)
					}
					for range 2 {
						d.RxQueue(0).Receive(batch)
					}
					if r.called() {
						t.Fatalf("ring %d, buffer %d: called twice", i, n)
					}
				}
			}
		})
	}
}

// kicks tells whether the driver is to kick for its next buffer.
func (r *guestRing) kicks() bool {
	m := r.g.mem[r.base+8192:]
	switch f := r.g.features; {
	case r.packed:
		return m[2]&3 == 0
	case f.Has(chip.EventIdx):
		event := uint16(m[4+8*ringSize]) | uint16(m[5+8*ringSize])<<8
		return event == r.avail
	}
	return m[0]&1 == 0
}

func TestSettings(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		addr string
		cfg  nic.Config
		want string
	}{
		"mode":   {"vhost-user:" + dir + "/s,both", nic.Config{}, "want client or server"},
		"queues": {"vhost-user:" + dir + "/s", nic.Config{RxQueues: 129}, "want 128 at most"},
		"uneven": {"vhost-user:" + dir + "/s", nic.Config{RxQueues: 1, TxQueues: 2}, "in pairs"},
		"vlans":  {"vhost-user:" + dir + "/s", nic.Config{VLANs: []uint16{1}}, "no filter"},
		"limits": {"vhost-user:" + dir + "/s", nic.Config{RxThresholds: &nic.Thresholds{}}, "thresholds"},
		"path":   {"vhost-user:" + dir + "/none/s", nic.Config{}, "no such file"},
	} {
		if p, err := nic.Open(t.Context(), c.addr, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "vhost-user "+dir) {
			t.Errorf("%s: %v, %v", name, p, err)
		}
	}
	if space.users != 0 {
		t.Errorf("%d users of the memory are left", space.users)
	}
}

// Open waits for a driver as long as it is told; a port without one takes nothing, and closes.
func TestWithoutDriver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	p, err := nic.Open(t.Context(), "vhost-user:"+path, nic.Config{LinkWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	d := p.(*Device)
	if _, err := nic.Open(t.Context(), "vhost-user:"+path, nic.Config{}); !errors.Is(err, nic.ErrInUse) {
		t.Errorf("a second port: %v", err)
	}
	if l, err := d.Link(); l.Up || err != nil {
		t.Errorf("%+v, %v", l, err)
	}
	if send(t, d, 0, make([]byte, 60)) {
		t.Error("a frame was taken")
	}
	receive(t, d.RxQueue(0), 0)
	i := d.Info()
	if i.Driver != "vhost" || i.Address != "vhost-user:"+path || len(i.MAC) != 6 || i.MAC[0] != 2 || i.Pool == nil || i.Domain != i.Pool.Domain() {
		t.Errorf("%+v", i)
	}
	if err := nic.CloseAll(d); err != nil {
		t.Error(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); err == nil {
		t.Error("the socket is still there")
	}
	if _, err := d.Link(); !errors.Is(err, nic.ErrClosed) {
		t.Errorf("%v", err)
	}
}
