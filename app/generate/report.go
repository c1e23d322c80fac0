package generate

import (
	"time"

	"glassnic/app/internal/worker"
)

// Checked are verdicts on the frames that came back, as the traffic checker gives them.
type Checked struct {
	OK        uint64 `json:"ok"`        // intact and in order
	Reordered uint64 `json:"reordered"` // intact, after a later one
	Duplicate uint64 `json:"duplicate"`
	Stale     uint64 `json:"stale"` // too late to tell reordered from duplicate
	Corrupt   uint64 `json:"corrupt"`
	Foreign   uint64 `json:"foreign"` // not ours
	// Missing is how many of the frames sent have not come back intact; in an interval it is the change,
	// which is negative when more came back than were sent.
	Missing int64 `json:"missing"`
}

// Report is what an interval or the whole run brought.
type Report struct {
	Type      string  `json:"type"` // "interval" or "total"
	Seconds   float64 `json:"seconds"`
	Port      string  `json:"port"` // address
	TxPackets uint64  `json:"tx_packets"`
	TxBytes   uint64  `json:"tx_bytes"` // without FCS, as all bytes here
	// TicksPerPacket are the TSC ticks of the loops that sent something, by packet sent.
	TicksPerPacket float64 `json:"ticks_per_packet"`
	worker.Rate            // of what was sent
	RxPackets      uint64  `json:"rx_packets"`
	RxBytes        uint64  `json:"rx_bytes"`
	// Checked is there with Config.Receive. RxPackets = OK + Reordered + Duplicate + Stale + Corrupt +
	// Foreign.
	Checked *Checked `json:"checked,omitempty"`
	// Latency is there with Config.Timestamps.
	Latency *Latency `json:"latency,omitempty"`
}

// meter turns the workers' counters into reports.
type meter struct {
	port      string
	workers   []*sender
	start     time.Time
	last      time.Time
	lastTotal Report
	lastBusy  uint64
}

// total sums the counters up; it is exact when the workers have stopped.
func (m *meter) total() Report {
	r, _ := m.sum(time.Now())
	if p := m.probes(); p != nil {
		r.Latency = p.times.Total(p.clock.Name())
	}
	return r
}

// probes returns who sends probes, or nil.
func (m *meter) probes() *prober {
	if c := m.workers[0].check; c != nil {
		return c.probes
	}
	return nil
}

func (m *meter) sum(now time.Time) (Report, uint64) {
	r := Report{Type: "total", Seconds: now.Sub(m.start).Seconds(), Port: m.port}
	var busy uint64
	for _, w := range m.workers {
		c := w.published.Get()
		r.TxPackets += c.txPackets
		r.TxBytes += c.txBytes
		r.RxPackets += c.rxPackets
		r.RxBytes += c.rxBytes
		busy += c.busy
		if w.check != nil {
			t := c.checked
			r.Checked = &Checked{
				OK: t.OK, Reordered: t.Reordered, Duplicate: t.Duplicate, Stale: t.Stale,
				Corrupt: t.Corrupt, Foreign: t.Foreign,
			}
		}
	}
	if c := r.Checked; c != nil {
		c.Missing = int64(r.TxPackets) - int64(c.OK) - int64(c.Reordered)
	}
	r.rate(busy)
	return r, busy
}

func (r *Report) rate(busy uint64) {
	r.TicksPerPacket = worker.Per(busy, r.TxPackets)
	r.Rate = worker.RateOf(r.TxPackets, r.TxBytes, r.Seconds)
}

// interval reports on the time since it was last called.
func (m *meter) interval() Report {
	now := time.Now()
	r, busy := m.sum(now)
	was, wasBusy := m.lastTotal, m.lastBusy
	m.lastTotal, m.lastBusy = r, busy
	r.Type, r.Seconds = "interval", now.Sub(m.last).Seconds()
	m.last = now
	r.TxPackets -= was.TxPackets
	r.TxBytes -= was.TxBytes
	r.RxPackets -= was.RxPackets
	r.RxBytes -= was.RxBytes
	if r.Checked != nil && was.Checked != nil {
		a, b := *r.Checked, was.Checked
		r.Checked = &Checked{
			OK: a.OK - b.OK, Reordered: a.Reordered - b.Reordered, Duplicate: a.Duplicate - b.Duplicate,
			Stale: a.Stale - b.Stale, Corrupt: a.Corrupt - b.Corrupt, Foreign: a.Foreign - b.Foreign,
			Missing: a.Missing - b.Missing,
		}
	}
	r.rate(busy - wasBusy)
	if p := m.probes(); p != nil {
		r.Latency = p.times.Interval(p.clock.Name())
	}
	return r
}
