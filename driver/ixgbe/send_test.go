package ixgbe_test

import (
	"fmt"
	"slices"
	"testing"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/iommu"
	"glassnic/sim/wire"
)

// send sends one frame in parts, stepping the card where the ring is full.
func (r *rig) send(data []byte, part int) {
	r.t.Helper()
	batch := []*packet.Buf{r.buf(data, part)}
	for range 3 {
		if r.dev.TxQueue(0).Send(batch) == 1 {
			return
		}
		r.step()
	}
	r.t.Fatal("the ring stays full")
}

// idle makes sure that no buffers are left in the transmit ring but those of sent frames on which no
// report was asked for: fewer than ReportEvery.
func (r *rig) idle(report int) {
	r.t.Helper()
	r.step()
	r.dev.TxQueue(0).Send(nil)
	if held := r.dev.TxHeld(0); held >= report {
		r.t.Errorf("the ring holds %d descriptors of frames that are sent", held)
	}
}

// mostSegments is how many buffers a frame may have: at most 40 descriptors lie between two reports
// (8.2.3.9.10), of which all but one of a stretch may have been used, and 38 are for one frame (7.2.1.1).
func mostSegments(ring, report int) int {
	if report == 0 {
		report = min(32, ring/4)
	}
	return min(38, 40-(report-1), ring-report)
}

func TestSendChains(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64, MTU: 9000, Buffers: 1024})
	var want [][]byte
	for _, part := range []int{1, 2, 13, 14, 59, 60, 61, 300, 2048} {
		for _, size := range []int{17, 18, 38, 59, 60, 61, 299, 1514, 9014, 9022} {
			if (size+part-1)/part > mostSegments(64, 0) {
				continue
			}
			f := frame(size, byte(part))
			r.send(f, part)
			for len(f) < 60 {
				f = append(f, 0) // the card pads
			}
			want = append(want, f)
		}
	}
	r.step()
	same(t, "sent", r.wire.out, want)
	if s := r.stats(); s.TxDropped != 0 || s.TxPackets != uint64(len(want)) {
		t.Errorf("stats %s", brief(s))
	}
	r.idle(32)
}

// Frames that no card could send are taken, dropped and counted, and those around them are sent.
func TestSendUnfit(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64, Buffers: 1024})
	other, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	foreign := func(data []byte) *packet.Buf {
		var b [1]*packet.Buf
		other.Alloc(b[:])
		b[0].SetBytes(data)
		return b[0]
	}
	with := func(b *packet.Buf, at int, part *packet.Buf) *packet.Buf {
		last := b
		for range at - 1 {
			last = last.Next()
		}
		part.SetNext(last.Next())
		last.SetNext(part)
		return b
	}
	good := frame(100, 1)
	unfit := []*packet.Buf{
		r.buf(nil, 1),
		r.buf(frame(14, 0), 14),
		r.buf(frame(16, 0), 16),
		r.buf(frame(16, 0), 8),
		r.buf(frame(1523, 0), 2048),
		r.buf(frame(1523, 0), 1000),
		r.buf(frame(39, 0), 1),
		r.buf(frame(80, 0), 1),
		with(r.buf(good, 50), 1, r.buf(nil, 1)),  // an empty part in the middle
		with(r.buf(good, 100), 1, r.buf(nil, 1)), // and at the end
		foreign(good),
		with(r.buf(good, 50), 2, foreign(good)),
		with(foreign(good), 1, r.buf(good, 100)),
	}
	for i, b := range unfit {
		batch := []*packet.Buf{r.buf(good, 100), b, r.buf(good, 50)}
		if n := r.dev.TxQueue(0).Send(batch); n != 3 {
			t.Fatalf("unfit frame %d: took %d of 3", i, n)
		}
		if s := r.stats(); s.TxDropped != uint64(i+1) {
			t.Errorf("unfit frame %d: %d dropped", i, s.TxDropped)
		}
		r.step()
		if len(r.wire.out) != 2*(i+1) {
			t.Fatalf("unfit frame %d: %d frames sent, want %d", i, len(r.wire.out), 2*(i+1))
		}
	}
	for i := range r.wire.out {
		same(t, "sent", r.wire.out[i:i+1], [][]byte{good})
	}
	if err := other.Close(); err != nil {
		t.Errorf("the foreign pool: %v", err)
	}
	r.idle(32)
}

// Frames that lack their tag or their checksum get it before the card sends them; the one whose checksum cannot be is
// dropped.
func TestSendIncomplete(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64, Buffers: 1024})
	for _, part := range []int{200, 40} {
		whole := frame(200, 1)
		tagged := slices.Concat(whole[:12], []byte{0x81, 0, 0x20, 5}, whole[12:])
		summed := slices.Clone(tagged)
		copy(summed[54:], []byte{0x41, 0xfb}) // RFC 1071, worked out apart
		batch := []*packet.Buf{r.buf(whole, part), r.buf(whole, part), r.buf(whole, part), r.buf(whole, part)}
		batch[1].SetVLAN(0x2005)
		batch[2].SetVLAN(0x2005)
		batch[2].SetChecksum(34, 16)
		batch[3].SetChecksum(34, 165)
		before := r.stats().TxDropped
		if n := r.dev.TxQueue(0).Send(batch); n != 4 {
			t.Fatalf("took %d of 4", n)
		}
		r.step()
		same(t, "sent", r.wire.out, [][]byte{whole, tagged, summed})
		if n := r.stats().TxDropped - before; n != 1 {
			t.Errorf("%d dropped, want 1", n)
		}
		r.wire.out = nil
	}
}

// The write-back threshold takes its part of the card's descriptors.
func TestSendUnfitThreshold(t *testing.T) {
	r := open(t, nic.Config{TxThresholds: &nic.Thresholds{Prefetch: 8, WriteBack: 30}, ReportEvery: 1})
	r.send(frame(80, 1), 10)
	r.send(frame(80, 2), 9)
	r.send(frame(80, 3), 80)
	r.step()
	same(t, "sent", r.wire.out, [][]byte{frame(80, 1), frame(80, 3)})
	if n := r.stats().TxDropped; n != 1 {
		t.Errorf("%d dropped, want 1", n)
	}
}

// A full ring takes a prefix; the caller keeps the rest and loses nothing.
func TestSendFull(t *testing.T) {
	for _, part := range []int{100, 30} { // one buffer and four
		r := open(t, nic.Config{TxRing: 64, Buffers: 1024})
		r.wire.full = true
		var want [][]byte
		var batch []*packet.Buf
		for i := range 100 {
			want = append(want, frame(100, byte(i)))
			batch = append(batch, r.buf(want[i], part))
		}
		q := r.dev.TxQueue(0)
		n := q.Send(batch)
		if most := 63 / batch[0].Segments(); n != most {
			t.Fatalf("an empty ring took %d frames, want %d", n, most)
		}
		r.step()
		if m := q.Send(batch[n:]); m != 0 {
			t.Fatalf("a full ring took %d frames", m)
		}
		if len(r.wire.out) != 0 {
			t.Fatal("a wire that is full took something")
		}
		r.wire.full = false
		for try := 0; n < len(batch); try++ {
			if try > 20 {
				t.Fatalf("stuck after %d frames", n)
			}
			r.step()
			n += q.Send(batch[n:])
		}
		r.step()
		same(t, "sent", r.wire.out, want)
		r.idle(32)
	}
}

// Buffers come back after every report, whatever the interval, and Send(nil) is enough to get them.
func TestSendReports(t *testing.T) {
	for _, report := range []int{1, 2, 3, 7, 8, 31, 32} {
		for _, part := range []int{60, 25} {
			t.Run(fmt.Sprint(report, part), func(t *testing.T) {
				r := open(t, nic.Config{RxRing: 64, TxRing: 64, ReportEvery: report, Buffers: 1024})
				testReports(t, r, report, part)
			})
		}
	}
	r := open(t, nic.Config{TxRing: 128, ReportEvery: 32})
	testReports(t, r, 32, 60)
	r = open(t, nic.Config{TxRing: 64, ReportEvery: 1, TxThresholds: &nic.Thresholds{Prefetch: 32, Host: 4, WriteBack: 4}})
	testReports(t, r, 1, 60)
	testReports(t, r, 1, 25)
}

func testReports(t *testing.T, r *rig, report, part int) {
	q := r.dev.TxQueue(0)
	free := r.dev.Info().TxRing - 1
	for i := range 300 {
		r.wire.out = nil
		b := r.buf(frame(60, byte(i)), part)
		used := b.Segments()
		if q.Send([]*packet.Buf{b}) == 0 {
			t.Fatalf("frame %d finds a full ring, though all before are sent", i)
		}
		r.step()
		if len(r.wire.out) != 1 {
			t.Fatalf("frame %d: %d sent", i, len(r.wire.out))
		}
		q.Send(nil)
		// Fewer than a report's worth is left in the ring: the rest takes new frames.
		if i%50 == 49 {
			r.wire.full = true
			var batch []*packet.Buf
			for range free {
				batch = append(batch, r.buf(frame(60, 0), 60))
			}
			n := q.Send(batch)
			if least := free - report - used + 1; n < least {
				t.Fatalf("frame %d: the ring has room for %d frames, want %d or more", i, n, least)
			}
			packet.Free(batch[n:])
			r.wire.full = false
			r.step()
			q.Send(nil)
		}
	}
	r.idle(report)
}

// A report is asked for at least once in ReportEvery descriptors, and only at the end of a frame.
func TestSendAsks(t *testing.T) {
	r := open(t, nic.Config{TxRing: 64, ReportEvery: 8})
	r.wire.full = true
	for i := range 12 {
		r.send(frame(60, 0), []int{60, 20, 12}[i%3])
	}
	since := 0
	for i, w1 := range r.dev.TxCommands(0) {
		if w1 == 0 {
			break
		}
		since++
		if w1&chip.TxDCMDRS != 0 {
			if w1&chip.TxDCMDEOP == 0 {
				t.Errorf("descriptor %d: RS without EOP", i)
			}
			if since < 8 || since > 8+4 {
				t.Errorf("descriptor %d: %d descriptors in one report", i, since)
			}
			since = 0
		}
	}
	r.wire.full = false
	r.step()
}

// The whole way of a packet allocates nothing.
func TestNoAllocations(t *testing.T) {
	r := open(t, nic.Config{RxRing: 128, TxRing: 128, MTU: 9000})
	r.wire.quiet = true
	rx, tx := r.dev.RxQueue(0), r.dev.TxQueue(0)
	batch := make([]*packet.Buf, 32)
	arriving := make([]wire.Frame, 32)
	for i := range arriving {
		arriving[i].Data = frame(60, byte(i))
	}
	arriving[20].Data = frame(5000, 0)
	moved := 0
	n := testing.AllocsPerRun(200, func() {
		r.wire.in = arriving
		r.sim.Card.Step(256)
		n := rx.Receive(batch)
		moved += tx.Send(batch[:n])
		r.sim.Card.Step(256)
	})
	// A poolcheck build remembers call stacks, still without allocations.
	if n != 0 {
		t.Errorf("%v allocations per batch", n)
	}
	if moved < 200*32 {
		t.Errorf("only %d frames went through", moved)
	}
}

// A frame of several buffers finds room behind an open stretch, whose buffers come back only later, and
// at most 40 descriptors lie between two reports (8.2.3.9.10).
func TestSendLongBehindShort(t *testing.T) {
	for _, report := range []int{1, 8, 24, 32} {
		r := open(t, nic.Config{TxRing: 64, ReportEvery: report})
		most := mostSegments(64, report)
		for i := range 200 {
			for range report - 1 {
				r.send(frame(60, byte(i)), 60)
			}
			r.step()
			r.send(frame(most*20, byte(i)), 20)
			r.step()
			if (i+1)*(report-1+most) > 63 {
				continue // the second turn of the ring
			}
			since := 0
			for _, w1 := range r.dev.TxCommands(0)[:(i+1)*(report-1+most)] {
				if since++; since > chip.TxDescMax {
					t.Fatalf("report every %d: %d descriptors without RS", report, since)
				}
				if w1&chip.TxDCMDRS != 0 {
					since = 0
				}
			}
		}
	}
}
