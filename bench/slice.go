package bench

import (
	"runtime"
	"slices"
	"time"

	"glassnic/internal/tsc"
)

// slice is one measurement: the ticks per frame of each of its parts.
type slice struct {
	length   uint64 // ticks
	end      uint64 // when it is over
	overhead uint64 // ticks of reading the counter
	parts    []float64
	packets  uint64
	drops    uint64
	refused  uint64
	allocs   uint64
	mem      runtime.MemStats
}

func newSlice(length time.Duration) *slice {
	return &slice{
		length:   uint64(length.Seconds() * tsc.Hz()),
		overhead: tsc.Overhead(),
		parts:    make([]float64, 0, 1<<16),
	}
}

// start begins a measurement.
func (s *slice) start() {
	s.parts = s.parts[:0]
	s.packets, s.drops, s.refused = 0, 0, 0
	runtime.ReadMemStats(&s.mem)
	s.allocs = s.mem.Mallocs
	s.end = tsc.Read() + s.length
}

// over tells whether the slice has lasted its length and has at least one part.
func (s *slice) over() bool { return len(s.parts) > 0 && tsc.Read() >= s.end }

// stop ends the measurement.
func (s *slice) stop() {
	runtime.ReadMemStats(&s.mem)
	s.allocs = s.mem.Mallocs - s.allocs
}

// add notes one part.
func (s *slice) add(ticks uint64, packets, drops int) {
	s.packets += uint64(packets)
	s.drops += uint64(drops)
	if packets > 0 && len(s.parts) < cap(s.parts) {
		s.parts = append(s.parts, float64(ticks-min(ticks, s.overhead))/float64(packets))
	}
}

// ticks is the slice's value: ticks per frame of the median part.
func (s *slice) ticks() float64 { return percentile(s.parts, 50) }

// percentile returns the nearest rank of values, 0 where there are none. It leaves their order alone.
func percentile(values []float64, p int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)*p/100]
}

// medianRatio is the median of a[i]/b[i].
func medianRatio(a, b []float64) float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return percentile(ratios, 50)
}
