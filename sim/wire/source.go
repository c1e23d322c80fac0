package wire

import (
	"fmt"
	"time"

	"glassnic/internal/traffic"
)

// SourceConfig says what a Source sends.
type SourceConfig struct {
	traffic.Spec
	// Rate is in frames per second; 0 means that frames are always waiting.
	Rate float64
	// Wait holds paced frames back while the port is not ready for them, as frames at full rate are; else
	// the port misses those, as on a real wire.
	Wait bool
	// Count ends the stream after so many frames; 0 means that it does not end.
	Count uint64
	// Clock tells the time since some moment, never going back; nil means real time. It is called
	// once per Receive, and only with a Rate.
	Clock func() time.Duration
}

// maxRate keeps the count of due frames exact in a float64 for months.
const maxRate = 1e9

// Source is an End from which test traffic arrives at the port. Frame n of a paced source is due n/Rate
// seconds after the first Receive; a port that asks late gets all that are due, in order. What the
// port sends is dropped and counted.
type Source struct {
	counters
	cfg     SourceConfig
	series  *traffic.Series
	started bool
	start   time.Duration
}

// NewSource prepares a source. The error says what of the configuration is out of range.
func NewSource(cfg SourceConfig) (*Source, error) {
	if !(cfg.Rate >= 0 && cfg.Rate <= maxRate) {
		return nil, fmt.Errorf("wire: source: rate %g: use up to 1e9 frames per second, or 0 for full rate", cfg.Rate)
	}
	t, err := traffic.New(cfg.Spec)
	if err != nil {
		return nil, err
	}
	if cfg.Clock == nil {
		cfg.Clock = realTime()
	}
	return &Source{cfg: cfg, series: traffic.NewSeries(t)}, nil
}

// realTime returns a clock that starts now.
func realTime() func() time.Duration {
	epoch := time.Now()
	return func() time.Duration { return time.Since(epoch) }
}

// Receive implements End. It sets at most 67 frames a call, more where more sizes are in turn.
func (s *Source) Receive(frames []Frame) int {
	sent := s.series.Sent()
	n := uint64(min(len(frames), s.series.Len()))
	if s.cfg.Rate > 0 {
		n = min(n, s.due()-sent)
	}
	if s.cfg.Count > 0 {
		n = min(n, s.cfg.Count-sent)
	}
	if n == 0 {
		return 0
	}
	var bytes uint64
	for i := range frames[:n] {
		data := s.series.Next()
		frames[i] = Frame{Data: data}
		bytes += uint64(len(data))
	}
	s.rx(int(n), bytes)
	return int(n)
}

// due is the number of frames due until now, at least those sent.
func (s *Source) due() uint64 {
	now := s.cfg.Clock()
	if !s.started {
		s.started, s.start = true, now
	}
	return max(s.series.Sent(), uint64(max(0, now-s.start).Seconds()*s.cfg.Rate)+1)
}

// Overruns tells whether frames are lost at a port that is not ready for them, as those of a paced source
// are unless it is to Wait (see End).
func (s *Source) Overruns() bool { return s.cfg.Rate > 0 && !s.cfg.Wait }

// Send implements End.
func (s *Source) Send(frames []Frame) int {
	s.dropped.Add(uint64(len(frames)))
	return len(frames)
}

// Up implements End: always true.
func (*Source) Up() bool { return true }

// Close implements End.
func (*Source) Close() error { return nil }
