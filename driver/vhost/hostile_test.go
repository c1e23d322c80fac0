//go:build linux

package vhost

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

const top = 1<<64 - 1

// What a driver must not write stops the ring that it wrote it to, with a reason; other rings go on, and a new start
// makes all good.
func TestLies(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		split, packed bool // kinds of ring
		lie           func(*guestRing)
		want          string
	}{
		"outside":      {true, true, func(r *guestRing) { r.offer(part{guestBase - 1, 100, false}) }, "do not lie in one region"},
		"across":       {true, true, func(r *guestRing) { r.offer(part{guestBase + memSize - 99, 100, false}) }, "do not lie in one region"},
		"top":          {true, true, func(r *guestRing) { r.offer(part{top, 100, false}) }, "do not lie in one region"},
		"wraps":        {true, true, func(r *guestRing) { r.offer(part{top - 50, 100, false}) }, "do not lie in one region"},
		"longest":      {true, true, func(r *guestRing) { r.offer(part{data(0), 1<<32 - 1, false}) }, "do not lie in one region"},
		"second":       {true, true, func(r *guestRing) { r.offer(part{data(0), 72, false}, part{0, 1, false}) }, "do not lie in one region"},
		"direction":    {true, true, func(r *guestRing) { r.offer(part{data(0), 72, true}) }, "in a ring that the device reads"},
		"index":        {true, false, func(r *guestRing) { le.PutUint16(r.g.mem[r.base+4096+2:], ringSize+1) }, "17 entries ahead"},
		"index jumps":  {true, false, func(r *guestRing) { le.PutUint16(r.g.mem[r.base+4096+2:], 40000) }, "40000 entries ahead"},
		"head":         {true, false, func(r *guestRing) { r.head(ringSize) }, "descriptor 16 of 16"},
		"head far":     {true, false, func(r *guestRing) { r.head(65535) }, "descriptor 65535 of 16"},
		"next":         {true, false, func(r *guestRing) { r.link(0, ringSize); r.head(0) }, "goes on in number 16"},
		"itself":       {true, false, func(r *guestRing) { r.link(0, 0); r.head(0) }, "chain without an end"},
		"loop":         {true, false, func(r *guestRing) { r.link(0, 1); r.link(1, 2); r.link(2, 0); r.head(0) }, "chain without an end"},
		"endless":      {false, true, func(r *guestRing) { r.endless() }, "chain without an end"},
		"table":        {true, true, func(r *guestRing) { r.indirect(0, 16) }, "indirect table of 16 bytes"},
		"odd table":    {true, true, func(r *guestRing) { r.indirect(data(0), 17) }, "indirect table of 17 bytes"},
		"empty table":  {true, true, func(r *guestRing) { r.indirect(data(0), 0) }, "indirect table of 0 bytes"},
		"huge table":   {true, true, func(r *guestRing) { r.indirect(data(0), 16*65) }, "indirect table of 1040 bytes"},
		"table inside": {true, true, func(r *guestRing) { r.tableOf(uint16(chip.DescIndirect), 0) }, "table in an indirect table"},
		"table goes":   {true, false, func(r *guestRing) { r.tableOf(uint16(chip.DescNext), 1) }, "goes on in number 1"},
		"table loops":  {true, false, func(r *guestRing) { r.tableOf(uint16(chip.DescNext), 0) }, "chain without an end"},
	} {
		for kind, f := range ways {
			packed := f.Has(chip.RingPacked)
			if packed && !c.packed || !packed && !c.split {
				continue
			}
			t.Run(name+" "+kind, func(t *testing.T) {
				d, path := newPort(t, nic.Config{RxQueues: 2, TxQueues: 2})
				g := connect(t, path, f|chip.NetMQ|chip.IndirectDesc, 2)
				errs, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
				g.must(err)
				defer unix.Close(errs)
				g.must(g.front.SetVringErr(1, errs))
				c.lie(g.rings[1])
				if readable(t, errs) {
					t.Error("an error before there is one")
				}
				receive(t, d.RxQueue(0), 0)
				if !readable(t, errs) {
					t.Error("the driver is not told of the error")
				}
				if err := stopped(t, d, 1); !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "ring 1") {
					t.Errorf("%v: want %q", err, c.want)
				}
				want := g.frame(5, 60)
				g.rings[3].offer(part{data(5), 72, false})
				if got := receive(t, d.RxQueue(1), 1)[0]; !bytes.Equal(got, want) {
					t.Error("the other ring")
				}
				if _, err := g.front.VringBase(1); err != nil {
					t.Fatal(err)
				}
				clear(g.mem[g.rings[1].base:][:3*4096])
				r := g.start(1, packed)
				r.offer(part{data(5), 72, false})
				if got := receive(t, d.RxQueue(0), 1)[0]; !bytes.Equal(got, want) {
					t.Error("after a new start")
				}
				if err := d.Trouble(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// Events that take nothing more, and were made to block, hold nobody up: an eventfd whose counter is at its end, and a pipe
// that is full.
func TestFullEvents(t *testing.T) {
	eventfd := func(t *testing.T) int {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
		if err == nil {
			_, err = unix.Write(fd, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
		}
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	pipe := func(t *testing.T) int {
		var p [2]int
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(p[0]) })
		for _, size := range []int{4096, 1} {
			for {
				if _, err := unix.Write(p[1], make([]byte, size)); err != nil {
					break
				}
			}
		}
		if err := unix.SetNonblock(p[1], false); err != nil {
			t.Fatal(err)
		}
		return p[1]
	}
	for name, full := range map[string]func(*testing.T) int{"eventfd": eventfd, "pipe": pipe} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, plainFeatures, 1)
			for i, r := range g.rings {
				fd := full(t)
				defer unix.Close(fd)
				g.must(g.front.SetVringCall(i, fd))
				g.must(g.front.SetVringErr(i, fd))
				g.frame(0, 60)
				if i == 0 {
					r.offer(part{data(0), 100, true})
					if !send(t, d, 0, make([]byte, 60)) {
						t.Error("nothing was sent")
					}
					continue
				}
				r.offer(part{data(0), 72, false})
				receive(t, d.RxQueue(0), 1)
				r.offer(part{0, 72, false})
				receive(t, d.RxQueue(0), 0)
				if err := stopped(t, d, 1); err == nil {
					t.Error("the ring goes on")
				}
			}
		})
	}
}

// head offers a descriptor.
func (r *guestRing) head(i uint16) {
	le := binary.LittleEndian
	avail := r.g.mem[r.base+4096:]
	le.PutUint16(avail[4:], i)
	le.PutUint16(avail[2:], 1)
}

// link has a descriptor of a split ring go on in another.
func (r *guestRing) link(i int, next uint64) {
	le := binary.LittleEndian
	le.PutUint64(r.desc(i), data(0))
	le.PutUint64(r.desc(i)[8:], 10|uint64(chip.DescNext)<<chip.SplitFlagsShift|next<<chip.SplitNextShift)
}

// endless has all descriptors of a packed ring go on in the next.
func (r *guestRing) endless() {
	le := binary.LittleEndian
	for i := range ringSize {
		le.PutUint64(r.desc(i), data(0))
		le.PutUint64(r.desc(i)[8:], 10|uint64(chip.DescNext|chip.DescAvail)<<chip.PackedFlagsShift)
	}
}

// tableOf offers an indirect table of one descriptor with these flags.
func (r *guestRing) tableOf(flags uint16, next uint64) {
	shift, rest := chip.SplitFlagsShift, next<<chip.SplitNextShift
	if r.packed {
		shift, rest = chip.PackedFlagsShift, 0
	}
	at := r.g.at(data(9))
	binary.LittleEndian.PutUint64(at, data(0))
	binary.LittleEndian.PutUint64(at[8:], 80|uint64(flags)<<shift|rest)
	r.indirect(data(9), 16)
}

// Memory goes while rings are in use: a ring that lies in it stops, and one whose buffers lie in it.
func TestMemoryGoes(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f, 1)
		more := vhostuser.Region{Guest: 1 << 40, Size: 4096, User: 1 << 41, Offset: dataBase}
		g.must(g.front.AddMemReg(more, g.fd))
		want := g.frame(0, 60)
		g.rings[1].offer(part{more.Guest, 72, false})
		if got := receive(t, d.RxQueue(0), 1)[0]; !bytes.Equal(got, want) {
			t.Error("in a region that was added")
		}
		g.must(g.front.RemMemReg(more))
		g.rings[1].offer(part{more.Guest, 72, false})
		receive(t, d.RxQueue(0), 0)
		stopped(t, d, 1)
		if !d.rings[0].live.Load() {
			t.Error("the other ring does not go on")
		}
		g.must(g.front.RemMemReg(g.region()))
		if err := stopped(t, d, 0); !strings.Contains(err.Error(), "do not lie in one region of memory") {
			t.Error(err)
		}
		if l, err := d.Link(); l.Up || err != nil {
			t.Errorf("%+v, %v", l, err)
		}
	})
}

// A front-end that makes its memory shorter than it said hurts itself alone, and no buffer is lost by it.
func TestMemoryCutOff(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		for name, act := range map[string]func(*Device, *guest){
			"receive": func(d *Device, g *guest) {
				batch := make([]*packet.Buf, 8)
				if n := d.RxQueue(0).Receive(batch); n != 0 {
					t.Errorf("%d frames", n)
				}
				stopped(t, d, 1)
			},
			"send": func(d *Device, g *guest) {
				if send(t, d, 0, make([]byte, 60)) {
					t.Error("a frame was taken")
				}
				stopped(t, d, 0)
			},
		} {
			t.Run(name, func(t *testing.T) {
				d, path := newPort(t, nic.Config{})
				free := d.pool.Available()
				g := connect(t, path, f, 1)
				g.frame(0, 60)
				g.rings[1].offer(part{data(0), 72, false})
				g.rings[1].offer(part{data(100), 72, false})
				g.rings[0].offer(part{data(100), 72, true})
				g.must(unix.Ftruncate(g.fd, dataBase+8*4096))
				act(d, g)
				if err := d.Trouble(); err == nil || !strings.Contains(err.Error(), "F_SEAL_SHRINK") {
					t.Errorf("%v", err)
				}
				g.die()
				eventually(t, "the end of the connection", func() bool { return d.disconnect.Load() == 1 })
				g = connect(t, path, f, 1)
				g.frame(0, 60)
				g.rings[1].offer(part{data(0), 72, false})
				receive(t, d.RxQueue(0), 1)
				d.rx[0].cache.Flush()
				d.tx[0].cache.Flush()
				if n := d.pool.Available(); n != free {
					t.Errorf("%d of %d buffers are left", n, free)
				}
			})
		}
	})
}

// A message that cannot be ends its connection with a reason, and the next connection is as good as any.
func TestHostileMessages(t *testing.T) {
	send := func(r vhostuser.Request, payload []byte, fds ...int) func(*guest) error {
		return func(g *guest) error { return g.front.Do(r, payload, fds...) }
	}
	state := func(i, n uint32) []byte { return vhostuser.VringState{Index: i, Num: n}.Payload() }
	for name, c := range map[string]struct {
		act  func(*guest) error
		want string
	}{
		"unknown":         {send(99, nil), "does not know"},
		"not offered":     {send(vhostuser.SetLogBase, vhostuser.PutU64(0)), "does not know"},
		"features":        {send(vhostuser.SetFeatures, vhostuser.PutU64(1<<26)), "not offered"},
		"protocol":        {send(vhostuser.SetProtocolFeatures, vhostuser.PutU64(1<<1)), "not offered"},
		"short":           {send(vhostuser.SetFeatures, []byte{1}), "payload of 1 bytes"},
		"ring":            {send(vhostuser.SetVringNum, state(2, 16)), "ring 2: there are 2"},
		"far ring":        {send(vhostuser.SetVringEnable, state(1<<31, 1)), "there are 2"},
		"size 0":          {send(vhostuser.SetVringNum, state(0, 0)), "want 1 to 32768"},
		"size":            {send(vhostuser.SetVringNum, state(0, 32769)), "want 1 to 32768"},
		"enable":          {send(vhostuser.SetVringEnable, state(0, 2)), "want 0 or 1"},
		"log":             {send(vhostuser.SetVringAddr, vhostuser.VringAddr{Flags: 1}.Payload()), "logging"},
		"kick without":    {send(vhostuser.SetVringKick, vhostuser.PutU64(0)), "file descriptors"},
		"kick with":       {send(vhostuser.SetVringKick, vhostuser.PutU64(256), 0), "file descriptors"},
		"kick ring":       {send(vhostuser.SetVringKick, vhostuser.PutU64(256|9)), "there are 2"},
		"no memory":       {send(vhostuser.SetMemTable, vhostuser.PutRegions([]vhostuser.Region{{Size: 1}})), "file descriptors"},
		"bad memory":      {send(vhostuser.SetMemTable, vhostuser.PutRegions([]vhostuser.Region{{Size: 1 << 40}}), 0), "bytes of memory"},
		"no region":       {send(vhostuser.RemMemReg, vhostuser.Region{Guest: guestBase, Size: 1, User: userBase}.Payload()), "no region"},
		"region twice":    {func(g *guest) error { r := g.region(); r.User++; return g.front.AddMemReg(r, g.fd) }, "overlaps"},
		"region, 2 files": {send(vhostuser.AddMemReg, vhostuser.Region{Size: 1}.Payload(), 0, 0), "2 file descriptors"},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, plainFeatures, 1)
			if err := c.act(g); err == nil {
				t.Error("it was taken")
			}
			if err := g.front.Gone(); !errors.Is(err, io.EOF) {
				t.Errorf("the connection: %v", err)
			}
			eventually(t, "trouble", func() bool { return d.Trouble() != nil })
			if err := d.Trouble(); !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: want %q", err, c.want)
			}
			g = connect(t, path, plainFeatures, 1)
			if d.Trouble(); d.Trouble() != nil {
				t.Error(d.Trouble())
			}
			g.frame(0, 60)
			g.rings[1].offer(part{data(0), 72, false})
			receive(t, d.RxQueue(0), 1)
		})
	}
}

// A front-end that is killed before it has read an answer is no trouble.
func TestKilledFrontEnd(t *testing.T) {
	d, path := newPort(t, nic.Config{})
	for i := range uint64(50) {
		sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		c := vhostuser.NewConn(sock)
		for range 1 + i%3 {
			if err := c.Send(&vhostuser.Message{Request: vhostuser.GetFeatures}); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		eventually(t, "the end of the connection", func() bool { return d.disconnect.Load() == i+1 })
		if err := d.Trouble(); err != nil {
			t.Fatal(err)
		}
	}
}

// A thousand drivers come and go, and nothing is left of them.
func TestComeAndGo(t *testing.T) {
	d, path := newPort(t, nic.Config{Interrupts: true})
	count := func() (fds, maps int) {
		all, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		m, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return len(all), bytes.Count(m, []byte("memfd:guest"))
	}
	rounds := uint64(1000)
	if testing.Short() {
		rounds = 50
	}
	fds, maps := 0, 0
	for i := range rounds {
		g := connect(t, path, ways[[]string{"split", "packed"}[i%2]], 1)
		g.frame(0, 60)
		g.rings[1].offer(part{data(0), 72, false})
		receive(t, d.RxQueue(0), 1)
		g.die()
		eventually(t, "the end of the connection", func() bool { return d.disconnect.Load() == i+1 })
		if i == 0 {
			fds, maps = count()
		}
	}
	if f, m := count(); f != fds || m != maps || m != 0 {
		t.Errorf("%d file descriptors and %d mappings are left, there were %d and %d", f, m, fds, maps)
	}
}

// FuzzGuest has a driver write anything anywhere in its memory while rings turn. Guard pages around what is mapped make
// an access outside a fault, which would show as a trouble of another name.
func FuzzGuest(f *testing.F) {
	f.Add(uint64(1), false)
	f.Add(uint64(2), true)
	f.Fuzz(func(t *testing.T, seed uint64, packed bool) { fuzzGuest(t, seed, packed, 300) })
}

// TestManyGuests is a short run of the fuzzer.
func TestManyGuests(t *testing.T) {
	for seed := range uint64(40) {
		fuzzGuest(t, seed, seed%2 == 0, 300)
	}
}

func fuzzGuest(t *testing.T, seed uint64, packed bool, steps int) {
	rnd := rand.New(rand.NewPCG(seed, 1))
	cfg, features := nic.Config{RxQueues: 1, TxQueues: 1}, plainFeatures|chip.IndirectDesc
	large := seed%8 > 3
	if large {
		cfg.Offloads = bothLarge
		features |= largeFeatures
	}
	d, path := newPort(t, cfg)
	if packed {
		features |= chip.RingPacked
	}
	if seed%4 < 2 {
		features |= chip.EventIdx
	}
	free := d.pool.Available()
	g := connect(t, path, features, 1)
	batch := make([]*packet.Buf, 16)
	anyAddr := func() uint64 {
		return []uint64{data(rnd.IntN(100)), guestBase + uint64(rnd.IntN(memSize)), rnd.Uint64(), guestBase + memSize - uint64(rnd.IntN(64)), 0, top}[rnd.IntN(6)]
	}
	for range steps {
		r := g.rings[rnd.IntN(2)]
		if large && r.index == 1 && rnd.IntN(2) == 0 {
			// A large frame with a byte of its headers changed.
			i, f := rnd.IntN(100), nictest.TCP(false, make([]byte, rnd.IntN(4000)))
			at := g.at(data(i))
			copy(at, header4[:])
			copy(at[chip.HdrSize:], f)
			at[rnd.IntN(chip.HdrSize+54)] = byte(rnd.Uint32())
			r.offer(part{data(i), uint32(chip.HdrSize + len(f)), false})
		}
		switch rnd.IntN(10) {
		case 0, 1, 2, 3:
			r.offer(part{data(rnd.IntN(100)), uint32(rnd.IntN(2048)), r.index == 0})
		case 4:
			r.offer(part{data(rnd.IntN(100)), uint32(rnd.IntN(100)), r.index == 0}, part{data(rnd.IntN(100)), uint32(rnd.IntN(2048)), r.index == 0})
		case 5:
			// A descriptor of any kind, flags that make sense more often than not.
			dsc := r.desc(rnd.IntN(ringSize))
			binary.LittleEndian.PutUint64(dsc, anyAddr())
			binary.LittleEndian.PutUint64(dsc[8:], uint64(rnd.IntN(5000))|uint64(rnd.IntN(ringSize+2))<<48|uint64(rnd.IntN(8))<<32|uint64(rnd.IntN(1<<16))<<48*uint64(rnd.IntN(2)))
		case 6:
			binary.LittleEndian.PutUint16(g.mem[r.base+4096+2*rnd.IntN(ringSize+4):], uint16(rnd.IntN(ringSize+2)))
		case 7:
			g.table(20+rnd.IntN(4), features, part{anyAddr(), uint32(rnd.IntN(3000)), rnd.IntN(2) == 0}, part{data(1), uint32(rnd.IntN(3000)), rnd.IntN(2) == 0})
			r.indirect(data(20+rnd.IntN(4)), uint32(16*rnd.IntN(4)))
		case 8:
			g.mem[rnd.IntN(6*4096)] = byte(rnd.Uint32())
		case 9:
			if d.Trouble() != nil {
				for i := range 2 {
					if _, err := g.front.VringBase(i); err != nil {
						t.Fatal(err)
					}
				}
				clear(g.mem[:6*4096])
				for _, r := range g.rings {
					unix.Close(r.kick)
					unix.Close(r.call)
				}
				g.rings = nil
				g.start(0, packed)
				g.start(1, packed)
			}
		}
		n := d.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			if b.TotalLen() < ethernet || b.TotalLen() > 1500+header && b.Flags()&packet.NeedsSegment == 0 {
				t.Fatalf("a frame of %d bytes", b.TotalLen())
			}
			if b.Flags()&packet.NeedsSegment != 0 && !new(packet.Cut).Begin(b) {
				t.Fatalf("a frame that cannot be cut: % x", b.Bytes()[:60])
			}
		}
		k := d.TxQueue(0).Send(batch[:n])
		packet.Free(batch[k:n])
	}
	for _, r := range d.rings {
		if err := r.broken.Load(); err != nil {
			var re runtime.Error
			if errors.As(*err, &re) || strings.Contains((*err).Error(), "F_SEAL") || strings.Contains((*err).Error(), "runtime error") {
				t.Fatal(*err)
			}
		}
	}
	g.die()
	d.rx[0].cache.Flush()
	d.tx[0].cache.Flush()
	if n := d.pool.Available(); n != free {
		t.Fatalf("%d of %d buffers are left", n, free)
	}
}
