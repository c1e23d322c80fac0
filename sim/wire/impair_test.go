package wire

import (
	"bytes"
	"strings"
	"testing"

	"glassnic/internal/traffic"
)

func newImpair(t testing.TB, end End, seed uint64, rx, tx Faults) *Impair {
	t.Helper()
	m, err := NewImpair(end, seed, rx, tx)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var allFaults = Faults{
	Lose: Chance{P: .02}, Bad: Chance{Every: 50}, Flip: Chance{P: .01, Every: 333}, Duplicate: Chance{P: .03}, Reorder: Chance{P: .05},
}

// checkFaults compares a checker's totals, and the frames with a wrong FCS, with what was done to count frames.
func checkFaults(t *testing.T, count, bad uint64, got traffic.Totals, f FaultCounts) {
	t.Helper()
	for name, n := range map[string]uint64{"lost": f.Lost, "bad": f.Bad, "flipped": f.Flipped, "duplicated": f.Duplicated, "reordered": f.Reordered} {
		if n == 0 {
			t.Errorf("no frame was %s", name)
		}
	}
	if got.Frames()+bad != count-f.Lost+f.Duplicated {
		t.Errorf("%d frames and %d bad arrived of %d: %+v", got.Frames(), bad, count, f)
	}
	// A duplicate of a bad or flipped frame is bad or flipped too.
	if bad < f.Bad || bad > f.Bad+f.Duplicated || got.Corrupt > f.Flipped+f.Duplicated {
		t.Errorf("%d bad, %+v: %+v", bad, got, f)
	}
	if got.Foreign+got.Stale != 0 || got.Reordered > f.Reordered {
		t.Errorf("%+v: %+v", got, f)
	}
}

func TestImpairReceive(t *testing.T) {
	const count = 20_000
	for _, batch := range []int{1, 2, 7, 32} {
		src := newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true, Sizes: traffic.IMIX}, Count: count})
		m := newImpair(t, src, 1, allFaults, Faults{})
		var c traffic.Checker
		bad, bytes, frames := uint64(0), uint64(0), make([]Frame, batch)
		for {
			n := m.Receive(frames)
			if n == 0 && src.Stats().RxFrames == count {
				break
			}
			for _, f := range frames[:n] {
				bytes += uint64(len(f.Data))
				if f.Bad {
					bad++
				} else {
					c.Check(f.Data)
				}
			}
		}
		rx, tx := m.FaultCounts()
		checkFaults(t, count, bad, c.Totals(), rx)
		if tx != (FaultCounts{}) {
			t.Error(tx)
		}
		wantStats(t, m, Stats{RxFrames: c.Totals().Frames() + bad, RxBytes: bytes, Dropped: rx.Lost})
	}
}

func TestImpairSend(t *testing.T) {
	const count = 20_000
	for _, batch := range []int{1, 2, 7, 32} {
		src := newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true, Sizes: traffic.IMIX}, Count: count})
		// A full cable makes frames wait in the Impair.
		near, far := Cable()
		m := newImpair(t, near, 2, Faults{}, allFaults)
		var sink Sink
		frames, out := make([]Frame, batch), make([]Frame, 64)
		drain := func() bool {
			n := far.Receive(out)
			sink.Send(out[:n])
			return n > 0
		}
		for n := src.Receive(frames); n > 0; n = src.Receive(frames) {
			for rest := frames[:n]; len(rest) > 0; {
				k := m.Send(rest)
				if rest = rest[k:]; k == 0 && !drain() {
					t.Fatal("stuck")
				}
			}
		}
		for range patience + 1 { // the last frame may wait to be overtaken
			m.Receive(out)
		}
		for drain() {
			m.Receive(out)
		}
		_, tx := m.FaultCounts()
		checkFaults(t, count, sink.Stats().Dropped, sink.Totals(), tx)
		if m.Stats().TxFrames != far.Stats().RxFrames || m.Stats().TxBytes != far.Stats().RxBytes || m.Stats().Dropped != tx.Lost {
			t.Errorf("%+v, %+v", m.Stats(), far.Stats())
		}
	}
}

func TestImpairEvery(t *testing.T) {
	run := func(f Faults) ([]byte, FaultCounts) {
		l := NewLoop()
		m := newImpair(t, l, 1, f, Faults{})
		var frames []Frame
		for i := range byte(9) {
			frames = append(frames, frameOf(60, i))
		}
		l.Send(frames)
		var order []byte
		for _, f := range take(m, 100) {
			order = append(order, f.Data[0])
		}
		rx, _ := m.FaultCounts()
		return order, rx
	}
	for _, test := range []struct {
		faults Faults
		want   []byte
		counts FaultCounts
	}{
		{Faults{}, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}, FaultCounts{}},
		{Faults{Lose: Chance{Every: 3}}, []byte{0, 1, 3, 4, 6, 7}, FaultCounts{Lost: 3}},
		{Faults{Lose: Chance{P: 1}}, nil, FaultCounts{Lost: 9}},
		{Faults{Duplicate: Chance{Every: 4}}, []byte{0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8}, FaultCounts{Duplicated: 2}},
		{Faults{Reorder: Chance{Every: 3}}, []byte{0, 1, 3, 2, 4, 6, 5, 7, 8}, FaultCounts{Reordered: 2}},
		{Faults{Reorder: Chance{P: 1}}, []byte{1, 0, 3, 2, 5, 4, 7, 6, 8}, FaultCounts{Reordered: 4}},
		{Faults{Lose: Chance{Every: 4}, Reorder: Chance{Every: 3}}, []byte{0, 1, 4, 2, 5, 8, 6}, FaultCounts{Lost: 2, Reordered: 2}},
	} {
		if got, counts := run(test.faults); !bytes.Equal(got, test.want) || counts != test.counts {
			t.Errorf("%+v: %v %+v, want %v %+v", test.faults, got, counts, test.want, test.counts)
		}
	}
}

// The same seed gives the same faults, another gives others.
func TestImpairSeed(t *testing.T) {
	run := func(seed uint64) (all []byte) {
		m := newImpair(t, newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true}, Count: 2000}), seed, allFaults, Faults{})
		for _, f := range take(m, 5000) {
			all = append(all, f.Data...)
			if f.Bad {
				all = append(all, 1)
			}
		}
		return all
	}
	if !bytes.Equal(run(5), run(5)) {
		t.Error("one seed, two outcomes")
	}
	if bytes.Equal(run(5), run(6)) {
		t.Error("two seeds, one outcome")
	}
}

// A flip must not reach the memory of the End behind, which is read-only.
func TestImpairFlipCopies(t *testing.T) {
	l := NewLoop()
	m := newImpair(t, l, 1, Faults{}, Faults{Flip: Chance{P: 1}})
	f := frameOf(60, 7)
	m.Send([]Frame{f})
	if !bytes.Equal(f.Data, frameOf(60, 7).Data) {
		t.Error("the sender's frame was changed")
	}
	if got := take(l, 1); bytes.Equal(got[0].Data, f.Data) || got[0].Bad || got[0].Data[0] != 7 || got[0].Data[1] != 7 {
		t.Errorf("% x", got[0].Data)
	}
}

func TestImpairLinkDown(t *testing.T) {
	near, far := Cable()
	m := newImpair(t, near, 1, Faults{Duplicate: Chance{P: 1}}, Faults{Reorder: Chance{P: 1}})
	far.Send([]Frame{frameOf(60, 1), frameOf(60, 2)})
	var one [1]Frame
	if m.Receive(one[:]) != 1 || m.Send([]Frame{frameOf(60, 3)}) != 1 {
		t.Fatal("link is down")
	}
	// Under way: the second copy of frame 1, and frame 3, waiting to be overtaken.
	m.SetUp(false)
	if m.Up() || m.Receive(one[:]) != 0 || m.Send([]Frame{frameOf(60, 4)}) != 1 {
		t.Error("link is up")
	}
	rx, tx := m.FaultCounts()
	if rx.LinkDown != 1 || tx.LinkDown != 2 || m.Stats().Dropped != 3 {
		t.Errorf("%+v %+v %+v", rx, tx, m.Stats())
	}
	m.SetUp(true)
	if !m.Up() || len(take(m, 10)) != 2 || len(take(far, 10)) != 0 {
		t.Error("after the link came back: the frame that waited should arrive twice, and nothing else")
	}
}

func TestImpairClose(t *testing.T) {
	near, far := Cable()
	m := newImpair(t, near, 1, Faults{}, Faults{Reorder: Chance{P: 1}})
	m.Send([]Frame{frameOf(60, 1)})
	if err := m.Close(); err != nil || m.Up() || far.Up() {
		t.Error(err)
	}
	if len(take(far, 10)) != 1 {
		t.Error("the frame under way is gone")
	}

	near, _ = Cable()
	m = newImpair(t, near, 1, Faults{}, Faults{})
	big := make([]Frame, 32)
	for i := range big {
		big[i] = frameOf(MaxFrame, 1)
	}
	m.Send(big)
	if err := m.Close(); err == nil || !strings.Contains(err.Error(), "no more frames") {
		t.Error(err)
	}
	if s := m.Stats(); s.TxFrames+s.Dropped != 32 || s.Dropped == 0 {
		t.Errorf("%+v", s)
	}
}

func TestImpairErrors(t *testing.T) {
	for _, p := range []float64{-.1, 1.1} {
		if _, err := NewImpair(new(None), 1, Faults{}, Faults{Flip: Chance{P: p}}); err == nil {
			t.Errorf("probability %g", p)
		}
	}
	m := newImpair(t, NewPeer(new(None), new(Sink)), 1, Faults{}, Faults{})
	if m.Up() {
		t.Error("up without a cable")
	}
	m.Send([]Frame{frameOf(60, 0)})
	if got := m.Totals(); got.Foreign != 1 {
		t.Error(got)
	}
}
