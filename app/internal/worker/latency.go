package worker

import (
	"slices"
	"sync"
)

// Latency is how long frames took, in nanoseconds.
type Latency struct {
	// Clock is whose times these are: "card" where the port's card stamps what arrives, "kernel" where the kernel does,
	// "host" where they are those of this process.
	Clock  string `json:"clock"`
	Probes uint64 `json:"probes"` // measured
	Lost   uint64 `json:"lost"`   // not, since the frame got lost or one of its times did
	Min    int64  `json:"min_ns"`
	P50    int64  `json:"p50_ns"`
	P99    int64  `json:"p99_ns"`
	Max    int64  `json:"max_ns"`
}

// samples is how many latencies of a run are kept for its percentiles: the last ones.
const samples = 1 << 16

// Latencies collects latencies. Its methods may be called concurrently.
type Latencies struct {
	mu       sync.Mutex
	all      []int64 // a ring
	n        int     // all so far
	lost     uint64
	reported int // of n
	missed   uint64
}

// Record adds a latency.
func (l *Latencies) Record(ns int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) < samples {
		l.all = append(l.all, ns)
	} else {
		l.all[l.n%samples] = ns
	}
	l.n++
}

// Lose counts one that could not be measured.
func (l *Latencies) Lose() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost++
}

// Interval sums up those since it was last called.
func (l *Latencies) Interval(clock string) *Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.last(l.n-l.reported, clock)
	r.Lost = l.lost - l.missed
	l.reported, l.missed = l.n, l.lost
	return r
}

// Total sums all up.
func (l *Latencies) Total(clock string) *Latency {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.last(l.n, clock)
	r.Lost = l.lost
	return r
}

// last sums up the last n, as far as they are kept. The caller holds mu.
func (l *Latencies) last(n int, clock string) *Latency {
	r := &Latency{Clock: clock, Probes: uint64(n)}
	var last []int64
	for i := range min(n, len(l.all)) {
		last = append(last, l.all[(l.n-1-i)%samples])
	}
	if len(last) == 0 {
		return r
	}
	slices.Sort(last)
	r.Min, r.P50, r.P99, r.Max = last[0], last[len(last)/2], last[len(last)*99/100], last[len(last)-1]
	return r
}
