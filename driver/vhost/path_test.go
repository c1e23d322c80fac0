//go:build linux

package vhost

import (
	"bytes"
	"encoding/binary"
	"testing"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

// ways are the kinds of rings.
var ways = map[string]chip.Features{"split": plainFeatures, "packed": plainFeatures | chip.RingPacked}

func eachWay(t *testing.T, test func(*testing.T, chip.Features)) {
	for name, f := range ways {
		t.Run(name, func(t *testing.T) { test(t, f) })
	}
}

// Frames come in as the driver has laid them out, whatever way.
func TestReceive(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{MTU: 4000, Room: 2048, Port: 3})
		g := connect(t, path, f, 1)
		r := g.rings[1]
		for round := range 3 * ringSize {
			for _, size := range []int{14, 60, 1514, 2048, 2049, 4022} {
				for _, cut := range []int{0, 1, chip.HdrSize, chip.HdrSize + 1, chip.HdrSize + 20} {
					if round > 2 && size > 60 || cut >= size+chip.HdrSize {
						continue // later rounds only turn the ring
					}
					want := g.frame(round%4*2, size)
					at, all := data(round%4*2), uint32(size+chip.HdrSize)
					descs := 1
					if k := uint32(cut); k == 0 {
						r.offer(part{at, all, false})
					} else {
						r.offer(part{at, k, false}, part{at + uint64(k), all - k, false})
						descs = 2
					}
					got := receive(t, d.RxQueue(0), 1)[0]
					if !bytes.Equal(got, want) {
						t.Fatalf("a frame of %d bytes cut at %d came as %d bytes % .20x", size, cut, len(got), got)
					}
					if n, ok := r.comesBack(descs); !ok || n != 0 {
						t.Fatalf("the buffer came back: %v, %d bytes written", ok, n)
					}
				}
			}
		}
		var b [1]*packet.Buf
		g.frame(0, 60)
		r.offer(part{data(0), 72, false})
		if d.RxQueue(0).Receive(b[:]) != 1 || b[0].Port() != 3 {
			t.Fatal("the port's number")
		}
		packet.Free(b[:])
		s, err := d.Stats()
		if err != nil || s.RxErrors != 0 || s.RxDropped != 0 || s.RxPackets == 0 || s.RxBytes <= 60*s.RxPackets {
			t.Errorf("%+v, %v", s, err)
		}
	})
}

// An indirect table holds what else a chain does.
func TestIndirect(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f|chip.IndirectDesc, 1)
		r := g.rings[1]
		want := g.frame(0, 100)
		at := data(0)
		g.table(8, f, part{at, 12, false}, part{at + 12, 50, false}, part{at + 62, 50, false})
		r.indirect(data(8), 3*chip.DescSize)
		if got := receive(t, d.RxQueue(0), 1)[0]; !bytes.Equal(got, want) {
			t.Errorf("% x", got)
		}
	})
}

// table writes an indirect table to piece i of the data.
func (g *guest) table(i int, f chip.Features, parts ...part) {
	le := binary.LittleEndian
	for k, p := range parts {
		d := g.at(data(i))[k*chip.DescSize:]
		flags := uint64(0)
		if p.write {
			flags = uint64(chip.DescWrite)
		}
		le.PutUint64(d, p.addr)
		if f.Has(chip.RingPacked) {
			le.PutUint64(d[8:], uint64(p.size)|flags<<chip.PackedFlagsShift)
			continue
		}
		if k < len(parts)-1 {
			flags |= uint64(chip.DescNext) | uint64(k+1)<<16
		}
		le.PutUint64(d[8:], uint64(p.size)|flags<<chip.SplitFlagsShift)
	}
}

// indirect offers a table.
func (r *guestRing) indirect(addr uint64, size uint32) {
	at := r.next
	r.offer(part{addr, size, false})
	flag := uint64(chip.DescIndirect) << chip.SplitFlagsShift
	if r.packed {
		flag = uint64(chip.DescIndirect) << chip.PackedFlagsShift
	}
	le := binary.LittleEndian
	d := r.desc(at)[8:]
	le.PutUint64(d, le.Uint64(d)|flag)
}

// Frames go out into one buffer or several, and none is seen in part.
func TestSend(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{MTU: 4000, Room: 4096})
		g := connect(t, path, f, 1)
		r := g.rings[0]
		for i := range 3 * ringSize {
			size := []int{14, 60, 499, 500, 501, 1024, 1500}[i%7]
			f := make([]byte, size)
			for k := range f {
				f[k] = byte(k + i)
			}
			if send(t, d, 0, f) {
				t.Fatal("a frame was taken for which there is no buffer")
			}
			n := (size + chip.HdrSize + 511) / 512
			for k := range n {
				if k == n-1 && n > 1 && send(t, d, 0, f) {
					t.Fatal("a frame was taken for which there are not enough buffers")
				}
				r.offer(part{data(k), 100, true}, part{data(k) + 100, 412, true})
			}
			if !send(t, d, 0, f) {
				t.Fatal("a frame was not taken")
			}
			var got []byte
			for k := range n {
				wrote, ok := r.comesBack(2)
				if !ok {
					t.Fatalf("%d of %d buffers came back", k, n)
				}
				got = append(got, g.at(data(k))[:wrote]...)
			}
			if h := binary.LittleEndian.Uint16(got[chip.HdrNumBuffers:]); int(h) != n || !bytes.Equal(got[:chip.HdrNumBuffers], make([]byte, 10)) {
				t.Fatalf("header % x, want %d buffers", got[:chip.HdrSize], n)
			}
			if !bytes.Equal(got[chip.HdrSize:], f) {
				t.Fatalf("a frame of %d bytes came out as %d", size, len(got)-chip.HdrSize)
			}
		}
	})
}

// A driver that does not merge loses what does not fit its buffers, and nothing else.
func TestSendTooLong(t *testing.T) {
	for name, f := range map[string]chip.Features{"split": chip.Version1, "packed": chip.Version1 | chip.RingPacked} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, f, 1)
			r := g.rings[0]
			r.offer(part{data(0), chip.HdrSize, true}, part{data(1), 100, true})
			if !send(t, d, 0, make([]byte, 101)) {
				t.Fatal("the frame was not taken")
			}
			if _, ok := r.comesBack(2); ok {
				t.Fatal("the buffer came back")
			}
			want := bytes.Repeat([]byte{5}, 100)
			if !send(t, d, 0, want) {
				t.Fatal("the frame was not taken")
			}
			if n, ok := r.comesBack(2); !ok || n != 112 || !bytes.Equal(g.at(data(1))[:100], want) {
				t.Errorf("%d bytes, %v", n, ok)
			}
			if s, _ := d.Stats(); s.TxDropped != 1 || s.TxPackets != 1 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// Frames that are no frames are counted, and their buffers come back.
func TestUnfit(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f, 1)
		for i, size := range []uint32{1, 12, 25, 12 + 1523} {
			g.rings[1].offer(part{data(i), size, false})
		}
		g.frame(4, 60)
		g.rings[1].offer(part{data(4), 72, false})
		receive(t, d.RxQueue(0), 1)
		for i := range 5 {
			if _, ok := g.rings[1].comesBack(1); !ok {
				t.Errorf("buffer %d did not come back", i)
			}
		}
		for _, size := range []int{0, 13, 1523} {
			g.rings[0].offer(part{data(8), 2048, true})
			if !send(t, d, 0, make([]byte, size)) {
				t.Errorf("%d bytes were not taken", size)
			}
		}
		if s, _ := d.Stats(); s.RxErrors != 4 || s.TxDropped != 3 || s.TxPackets != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// The driver is told of used buffers only where it wants to be.
func TestCalls(t *testing.T) {
	for name, f := range map[string]chip.Features{
		"split": plainFeatures, "packed": plainFeatures | chip.RingPacked,
		"split, event index": plainFeatures | chip.EventIdx, "packed, event index": plainFeatures | chip.RingPacked | chip.EventIdx,
	} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{})
			g := connect(t, path, f, 1)
			r := g.rings[1]
			events := f.Has(chip.EventIdx)
			one := func() bool {
				g.frame(0, 60)
				r.offer(part{data(0), 72, false})
				receive(t, d.RxQueue(0), 1)
				return r.called()
			}
			for n := 0; n < 3*ringSize; n++ {
				r.want(n)
				if !one() {
					t.Fatalf("buffer %d: no call", n)
				}
				n++
				r.off(n)
				if one() {
					t.Fatalf("buffer %d: a call that nobody wanted", n)
				}
				if n++; !events {
					continue
				}
				r.want(n + 2)
				for k, called := range []bool{false, false, true, false} {
					if one() != called {
						t.Fatalf("buffer %d: event at %d: %v", n+k, n+2, !called)
					}
				}
				n += 3
			}
		})
	}
}

// want has the driver be told from its n-th buffer on, of those so far and to come.
func (r *guestRing) want(n int) {
	le, driver := binary.LittleEndian, r.g.mem[r.base+4096:]
	switch events := r.g.features.Has(chip.EventIdx); {
	case r.packed && events:
		e := uint32(n%ringSize) | chip.EventDesc
		if n/ringSize%2 == 0 {
			e |= chip.EventWrap
		}
		le.PutUint32(driver, e)
	case r.packed:
		le.PutUint32(driver, chip.EventEnable)
	case events:
		le.PutUint16(driver[4+2*ringSize:], uint16(n))
	default:
		le.PutUint16(driver, 0)
	}
}

// off has the driver not be told.
func (r *guestRing) off(n int) {
	le, driver := binary.LittleEndian, r.g.mem[r.base+4096:]
	switch {
	case r.packed:
		le.PutUint32(driver, chip.EventDisable)
	case r.g.features.Has(chip.EventIdx):
		le.PutUint16(driver[4+2*ringSize:], uint16(n-1))
	default:
		le.PutUint16(driver, chip.AvailNoInterrupt)
	}
}

// Neither direction allocates.
func TestNoAllocations(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f, 1)
		batch := make([]*packet.Buf, 4)
		n := testing.AllocsPerRun(200, func() {
			for i := range batch {
				g.rings[0].offer(part{data(i), 2048, true})
				g.rings[1].offer(part{data(4 + i), 72, false})
			}
			n := d.RxQueue(0).Receive(batch)
			if n += d.TxQueue(0).Send(batch[:n]); n != 8 {
				t.Fatal("frames are missing")
			}
		})
		if n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}

// Each queue has rings of its own; what has none goes to one that has.
func TestQueues(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{RxQueues: 3, TxQueues: 3})
		g := connect(t, path, f|chip.NetMQ, 2)
		if n, err := g.front.QueueNum(); err != nil || n != 3 {
			t.Errorf("%d pairs, %v", n, err)
		}
		for i := range 2 {
			g.frame(i, 60+i)
			g.rings[2*i+1].offer(part{data(i), uint32(72 + i), false})
			if got := receive(t, d.RxQueue(i), 1)[0]; len(got) != 60+i {
				t.Errorf("queue %d: %d bytes", i, len(got))
			}
			g.rings[2*i].offer(part{data(i), 2048, true})
		}
		for i, ring := range []int{0, 2} {
			if !send(t, d, i, make([]byte, 60)) {
				t.Errorf("queue %d", i)
			}
			if _, ok := g.rings[ring].comesBack(1); !ok {
				t.Errorf("ring %d got nothing", ring)
			}
		}
		g.rings[0].offer(part{data(9), 2048, true})
		if !send(t, d, 2, make([]byte, 60)) {
			t.Error("queue 2 has no way out")
		}
	})
}

// A partial checksum that the driver leaves, and one that it takes, go along.
func TestChecksums(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{Offloads: nic.RxPartial})
		g := connect(t, path, f|chip.NetCSum|chip.NetGuestCSum, 1)
		g.frame(0, 60)
		h := g.at(data(0))
		h[chip.HdrFlags] = chip.HdrNeedsCSum
		binary.LittleEndian.PutUint16(h[chip.HdrCSumStart:], 34)
		binary.LittleEndian.PutUint16(h[chip.HdrCSumOffset:], 16)
		g.rings[1].offer(part{data(0), 72, false})
		g.rings[0].offer(part{data(1), 2048, true})
		var b [1]*packet.Buf
		if d.RxQueue(0).Receive(b[:]) != 1 {
			t.Fatal("no frame")
		}
		if start, offset, ok := b[0].Checksum(); !ok || start != 34 || offset != 16 {
			t.Errorf("%d, %d, %v", start, offset, ok)
		}
		if d.TxQueue(0).Send(b[:]) != 1 || !bytes.Equal(g.at(data(1))[:10], h[:10]) {
			t.Errorf("header % x", g.at(data(1))[:12])
		}
		binary.LittleEndian.PutUint16(h[chip.HdrCSumOffset:], 25)
		g.rings[1].offer(part{data(0), 72, false})
		receive(t, d.RxQueue(0), 0)
		if s, _ := d.Stats(); s.RxDropped != 1 {
			t.Errorf("%+v", s)
		}
	})
}
