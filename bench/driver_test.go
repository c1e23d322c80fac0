package bench

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"glassnic/driver/textbook"
	"glassnic/internal/cpu"
	"glassnic/nic"
	"glassnic/packet"
)

// Every driver forwards every frame in both modes without allocating. How long it takes is not for a
// test to say.
func TestEveryDriverForwards(t *testing.T) {
	opt := Options{Batches: []int{1, 32, 256}, Drivers: Drivers(), Slice: time.Millisecond, Rounds: 5}
	if have, err := cpu.Allowed(); err == nil && len(have) < 2 {
		opt.Modes = []string{Inline}
	}
	var all []Result
	if err := Driver(context.Background(), opt, func(r Result) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	if want := max(2-len(opt.Modes), 1) * 3 * len(Drivers()); len(all) != want {
		t.Fatalf("%d results, want %d", len(all), want)
	}
	for _, r := range all {
		if r.Packets < 5*supply || r.TicksP50 <= 0 || r.TicksP10 > r.TicksP50 || r.TicksP50 > r.TicksP90 {
			t.Errorf("no measurement: %+v", r)
		}
		if r.Allocs != 0 && !packet.Checking {
			t.Errorf("allocations: %+v", r)
		}
		if (r.Refused > 0) != (r.Mode == Cross) {
			t.Errorf("%d times without a descriptor: the driver is what limits across CPUs, and has its turn inline: %+v", r.Refused, r)
		}
		if r.Mode == Inline && r.Drops != 0 {
			t.Errorf("drops though the ring is never full: %+v", r)
		}
		if (r.OfTextbook > 0) != (r.Driver != "textbook") || (r.OfFloor > 0) != (r.Driver != "floor") ||
			(r.OfGlassnic > 0) != (r.Driver == Metadata) {
			t.Errorf("ratios: %+v", r)
		}
	}
}

// thief is a driver that does not do its work.
type thief struct {
	pair
	spoil func(p pair, batch, want int) (received, dropped int)
}

func (f thief) run(batch, want int) (received, dropped int) { return f.spoil(f.pair, batch, want) }

func TestCheatingDriverIsFound(t *testing.T) {
	for name, spoil := range map[string]func(p pair, batch, want int) (int, int){
		"claims more than it did":   func(p pair, b, w int) (int, int) { n, d := p.run(b, w/2); return 2 * n, d },
		"claims less than it did":   func(p pair, b, w int) (int, int) { n, d := p.run(b, w); return n - 1, d },
		"does nothing":              func(pair, int, int) (int, int) { return 0, 0 },
		"claims without doing":      func(_ pair, _, w int) (int, int) { return w, 0 },
		"claims drops it never had": func(p pair, b, w int) (int, int) { n, _ := p.run(b, w); return n, 1 },
		"does not touch": func(p pair, b, w int) (n, _ int) {
			for ports := p.(*textbookPair).ports; n < w; {
				for i, from := range ports {
					batch := make([]*textbook.Buf, b)
					n += ports[1-i].Send(batch[:from.Receive(batch)])
				}
			}
			return n, 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := newRig(context.Background(), "textbook")
			if err != nil {
				t.Fatal(err)
			}
			honest := r.pair
			r.pair = thief{honest, spoil}
			if err := r.inline(newSlice(100*time.Microsecond), 32); err == nil {
				t.Error("not noticed")
			}
			r.pair = honest
			if err := r.close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOptionsRefused(t *testing.T) {
	for want, o := range map[string]Options{
		"mode":    {Modes: []string{"sideways"}},
		"batch 0": {Batches: []int{0}}, "batch 257": {Batches: []int{257}},
		"textbook":   {Drivers: []string{"dpdk"}},
		"two CPUs":   {CPUs: []int{0}},
		"at least":   {Rounds: -1},
		"-1":         {CPUs: []int{-1, 0}},
		"slices of ": {Slice: -1},
	} {
		err := Driver(context.Background(), o, func(Result) { t.Error("result") })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v does not name %q", o, err, want)
		}
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opt := Options{Modes: []string{Inline}, Batches: []int{32, 64}, Slice: time.Millisecond, Rounds: 2}
	err := Driver(ctx, opt, func(Result) { cancel() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestPercentile(t *testing.T) {
	v := []float64{5, 1, 4, 2, 3}
	for p, want := range map[int]float64{0: 1, 10: 1, 50: 3, 90: 4, 100: 5} {
		if got := percentile(v, p); got != want {
			t.Errorf("percentile %d is %v, want %v", p, got, want)
		}
	}
	if v[0] != 5 || percentile(nil, 50) != 0 {
		t.Error("order changed, or nothing has a median")
	}
	if got := medianRatio([]float64{2, 4, 30}, []float64{1, 2, 3}); got != 2 {
		t.Errorf("median ratio %v", got)
	}
}

func TestTable(t *testing.T) {
	var b strings.Builder
	err := Table(&b, []Result{
		{Mode: Inline, Batch: 1, Driver: "glassnic", TicksP10: 1, TicksP50: 20.25, TicksP90: 30, OfTextbook: 0.5},
		{Mode: Inline, Batch: 1, Driver: "textbook", TicksP50: 40.5},
		{Mode: Cross, Batch: 2, Driver: "floor", TicksP50: 7},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	words := func(i int) []string { return strings.Fields(lines[i]) }
	if got := words(0); !slices.Equal(got, []string{"inline", "glassnic", "textbook", "of", "textbook", "of", "floor"}) {
		t.Errorf("heading %q", got)
	}
	if got := words(1); !slices.Equal(got, []string{"batch", "1", "20.2", "(1.0–30.0)", "40.5", "(0.0–0.0)", "0.50", "-"}) {
		t.Errorf("line %q", got)
	}
	if got := words(3); !slices.Equal(got, []string{"cross", "floor"}) {
		t.Errorf("second heading %q", got)
	}
	b.Reset()
	if err := Table(&b, []Result{
		{Mode: Inline, Batch: 1, Driver: "glassnic", TicksP50: 20}, {Mode: Inline, Batch: 1, Driver: Metadata, TicksP50: 22, OfGlassnic: 1.125},
	}); err != nil {
		t.Fatal(err)
	}
	if f := strings.Fields(b.String()); !strings.Contains(b.String(), "metadata of glassnic") || f[len(f)-1] != "1.12" {
		t.Errorf("%s", &b)
	}
}

// TestMetadata: only the ladder's driver goes without what the card says of frames.
func TestMetadata(t *testing.T) {
	if slices.Contains(Ladder(), Metadata) || !slices.Contains(Drivers(), Metadata) {
		t.Errorf("ladder %v, drivers %v", Ladder(), Drivers())
	}
	for name, want := range map[string]nic.Offloads{"glassnic": 0, Metadata: nic.RxChecksum | nic.RxHash} {
		r, err := newRig(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		for _, port := range r.pair.(*glassnicPair).ports {
			if got := port.Info().Offloads & (nic.RxChecksum | nic.RxHash); got != want {
				t.Errorf("%s: offloads %v, want %v", name, got, want)
			}
		}
		if err := r.close(); err != nil {
			t.Error(err)
		}
	}
}

// The names of the JSON fields are an interface.
func TestJSONNames(t *testing.T) {
	b, err := json.Marshal(Result{OfTextbook: 1, OfFloor: 1, OfGlassnic: 1})
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"mode", "batch", "driver", "ticks_p10", "ticks_p50", "ticks_p90", "packets", "drops", "refused", "allocs", "huge_pages", "of_textbook", "of_floor", "of_glassnic"} {
		if _, ok := m[name]; !ok {
			t.Errorf("no field %s in %s", name, b)
		}
	}
}

// BenchmarkForward is the inline mode at batch 32 for go test -bench: ns/op and ticks/frame of one
// frame, cards included in the former only.
func BenchmarkForward(b *testing.B) {
	for _, name := range Ladder() {
		b.Run(name, func(b *testing.B) {
			r, err := newRig(context.Background(), name)
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			s := newSlice(time.Millisecond)
			var ticks []float64
			for frames := uint64(0); frames < uint64(b.N); frames += s.packets {
				if err := r.inline(s, 32); err != nil {
					b.Fatal(err)
				}
				ticks = append(ticks, s.ticks())
			}
			b.ReportMetric(percentile(ticks, 50), "ticks/frame")
		})
	}
}
