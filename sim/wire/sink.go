package wire

import (
	"sync/atomic"

	"glassnic/internal/traffic"
)

// Discard takes every frame and counts it. The zero Discard is ready.
type Discard struct{ counters }

// Receive implements End: nothing arrives.
func (*Discard) Receive([]Frame) int { return 0 }

// Send implements End.
func (d *Discard) Send(frames []Frame) int {
	var bytes uint64
	for i := range frames {
		bytes += uint64(len(frames[i].Data))
	}
	d.tx(len(frames), bytes)
	return len(frames)
}

// Up implements End: always true.
func (*Discard) Up() bool { return true }

// Close implements End.
func (*Discard) Close() error { return nil }

// Sink takes every frame and checks it. Bad frames are dropped and counted unchecked, as a
// receiver's MAC drops them. The zero Sink is ready.
type Sink struct {
	counters
	checker traffic.Checker
	totals  [7]atomic.Uint64 // the checker's, for other goroutines
}

// Receive implements End: nothing arrives.
func (*Sink) Receive([]Frame) int { return 0 }

// Send implements End.
func (s *Sink) Send(frames []Frame) int {
	var bytes, bad uint64
	for i := range frames {
		f := &frames[i]
		if f.Bad {
			bad++
			continue
		}
		bytes += uint64(len(f.Data))
		s.checker.Check(f.Data)
	}
	s.tx(len(frames)-int(bad), bytes)
	if bad > 0 {
		s.dropped.Add(bad)
	}
	s.publish()
	return len(frames)
}

// publish stores what has changed: an atomic store costs more than a check.
func (s *Sink) publish() {
	t := s.checker.Totals()
	for i, v := range [...]uint64{t.OK, t.Reordered, t.Duplicate, t.Stale, t.Corrupt, t.Foreign, t.Lost} {
		if s.totals[i].Load() != v {
			s.totals[i].Store(v)
		}
	}
}

// Totals returns the checker's counts as of the last batch. It is safe for concurrent use.
func (s *Sink) Totals() traffic.Totals {
	t := &s.totals
	return traffic.Totals{
		OK: t[0].Load(), Reordered: t[1].Load(), Duplicate: t[2].Load(), Stale: t[3].Load(),
		Corrupt: t[4].Load(), Foreign: t[5].Load(), Lost: t[6].Load(),
	}
}

// Up implements End: always true.
func (*Sink) Up() bool { return true }

// Close implements End.
func (*Sink) Close() error { return nil }
