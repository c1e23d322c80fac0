package wire

import (
	"bytes"
	"runtime"
	"sync"
	"testing"
	"time"

	"glassnic/internal/traffic"
)

var (
	_ Counted = (*CableEnd)(nil)
	_ Counted = (*Loop)(nil)
	_ Counted = (*None)(nil)
	_ Counted = (*Source)(nil)
	_ Counted = (*Sink)(nil)
	_ Counted = (*Discard)(nil)
	_ Counted = (*Peer)(nil)
	_ Counted = (*Tap)(nil)
	_ Counted = (*Pcap)(nil)
	_ Counted = (*Impair)(nil)
	_ Checked = (*Sink)(nil)
	_ Checked = (*Peer)(nil)
	_ Checked = (*Impair)(nil)
)

// fakeClock is a clock that tests set.
type fakeClock struct{ now time.Duration }

func (c *fakeClock) clock() time.Duration { return c.now }

func newSource(t testing.TB, cfg SourceConfig) *Source {
	t.Helper()
	s, err := NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// take receives until an End has nothing, or n frames, and copies them.
func take(e End, n int) (got []Frame) {
	var batch [16]Frame
	for len(got) < n {
		k := e.Receive(batch[:min(len(batch), n-len(got))])
		if k == 0 {
			break
		}
		for _, f := range batch[:k] {
			got = append(got, keep(f))
		}
	}
	return got
}

func frameOf(n int, fill byte) Frame { return Frame{Data: bytes.Repeat([]byte{fill}, n)} }

func wantStats(t *testing.T, e Counted, want Stats) {
	t.Helper()
	if got := e.Stats(); got != want {
		t.Errorf("%T: %+v, want %+v", e, got, want)
	}
}

func TestCable(t *testing.T) {
	a, b := Cable()
	sent := []Frame{frameOf(60, 1), frameOf(MaxFrame, 2), {Data: []byte{3}, Bad: true}}
	if n := a.Send(sent); n != 3 {
		t.Fatalf("%d frames taken of 3", n)
	}
	sent[0].Data[0] = 99 // what was sent is the sender's again
	if n := b.Send([]Frame{frameOf(70, 4)}); n != 1 {
		t.Fatal(n)
	}
	sent[0].Data[0] = 1
	got := take(b, 10)
	if len(got) != 3 {
		t.Fatalf("%d frames arrived, want 3", len(got))
	}
	for i := range got {
		if !bytes.Equal(got[i].Data, sent[i].Data) || got[i].Bad != sent[i].Bad {
			t.Errorf("frame %d is not the one sent", i)
		}
	}
	if got := take(a, 10); len(got) != 1 || len(got[0].Data) != 70 {
		t.Error("back:", len(got))
	}
	wantStats(t, a, Stats{TxFrames: 3, TxBytes: 60 + MaxFrame + 1, RxFrames: 1, RxBytes: 70})
	wantStats(t, b, Stats{RxFrames: 3, RxBytes: 60 + MaxFrame + 1, TxFrames: 1, TxBytes: 70})
}

func TestCableFull(t *testing.T) {
	a, b := Cable()
	batch := make([]Frame, 64)
	for i := range batch {
		batch[i] = frameOf(1514, byte(i))
	}
	total := 0
	for {
		n := a.Send(batch)
		total += n
		if n < len(batch) {
			break
		}
	}
	if total < 160 || total > queueBytes/1514 {
		t.Errorf("%d frames of 1514 fit", total)
	}
	wantStats(t, a, Stats{TxFrames: uint64(total), TxBytes: uint64(total) * 1514})
	if n := a.Send(batch); n != 0 {
		t.Errorf("a full queue took %d frames", n)
	}
	var out [8]Frame
	n := b.Receive(out[:])
	if n != 8 || a.Send(batch) != 0 {
		t.Error("frames handed out are still in use, and their room was given away")
	}
	b.Receive(out[:0])
	if n := a.Send(batch); n != 8 {
		t.Errorf("after 8 frames were released %d fit", n)
	}
	if got := take(b, 1000); len(got) != total {
		t.Errorf("%d frames arrived after 8, want %d", len(got), total)
	}
}

func TestCableRefuses(t *testing.T) {
	a, b := Cable()
	batch := []Frame{{}, frameOf(60, 1), frameOf(MaxFrame+1, 2), frameOf(61, 3), {}}
	if n := a.Send(batch); n != len(batch) {
		t.Fatal(n)
	}
	if got := take(b, 10); len(got) != 2 || len(got[0].Data) != 60 || len(got[1].Data) != 61 {
		t.Error(got)
	}
	wantStats(t, a, Stats{TxFrames: 2, TxBytes: 121, Dropped: 3})
}

func TestCableClose(t *testing.T) {
	a, b := Cable()
	a.Send([]Frame{frameOf(60, 1)})
	if !a.Up() || !b.Up() {
		t.Error("no link")
	}
	if err := b.Close(); err != nil || a.Up() || b.Up() {
		t.Error("link is up after close", err)
	}
	if got := take(b, 10); len(got) != 1 {
		t.Error("the frame sent before is gone")
	}
	if n := a.Send([]Frame{frameOf(60, 1), frameOf(60, 2)}); n != 2 {
		t.Error(n)
	}
	wantStats(t, a, Stats{TxFrames: 1, TxBytes: 60, Dropped: 2})
}

// The two ends in two goroutines, with all sizes, under the race detector where it is on.
func TestCableConcurrent(t *testing.T) {
	a, b := Cable()
	const count = 20_000
	src := newSource(t, SourceConfig{Spec: traffic.Spec{Sizes: []int{60, 9000, 61, 590, 16000, 1514, 67}, Seq: true}, Count: count})
	var wg sync.WaitGroup
	wg.Go(func() {
		var batch [32]Frame
		for {
			n := src.Receive(batch[:])
			if n == 0 {
				return
			}
			for rest := batch[:n]; len(rest) > 0; {
				n := a.Send(rest)
				if rest = rest[n:]; n == 0 {
					runtime.Gosched()
				}
			}
		}
	})
	var sink Sink
	var batch [32]Frame
	for sink.Totals().Frames() < count {
		n := b.Receive(batch[:])
		sink.Send(batch[:n])
		if n == 0 {
			runtime.Gosched()
		}
	}
	wg.Wait()
	if got := sink.Totals(); got != (traffic.Totals{OK: count}) {
		t.Errorf("%+v", got)
	}
	if tx, rx := a.Stats(), b.Stats(); tx.TxBytes != rx.RxBytes || rx.RxFrames != count {
		t.Errorf("%+v, %+v", tx, rx)
	}
}

func TestLoop(t *testing.T) {
	l := NewLoop()
	l.Send([]Frame{frameOf(60, 1), frameOf(80, 2)})
	if got := take(l, 10); len(got) != 2 || got[1].Data[0] != 2 || len(got[1].Data) != 80 {
		t.Error(got)
	}
	wantStats(t, l, Stats{TxFrames: 2, TxBytes: 140, RxFrames: 2, RxBytes: 140})
	if !l.Up() || l.Close() != nil {
		t.Error("down")
	}
}

func TestNone(t *testing.T) {
	var none None
	if none.Up() || none.Receive(make([]Frame, 4)) != 0 || none.Send(make([]Frame, 4)) != 4 {
		t.Error("a port without a cable is connected")
	}
	wantStats(t, &none, Stats{Dropped: 4})
}
