package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func TestReceiveJumbo(t *testing.T) {
	for _, mtu := range []int{1501, 9000, 9710} {
		for _, room := range []int{1024, 1600, 2048, 4096, 16384} {
			t.Run(fmt.Sprintf("MTU %d in %d", mtu, room), func(t *testing.T) {
				// SRRCTL counts in KiB, so the card uses whole ones of a buffer.
				whole := room / 1024 * 1024
				r := open(t, nic.Config{RxRing: 64, MTU: mtu, Room: room, Buffers: 256})
				var want [][]byte
				for _, n := range []int{
					60, whole - 1, whole, whole + 1, 2 * whole, 2*whole + 1, 5*whole - 1, mtu, mtu + 13, mtu + 14, 61,
				} {
					if n <= mtu+14 {
						want = append(want, frame(n, byte(n)))
					}
				}
				tagged := frame(mtu+18, 3)
				copy(tagged[12:], []byte{0x81, 0})
				sizes := want
				for range 9 { // several times round the ring
					want = append(append(want, tagged), sizes...)
				}
				batch := make([]*packet.Buf, 4)
				var got [][]byte
				for len(got) < len(want) {
					// A frame for which the ring has too few descriptors would be dropped.
					for _, f := range want[len(got):min(len(got)+len(batch), len(want))] {
						r.wire.put(f)
					}
					r.step()
					n := r.dev.RxQueue(0).Receive(batch)
					if n == 0 {
						break
					}
					for _, b := range batch[:n] {
						f := b.AppendTo(nil)
						got = append(got, f)
						if segments := (len(f) + whole - 1) / whole; b.Segments() != segments || b.TotalLen() != len(f) {
							t.Errorf("%d bytes in %d buffers, want %d", len(f), b.Segments(), segments)
						}
					}
					packet.Free(batch[:n])
				}
				same(t, "received", got, want)
				if s := r.stats(); s.RxDropped != 0 || s.RxErrors != 0 || s.RxPackets != uint64(len(want)) {
					t.Errorf("stats %s", brief(s))
				}
			})
		}
	}
}

// What is longer than the MTU allows stays outside and is counted.
func TestReceiveTooLong(t *testing.T) {
	for _, c := range []struct {
		mtu, size int
		tag, ok   bool
	}{
		{1500, 1514, false, true},
		{1500, 1515, false, false},
		{1500, 1518, true, true},
		{1500, 1519, true, false},
		{9000, 9014, false, true},
		{9000, 9018, false, true}, // the tag's bytes count, tag or not
		{9000, 9019, false, false},
		{9000, 9022, true, true},
		{9000, 9023, true, false},
	} {
		r := open(t, nic.Config{RxRing: 64, MTU: c.mtu, Room: 1024, Buffers: 128})
		f := frame(c.size, 1)
		if c.tag {
			copy(f[12:], []byte{0x81, 0})
		}
		r.wire.put(f)
		r.step()
		got := len(r.receive()) == 1
		if s := r.stats(); got != c.ok || s.RxDropped != 0 || (s.RxErrors == 1) == c.ok {
			t.Errorf("%+v: received %v, %d errors, %d dropped", c, got, s.RxErrors, s.RxDropped)
		}
	}
}

func TestReceiveBatches(t *testing.T) {
	r := open(t, nic.Config{RxRing: 512})
	for _, size := range []int{1, 2, 3, 7, 16, 31, 32, 33, 64, 100, 256, 511, 512, 700} {
		var want [][]byte
		for i := range 1100 {
			want = append(want, frame(60+i%7, byte(i)))
			r.wire.put(want[i])
		}
		r.step()
		same(t, fmt.Sprint("batch ", size), r.receiveFrom(0, size), want)
	}
	if n := r.dev.RxQueue(0).Receive(nil); n != 0 {
		t.Errorf("an empty batch got %d frames", n)
	}
}

// The tail is written seldom, but never so late that the card runs out of descriptors.
func TestReceiveTail(t *testing.T) {
	tails := 0
	s, w := card(t, model.Config{Trace: func(e model.Event) {
		if e.Write && strings.HasPrefix(e.String(), "write RDT[0]") {
			tails++
		}
	}})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxRing: 128, Buffers: 512})}
	f := frame(60, 0)
	const lag = 32
	tails = 0
	batch := make([]*packet.Buf, 1)
	for i := range 1000 {
		w.put(f)
		r.step()
		if r.dev.RxQueue(0).Receive(batch) != 1 {
			t.Fatalf("frame %d did not come", i)
		}
		packet.Free(batch)
		// All that the driver does not hold back arrives at once.
		if i%7 == 0 {
			for range 128 - lag {
				w.put(f)
			}
			r.step()
			if len(w.in) > 0 {
				t.Fatalf("after %d frames the card lacks descriptors for %d", i, len(w.in))
			}
			r.receive()
		}
	}
	received := int(r.stats().RxPackets)
	if most := received/lag + 1; tails > most || tails < received/128 {
		t.Errorf("the tail was written %d times for %d frames, want %d to %d", tails, received, received/128, most)
	}
}

// Frames that find the pool empty wait in the ring, and none is lost on the way.
func TestReceivePoolEmpty(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64, Buffers: 128})
	var want, got [][]byte
	var held []*packet.Buf
	for i := range 300 {
		want = append(want, frame(60+i*11%1400, byte(i)))
		r.wire.put(want[i])
	}
	batch := make([]*packet.Buf, 8)
	waited := uint64(0)
	for round := 0; len(got) < len(want); round++ {
		if round == 1000 {
			t.Fatalf("stuck after %d frames", len(got))
		}
		r.step()
		n := r.dev.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			got = append(got, b.AppendTo(nil))
			held = append(held, b)
		}
		if n > 0 {
			continue
		}
		if now := r.stats().RxNoBuffer; now == waited {
			t.Fatal("a frame waits for a buffer and is not counted")
		} else {
			waited = now
		}
		packet.Free(held)
		held = held[:0]
	}
	packet.Free(held)
	same(t, "received", got, want)
	if s := r.stats(); s.RxMissed+s.RxDropped+s.RxErrors != 0 || s.RxPackets != 300 {
		t.Errorf("stats %s", brief(s))
	}
}

// On a wire that does not wait, each frame is received or counted as missed.
func TestReceiveMissed(t *testing.T) {
	w := &script{lossy: true}
	s, _ := card(t, model.Config{Wire: w})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{RxRing: 64, Buffers: 128})}
	got := 0
	for i := range 50 {
		for range 10 * i {
			w.put(frame(1514, byte(i)))
		}
		r.step()
		got += len(r.receive())
	}
	stats := r.stats()
	total := 10 * 49 * 50 / 2
	if stats.RxMissed == 0 || uint64(got) != stats.RxPackets || got+int(stats.RxMissed) != total {
		t.Errorf("%d frames: %d received, %d counted, %d missed", total, got, stats.RxPackets, stats.RxMissed)
	}
}

// A burst of long frames that needs more descriptors than there are: what is lost is lost whole and
// counted, also while the pool is empty.
func TestReceiveJumboMissed(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64, Buffers: 128, MTU: 9000, Room: 1024})
	sent, next, got := 0, 0, 0
	batch := make([]*packet.Buf, 8)
	var held []*packet.Buf
	for round := range 200 {
		for range round % 9 {
			f := frame(60+sent*997%8900, byte(sent))
			binary.BigEndian.PutUint32(f[14:], uint32(sent))
			r.wire.put(f)
			sent++
		}
		r.step()
		n := r.dev.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			f := b.AppendTo(nil)
			at := int(binary.BigEndian.Uint32(f[14:]))
			want := frame(60+at*997%8900, byte(at))
			if binary.BigEndian.PutUint32(want[14:], uint32(at)); at < next || !bytes.Equal(f, want) {
				t.Fatalf("frame %d after %d, %d bytes, want %d", at, next, len(f), len(want))
			}
			next = at + 1
			got++
		}
		if held = append(held, batch[:n]...); round%5 == 4 {
			packet.Free(held)
			held = held[:0]
		}
	}
	packet.Free(held)
	got += len(r.receive())
	if s := r.stats(); s.RxMissed == 0 || s.RxNoBuffer == 0 || got+int(s.RxMissed) != sent || s.RxDropped+s.RxErrors != 0 {
		t.Errorf("%d frames, %d received: %s", sent, got, brief(s))
	}
}

func TestReceivePort(t *testing.T) {
	r := open(t, nic.Config{Port: 201, MTU: 9000, Room: 1024})
	r.wire.put(frame(60, 1))
	r.wire.put(frame(3000, 2))
	r.step()
	batch := make([]*packet.Buf, 4)
	n := r.dev.RxQueue(0).Receive(batch)
	if n != 2 {
		t.Fatalf("%d frames", n)
	}
	for _, b := range batch[:n] {
		for s := b; s != nil; s = s.Next() {
			if s.Port() != 201 || s.Span().Offset() != packet.Headroom {
				t.Errorf("port %d, offset %d", s.Port(), s.Span().Offset())
			}
		}
	}
	packet.Free(batch[:n])
	if p := r.dev.Info().Port; p != 201 {
		t.Errorf("Info: port %d", p)
	}
}

// ip makes a frame of a flow: TCP or UDP over IPv4 or IPv6 between hosts a and b.
func ip(v6, tcp bool, a, b byte, sport, dport uint16) []byte {
	f := frame(90, 0)
	l4 := 34
	if v6 {
		l4 = 54
		binary.BigEndian.PutUint16(f[12:], 0x86dd)
		f[14], f[20] = 0x60, 17
		binary.BigEndian.PutUint16(f[18:], 36)
		f[37], f[53] = a, b
		if tcp {
			f[20] = 6
		}
	} else {
		binary.BigEndian.PutUint16(f[12:], 0x0800)
		f[14], f[23] = 0x45, 17
		binary.BigEndian.PutUint16(f[16:], 76)
		f[20], f[21] = 0, 0
		copy(f[26:], []byte{10, 0, 0, a, 10, 0, 0, b})
		if tcp {
			f[23] = 6
		}
	}
	binary.BigEndian.PutUint16(f[l4:], sport)
	binary.BigEndian.PutUint16(f[l4+2:], dport)
	return f
}

// Frames of one connection meet in one queue, whatever their direction, and connections spread.
func TestReceiveQueues(t *testing.T) {
	for _, queues := range []int{2, 3, 4, 16} {
		t.Run(fmt.Sprint(queues), func(t *testing.T) {
			r := open(t, nic.Config{RxQueues: queues, RxRing: 64, Buffers: 64*queues + 4096})
			seen := make([]int, queues)
			total := 0
			for flow := range 64 {
				v6, tcp := flow&1 != 0, flow&2 != 0
				a, b, sport, dport := byte(flow), byte(200-flow), uint16(1000+flow*7), uint16(80)
				there, back := ip(v6, tcp, a, b, sport, dport), ip(v6, tcp, b, a, dport, sport)
				for i := range 4 {
					f := there
					if i%2 != 0 {
						f = back
					}
					r.wire.put(f)
				}
				r.step()
				home := -1
				for q := range queues {
					n := len(r.receiveFrom(q, 8))
					if n == 0 {
						continue
					}
					if home >= 0 || n != 4 {
						t.Fatalf("flow %d (v6 %v, tcp %v): %d of 4 frames in queue %d", flow, v6, tcp, n, q)
					}
					home = q
					seen[q] += n
					total += n
				}
			}
			for q, n := range seen {
				if n == 0 {
					t.Errorf("queue %d got nothing of 64 flows: %v", q, seen)
				}
				if c := r.counter(fmt.Sprintf("QPRC[%d]", q)); c != uint64(n) {
					t.Errorf("queue %d received %d and counts %d", q, n, c)
				}
			}
			if s := r.stats(); s.RxPackets != uint64(total) || total != 256 {
				t.Errorf("%d received, %d counted, want 256", total, s.RxPackets)
			}
		})
	}
}

// Frames that are damaged or of a forbidden length stay outside and are counted.
func TestReceiveErrors(t *testing.T) {
	r := open(t, nic.Config{})
	good := frame(60, 1)
	r.wire.in = []wire.Frame{
		{Data: good, Bad: true}, {Data: frame(1515, 0)}, {Data: frame(59, 0)}, {Data: good},
		{Data: frame(30, 0), Bad: true}, {Data: frame(2000, 0), Bad: true},
	}
	r.step()
	if got := r.receive(); len(got) != 1 || !bytes.Equal(got[0], good) {
		t.Errorf("received %d frames", len(got))
	}
	if s := r.stats(); s.RxErrors != 5 || s.RxPackets != 1 {
		t.Errorf("%d errors, %d packets, want 5, 1", s.RxErrors, s.RxPackets)
	}
	for _, name := range []string{"CRCERRS", "ROC", "RUC", "RFC", "RJC"} {
		if n := r.counter(name); n != 1 {
			t.Errorf("%s is %d, want 1", name, n)
		}
	}
}

// A frame of which the card has written only a part waits for the rest, over as many calls as that takes.
func TestReceiveParts(t *testing.T) {
	b := newBlank()
	d, err := ixgbe.Prepare(b, nic.Config{RxRing: 64, TxRing: 64, MTU: 9000, Room: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	ring := d.RingMemory(0)
	at := 0
	done := func(size int, end uint64) {
		binary.LittleEndian.PutUint64(ring[at*16+8:], 1|end<<1|uint64(size)<<32)
		at = (at + 1) % 64
	}
	batch := make([]*packet.Buf, 8)
	for round := range 200 {
		parts := 1 + round%9
		for part := range parts {
			end := uint64(0)
			if part == parts-1 {
				end = 1
			}
			done(100+part, end)
			n := d.RxQueue(0).Receive(batch)
			if n != int(end) {
				t.Fatalf("round %d: %d frames after part %d of %d", round, n, part+1, parts)
			}
		}
		if n := batch[0].Segments(); n != parts || batch[0].TotalLen() != 100*parts+parts*(parts-1)/2 {
			t.Fatalf("round %d: %d parts, %d bytes, want %d parts", round, n, batch[0].TotalLen(), parts)
		}
		packet.Free(batch[:1])
	}
}
