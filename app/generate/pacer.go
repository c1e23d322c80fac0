package generate

import "glassnic/internal/tsc"

// pacer says how many frames are due: one token every so many ticks, and never more than burst in
// stock.
type pacer struct {
	perFrame float64 // ticks
	burst    float64 // tokens
	tokens   float64
	last     uint64
}

func newPacer(rate float64, burst int) *pacer {
	return &pacer{perFrame: tsc.Hz() / rate, burst: float64(burst)}
}

func (p *pacer) start(now uint64) { p.last, p.tokens = now, 1 }

// take takes up to n tokens and returns how many there were.
func (p *pacer) take(now uint64, n int) int {
	p.tokens = min(p.tokens+float64(now-p.last)/p.perFrame, p.burst)
	p.last = now
	n = min(n, int(p.tokens))
	p.tokens -= float64(n)
	return n
}
