// Package tsc reads the processor's time stamp counter: the clock of the benchmarks, since reading
// it costs some 20 cycles and no system call.
//
// On amd64 it is the TSC, on arm64 the virtual counter CNTVCT_EL0, elsewhere the monotonic clock
// in nanoseconds. Ticks are of constant length, independent of the core's clock.
package tsc

import (
	"sync"
	"time"
)

// measure is how long Hz compares the two clocks: 20 ms make the result good to about 10 ppm.
const measure = 20 * time.Millisecond

// Hz returns how many ticks there are in a second. The first call takes about 20 ms, since it measures
// against the monotonic clock. It is safe for concurrent use.
func Hz() float64 { return hz() }

var hz = sync.OnceValue(func() float64 {
	t0, c0 := both()
	time.Sleep(measure)
	t1, c1 := both()
	return float64(c1-c0) / t1.Sub(t0).Seconds()
})

// both reads the two clocks as closely together as it can: of a few attempts it takes the quickest,
// which no interrupt came between.
func both() (t time.Time, ticks uint64) {
	quickest := ^uint64(0)
	for range 16 {
		before := Read()
		now := time.Now()
		after := Read()
		if d := after - before; d < quickest {
			quickest, t, ticks = d, now, before+d/2
		}
	}
	return t, ticks
}

// Overhead returns the least number of ticks that lie between two reads in a row, to be taken off a
// measured interval.
func Overhead() uint64 {
	least := ^uint64(0)
	for range 1000 {
		t := Read()
		least = min(least, Read()-t)
	}
	return least
}
