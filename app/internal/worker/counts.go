package worker

import (
	"math"
	"sync"
)

// PublishEvery is after how many loops a worker publishes its counters at the latest.
const PublishEvery = 256

// Published is the copy of a worker's counters that others read. All fields of T are of the same
// moment.
type Published[T any] struct {
	mu sync.Mutex
	v  T
}

// Offer publishes v unless somebody reads at this moment: a worker never waits for a reader.
func (p *Published[T]) Offer(v *T) bool {
	if !p.mu.TryLock() {
		return false
	}
	p.v = *v
	p.mu.Unlock()
	return true
}

// Put publishes v, for the end of a loop.
func (p *Published[T]) Put(v *T) {
	p.mu.Lock()
	p.v = *v
	p.mu.Unlock()
}

// Get returns what was published last.
func (p *Published[T]) Get() T {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.v
}

// Framing is how many bytes Ethernet adds to each frame as it is counted here: preamble and start
// delimiter 8, FCS 4, gap between frames 12 (IEEE 802.3, 3.1.1 and 4.4.2).
const Framing = 24

// Rate is how fast frames went.
type Rate struct {
	Mpps float64 `json:"mpps"`
	// Mbit is the rate of the frames without FCS, MbitFramed with all that Ethernet puts around them,
	// as it fills a link; both in Mbit/s.
	Mbit       float64 `json:"mbit_s"`
	MbitFramed float64 `json:"mbit_s_framed"`
}

// RateOf returns the rate of frames within a time; zero for no time.
func RateOf(packets, bytes uint64, seconds float64) Rate {
	p, b := float64(packets), float64(bytes)
	return Rate{Mpps: per(p, seconds*1e6), Mbit: per(b*8, seconds*1e6), MbitFramed: per((b+p*Framing)*8, seconds*1e6)}
}

// Per is a divided by b, or 0 for b = 0, rounded to four significant decimals behind the point.
func Per(a, b uint64) float64 { return per(float64(a), float64(b)) }

func per(a, b float64) float64 {
	if b <= 0 {
		return 0
	}
	return math.Round(a/b*1e4) / 1e4
}
