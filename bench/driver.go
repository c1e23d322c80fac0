// Package bench measures what a driver costs: ticks of the time stamp counter for each frame that is
// received, touched and sent on.
//
// Two modelled cards always have frames of 60 bytes waiting. The driver forwards them in both
// directions and increments byte 1 of each, which brings the frame into the cache, as any application
// would. The same run alternates between several drivers in short slices, so that a processor that
// changes its clock, or a neighbour that takes the cache, meets all of them alike.
//
// Two modes answer two questions. "inline" steps the cards in the driver's thread and stops the
// clock meanwhile: it is the driver's own work. "cross" has the cards poll on another CPU, reduced to
// their data path so that they are quicker than any driver: it adds what cache lines cost that go back and
// forth, as they do between a CPU and a card.
package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"glassnic/internal/cpu"
)

// The modes.
const (
	Inline = "inline"
	Cross  = "cross"
)

// Options say what Driver measures. The zero value measures everything in about half a minute.
type Options struct {
	Modes   []string      // empty: Inline and Cross
	Batches []int         // most frames received at once, 1 to 256; empty: 1, 2, 4 … 256
	Drivers []string      // from Drivers(); empty: glassnic, textbook, floor
	Slice   time.Duration // length of one measurement; 0: 25 ms
	Rounds  int           // slices per driver, batch and mode; 0: 20
	CPUs    []int         // the driver's, then the cards'; empty: the first two that may be used
}

// Result is what one driver took at one batch size in one mode. Ticks are those of package tsc, per
// frame. Percentiles are over slices; a slice's value is the median of its parts of some hundred or
// thousand frames.
type Result struct {
	Mode     string  `json:"mode"`
	Batch    int     `json:"batch"`
	Driver   string  `json:"driver"`
	TicksP10 float64 `json:"ticks_p10"`
	TicksP50 float64 `json:"ticks_p50"`
	TicksP90 float64 `json:"ticks_p90"`
	Packets  uint64  `json:"packets"` // forwarded while measuring
	Drops    uint64  `json:"drops"`   // received but not sent, the transmit ring being full
	Refused  uint64  `json:"refused"` // times in mode cross that a card had frames and not one descriptor for them
	Allocs   uint64  `json:"allocs"`  // on the Go heap, of the median slice

	HugePages bool `json:"huge_pages"` // rings and buffers lie in the system's huge pages

	// What the driver took in terms of another that ran along, as the median over rounds: both slices of
	// a round met the same clock and the same neighbours, nearly. 0 where the other did not run.
	OfTextbook float64 `json:"of_textbook,omitempty"`
	OfFloor    float64 `json:"of_floor,omitempty"`
	OfGlassnic float64 `json:"of_glassnic,omitempty"` // of Metadata alone
}

func (o Options) defaults() (Options, error) {
	if len(o.Modes) == 0 {
		o.Modes = []string{Inline, Cross}
	}
	if len(o.Batches) == 0 {
		o.Batches = []int{1, 2, 4, 8, 16, 32, 64, 128, 256}
	}
	if len(o.Drivers) == 0 {
		o.Drivers = []string{"glassnic", "textbook", "floor"}
	}
	if o.Slice == 0 {
		o.Slice = 25 * time.Millisecond
	}
	if o.Rounds == 0 {
		o.Rounds = 20
	}
	for _, m := range o.Modes {
		if m != Inline && m != Cross {
			return o, fmt.Errorf("bench: no mode %q: have %s and %s", m, Inline, Cross)
		}
	}
	for _, b := range o.Batches {
		if b < 1 || b > maxBatch {
			return o, fmt.Errorf("bench: batch %d: want 1 to %d", b, maxBatch)
		}
	}
	for _, d := range o.Drivers {
		if _, err := kindOf(d); err != nil {
			return o, err
		}
	}
	if o.Slice < 0 || o.Rounds < 0 {
		return o, fmt.Errorf("bench: %d slices of %v: want at least one", o.Rounds, o.Slice)
	}
	cross := slices.Contains(o.Modes, Cross)
	if len(o.CPUs) == 0 {
		have, err := cpu.Allowed()
		if err != nil && !errors.Is(err, cpu.ErrUnsupported) {
			return o, err
		}
		if err == nil && len(have) < 2 && cross {
			return o, fmt.Errorf("bench: mode %s needs two CPUs, this process may use %v: take --mode %s", Cross, have, Inline)
		}
		o.CPUs = have
	} else if len(o.CPUs) < 2 && cross {
		return o, fmt.Errorf("bench: mode %s needs two CPUs, not %v", Cross, o.CPUs)
	}
	return o, nil
}

// Driver measures drivers and calls report, from its own goroutine, for each result as soon as it is
// known: all drivers of a batch size, then the next. It fails where a driver loses a frame or changes
// one wrongly. The garbage collector is off meanwhile.
func Driver(ctx context.Context, opt Options, report func(Result)) (err error) {
	opt, err = opt.defaults()
	if err != nil {
		return err
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	// The goroutine ends with its thread, which is pinned.
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		done <- run(ctx, opt, report)
	}()
	return <-done
}

func run(ctx context.Context, opt Options, report func(Result)) (err error) {
	if len(opt.CPUs) > 0 {
		if err := cpu.Pin(opt.CPUs[0]); err != nil {
			return err
		}
	}
	var rigs []*rig
	defer func() {
		for _, r := range rigs {
			err = errors.Join(err, r.close())
		}
	}()
	for _, name := range opt.Drivers {
		r, err := newRig(ctx, name)
		if err != nil {
			return err
		}
		rigs = append(rigs, r)
	}
	for _, mode := range opt.Modes {
		for _, batch := range opt.Batches {
			results, err := compare(ctx, opt, rigs, mode, batch)
			if err != nil {
				return err
			}
			for _, r := range results {
				report(r)
			}
		}
	}
	return nil
}

// compare alternates between the drivers at one batch size.
func compare(ctx context.Context, opt Options, rigs []*rig, mode string, batch int) ([]Result, error) {
	measure := (*rig).inline
	if mode == Cross {
		measure = func(r *rig, s *slice, batch int) error {
			model := -1
			if len(opt.CPUs) > 1 {
				model = opt.CPUs[1]
			}
			return r.cross(s, batch, model)
		}
	}
	results := make([]Result, len(rigs))
	ticks, allocs := make([][]float64, len(rigs)), make([][]float64, len(rigs)) // by driver and round
	s := newSlice(opt.Slice)
	runtime.GC()
	for round := range opt.Rounds {
		for k := range rigs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			i := (k + round) % len(rigs)
			if err := measure(rigs[i], s, batch); err != nil {
				return nil, fmt.Errorf("bench: %s, batch %d, %s: %w", mode, batch, rigs[i].name, err)
			}
			ticks[i] = append(ticks[i], s.ticks())
			allocs[i] = append(allocs[i], float64(s.allocs))
			results[i].Packets += s.packets
			results[i].Drops += s.drops
			results[i].Refused += s.refused
		}
	}
	for i, r := range rigs {
		results[i].Mode, results[i].Batch, results[i].Driver = mode, batch, r.name
		results[i].HugePages = r.shared.Huge()
		results[i].TicksP10 = percentile(ticks[i], 10)
		results[i].TicksP50 = percentile(ticks[i], 50)
		results[i].TicksP90 = percentile(ticks[i], 90)
		results[i].Allocs = uint64(percentile(allocs[i], 50))
		for k, other := range rigs {
			switch {
			case other.name == "textbook" && k != i:
				results[i].OfTextbook = medianRatio(ticks[i], ticks[k])
			case other.name == "glassnic" && r.name == Metadata:
				results[i].OfGlassnic = medianRatio(ticks[i], ticks[k])
			case other.name == "floor" && k != i:
				results[i].OfFloor = medianRatio(ticks[i], ticks[k])
			}
		}
	}
	return results, nil
}
