package capture

import (
	"time"

	"glassnic/app/internal/worker"
	"glassnic/internal/capfile"
)

// WriteFailed is the reason for which frames are dropped.
const WriteFailed = "write_failed"

// Report is what an interval or the whole run brought. RxPackets = Written + Filtered + all Drops; frames that are
// still buffered are in the next report.
type Report struct {
	Type        string            `json:"type"` // "interval" or "total"
	Seconds     float64           `json:"seconds"`
	Port        string            `json:"port"` // address
	RxPackets   uint64            `json:"rx_packets"`
	RxBytes     uint64            `json:"rx_bytes"` // without FCS
	Written     uint64            `json:"written_packets"`
	Stored      uint64            `json:"written_bytes"` // of frames, after the snap length
	Filtered    uint64            `json:"filtered"`      // left out by the filter
	Drops       map[string]uint64 `json:"drops"`         // by reason; all reasons are present
	Missed      uint64            `json:"missed"`        // by the card, since nobody fetched them in time
	worker.Rate                   // of what was received
	// Stamped is there with Config.Timestamps: how many of what was received the card or the kernel stamped.
	Stamped *uint64 `json:"stamped,omitempty"`
	// Sleeps is there with Config.Adaptive.
	Sleeps *worker.Sleeps `json:"sleeps,omitempty"`
}

// meter turns the worker's counters into reports.
type meter struct {
	cfg        *Config
	c          *capturer
	start      time.Time
	last       time.Time
	lastCounts counts
	lastMissed uint64
}

func (m *meter) missed() uint64 {
	s, err := m.cfg.Port.Stats()
	if err != nil {
		return m.lastMissed
	}
	return s.RxMissed - m.c.missed
}

// interval reports on the time since it was last called.
func (m *meter) interval() Report {
	now, c, missed := time.Now(), m.counts(), m.missed()
	l := m.lastCounts
	r := m.report("interval", now.Sub(m.last), counts{
		received: c.received - l.received, bytes: c.bytes - l.bytes,
		written:  capfile.Tally{Frames: c.written.Frames - l.written.Frames, Bytes: c.written.Bytes - l.written.Bytes},
		filtered: c.filtered - l.filtered,
		failed:   c.failed - l.failed, stamped: c.stamped - l.stamped, sleeps: c.sleeps.Sub(l.sleeps),
	}, missed-m.lastMissed)
	m.last, m.lastCounts, m.lastMissed = now, c, missed
	return r
}

func (m *meter) total() Report { return m.report("total", time.Since(m.start), m.counts(), m.missed()) }

// counts returns the worker's counters without the frames that are buffered.
func (m *meter) counts() counts {
	c := m.c.published.Get()
	c.received = c.written.Frames + c.filtered + c.failed
	return c
}

func (m *meter) report(kind string, d time.Duration, c counts, missed uint64) Report {
	r := Report{
		Type: kind, Seconds: d.Seconds(), Port: m.cfg.Port.Info().Address,
		RxPackets: c.received, RxBytes: c.bytes, Written: c.written.Frames, Stored: c.written.Bytes, Filtered: c.filtered,
		Drops: map[string]uint64{WriteFailed: c.failed}, Missed: missed,
		Rate: worker.RateOf(c.received, c.bytes, d.Seconds()),
	}
	if m.cfg.Timestamps {
		r.Stamped = &c.stamped
	}
	if m.cfg.Adaptive {
		r.Sleeps = &c.sleeps
	}
	return r
}
