package wire

import (
	"strings"
	"testing"
	"time"

	"glassnic/internal/traffic"
)

func TestSourceToSink(t *testing.T) {
	for _, spec := range []traffic.Spec{
		{Seq: true}, {Seq: true, Sizes: traffic.IMIX}, {Seq: true, Flows: 7, Template: traffic.TCP4}, {},
		{Seq: true, Sizes: []int{60, 61}, Stream: 9}, {Template: traffic.UDP6, Seq: true, Size: 9000},
	} {
		src := newSource(t, SourceConfig{Spec: spec, Count: 1000})
		var sink Sink
		var batch [32]Frame
		frames, bytes := uint64(0), uint64(0)
		for n := src.Receive(batch[:]); n > 0; n = src.Receive(batch[:]) {
			for _, f := range batch[:n] {
				frames++
				bytes += uint64(len(f.Data))
			}
			sink.Send(batch[:n])
		}
		if got := sink.Totals(); got != (traffic.Totals{OK: 1000}) {
			t.Errorf("%+v: %+v", spec, got)
		}
		wantStats(t, src, Stats{RxFrames: 1000, RxBytes: bytes})
		wantStats(t, &sink, Stats{TxFrames: frames, TxBytes: bytes})
	}
}

// All frames of one call are valid together, however many are asked for.
func TestSourceBigBatch(t *testing.T) {
	for _, sizes := range [][]int{{60}, {60, 61}, sizes128()} {
		src := newSource(t, SourceConfig{Spec: traffic.Spec{Sizes: sizes, Seq: true}})
		batch := make([]Frame, 1000)
		var c traffic.Checker
		for range 20 {
			n := src.Receive(batch)
			if n < 64 {
				t.Fatalf("%d frames", n)
			}
			for _, f := range batch[:n] {
				if v := c.Check(f.Data); v != traffic.OK {
					t.Fatal(v)
				}
			}
		}
	}
}

func sizes128() (sizes []int) {
	for i := range 128 {
		sizes = append(sizes, 60+i)
	}
	return sizes
}

func TestSourcePaced(t *testing.T) {
	var c fakeClock
	c.now = 5 * time.Hour
	src := newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true}, Rate: 1000, Count: 150, Clock: c.clock})
	for _, step := range []struct {
		after time.Duration
		want  int
	}{
		{0, 1}, {0, 0}, {999 * time.Microsecond, 0}, {time.Microsecond, 1}, {10 * time.Millisecond, 10}, {0, 0},
		{-time.Second, 0}, {time.Second + 90*time.Millisecond, 90}, {time.Hour, 48}, {time.Hour, 0},
	} {
		c.now += step.after
		if got := len(take(src, 1000)); got != step.want {
			t.Errorf("at %v: %d frames, want %d", c.now, got, step.want)
		}
	}
}

// A day at full 10 GbE rate loses no frame to rounding.
func TestSourceLongRun(t *testing.T) {
	var c fakeClock
	src := newSource(t, SourceConfig{Rate: 14_880_952, Clock: c.clock})
	src.Receive(nil)
	c.now = 24 * time.Hour
	if due, want := src.due(), uint64(14_880_952*86400+1); due != want {
		t.Errorf("%d frames due, want %d", due, want)
	}
}

func TestSourceErrors(t *testing.T) {
	for want, cfg := range map[string]SourceConfig{
		"rate -1":   {Rate: -1},
		"rate 2e":   {Rate: 2e9},
		"size 1":    {Spec: traffic.Spec{Size: 1}},
		"1e9 frame": {Rate: func() float64 { var z float64; return z / z }()},
	} {
		if _, err := NewSource(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
	src := newSource(t, SourceConfig{})
	if n := src.Send([]Frame{frameOf(60, 1)}); n != 1 || !src.Up() || src.Close() != nil {
		t.Error(n)
	}
	wantStats(t, src, Stats{Dropped: 1})
}

func TestPeer(t *testing.T) {
	src := newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true}})
	p := NewPeer(src, new(Sink))
	var batch [40]Frame
	n := p.Receive(batch[:])
	p.Send(batch[:10])
	p.Send(batch[20:n])
	p.Send([]Frame{{Data: batch[n-1].Data, Bad: true}, frameOf(60, 0)})
	if got, want := p.Totals(), (traffic.Totals{OK: 30, Lost: 10, Foreign: 1}); n != 40 || got != want {
		t.Errorf("%d frames, %+v, want %+v", n, got, want)
	}
	wantStats(t, p, Stats{RxFrames: 40, RxBytes: 40 * 60, TxFrames: 31, TxBytes: 31 * 60, Dropped: 1})
	if NewPeer(src, new(None)).Up() || !p.Up() {
		t.Error("up")
	}
	if got := NewPeer(src, new(Discard)).Totals(); got != (traffic.Totals{}) {
		t.Error(got)
	}
}

func TestDiscard(t *testing.T) {
	var d Discard
	if n := d.Send([]Frame{frameOf(60, 1), frameOf(90, 1)}); n != 2 || d.Receive(make([]Frame, 1)) != 0 || !d.Up() {
		t.Error(n)
	}
	wantStats(t, &d, Stats{TxFrames: 2, TxBytes: 150})
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	src := newSource(t, SourceConfig{Spec: traffic.Spec{Seq: true}})
	a, b := Cable()
	var sink Sink
	var d Discard
	var batch [32]Frame
	sink.Send(batch[:src.Receive(batch[:])])
	if n := testing.AllocsPerRun(100, func() {
		n := src.Receive(batch[:])
		a.Send(batch[:n])
		n = b.Receive(batch[:])
		sink.Send(batch[:n])
		d.Send(batch[:n])
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if got := sink.Totals(); got.OK != got.Frames() {
		t.Error(got)
	}
}

func BenchmarkSourceReceive32(b *testing.B) {
	src := newSource(b, SourceConfig{Spec: traffic.Spec{Seq: true}})
	var batch [32]Frame
	for i := 0; i < b.N; i += 32 {
		src.Receive(batch[:])
	}
}

func BenchmarkDiscardSend32(b *testing.B) {
	var d Discard
	batch := make([]Frame, 32)
	for i := range batch {
		batch[i] = frameOf(60, 1)
	}
	for i := 0; i < b.N; i += 32 {
		d.Send(batch)
	}
}

// BenchmarkSourceSink32 includes the source.
func BenchmarkSourceSink32(b *testing.B) {
	src := newSource(b, SourceConfig{Spec: traffic.Spec{Seq: true}})
	var sink Sink
	var batch [32]Frame
	for i := 0; i < b.N; i += 32 {
		sink.Send(batch[:src.Receive(batch[:])])
	}
}

// BenchmarkCable32 includes the source.
func BenchmarkCable32(b *testing.B) {
	src := newSource(b, SourceConfig{Spec: traffic.Spec{Seq: true}})
	x, y := Cable()
	var batch [32]Frame
	for i := 0; i < b.N; i += 32 {
		x.Send(batch[:src.Receive(batch[:])])
		y.Receive(batch[:])
	}
}
