package forward

import (
	"time"

	"glassnic/app/internal/worker"
)

// The reasons for which frames are dropped.
const (
	TxFull   = "tx_full"   // the transmit queue took them not even after Config.Patience offers
	NoBuffer = "no_buffer" // the ports' cards reach different memory, and the pool for copies was empty
	Unfit    = "unfit"     // large frames (packet.NeedsSegment) that cannot be cut
)

// Traffic is what went through, and how fast. In each, and so in sums and differences of them,
// RxPackets = TxPackets + all Drops; frames that a worker still offers are in the next report.
type Traffic struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"` // without FCS, as all bytes here
	// TxPackets are those that the transmit queues took. What a card could not send of these is in its
	// Stats as TxDropped. A large frame counts once, whoever cuts it.
	TxPackets uint64            `json:"tx_packets"`
	TxBytes   uint64            `json:"tx_bytes"`
	Drops     map[string]uint64 `json:"drops"` // by reason; all reasons are present
	// TicksPerPacket are the TSC ticks of the passes that received something, by packet received.
	TicksPerPacket float64 `json:"ticks_per_packet"`
	worker.Rate            // of what was sent
}

// Report is what an interval or the whole run brought.
type Report struct {
	Type    string  `json:"type"` // "interval" or "total"
	Seconds float64 `json:"seconds"`
	Traffic
	Directions []Direction `json:"directions"`
	// Sleeps is there with Config.Adaptive.
	Sleeps *Sleeps `json:"sleeps,omitempty"`
}

// Sleeps is how workers slept.
type Sleeps = worker.Sleeps

// Direction is one of the two ways.
type Direction struct {
	From string `json:"from"` // address of the port
	To   string `json:"to"`
	Traffic
	// Latency is there with Config.Timestamps: from when a frame arrived, by the clock of the port's card or of the kernel
	// if one of them stamps it, else from when it was received from the port, until the other port's queue has taken the
	// batch that it came in. A card's clock stamps messages of PTP only. Lost is what was not measured because frames of the batch were dropped.
	Latency *Latency `json:"latency,omitempty"`
}

// Latency is how long frames stay.
type Latency = worker.Latency

// meter turns the workers' counters into reports.
type meter struct {
	names     [2]string
	workers   []*forwarder
	start     time.Time
	last      time.Time
	lastState state
	adaptive  bool
	stays     [2]*stay // nil without Config.Timestamps
}

func newMeter(cfg *Config, ws []*forwarder) *meter {
	now := time.Now()
	m := &meter{names: [2]string{cfg.A.Info().Address, cfg.B.Info().Address}, workers: ws, start: now, last: now, adaptive: cfg.Adaptive}
	for _, w := range ws {
		for i, d := range w.dirs {
			if d != nil && d.probe != nil {
				m.stays[i] = d.probe.stay
			}
		}
	}
	return m
}

// interval reports on the time since it was last called.
func (m *meter) interval() Report {
	now, sum := time.Now(), m.sum()
	d := state{sleeps: sum.sleeps.Sub(m.lastState.sleeps)}
	for i := range d.counts {
		d.counts[i] = sum.counts[i].sub(&m.lastState.counts[i])
	}
	r := m.report("interval", now.Sub(m.last), d)
	for i, s := range m.stays {
		if s != nil {
			r.Directions[i].Latency = s.times.Interval(s.clock.Name())
		}
	}
	m.last, m.lastState = now, sum
	return r
}

func (m *meter) total() Report {
	r := m.report("total", time.Since(m.start), m.sum())
	for i, s := range m.stays {
		if s != nil {
			r.Directions[i].Latency = s.times.Total(s.clock.Name())
		}
	}
	return r
}

// sum adds the workers' counters up, without the frames that they hold.
func (m *meter) sum() (s state) {
	for _, w := range m.workers {
		one := w.published.Get()
		s.sleeps = s.sleeps.Add(one.sleeps)
		for i, c := range one.counts {
			c.rxPackets -= c.heldPackets
			c.rxBytes -= c.heldBytes
			s.counts[i] = s.counts[i].add(&c)
		}
	}
	return s
}

func (m *meter) report(kind string, d time.Duration, of state) Report {
	s, c := d.Seconds(), of.counts
	sum := c[0].add(&c[1])
	r := Report{
		Type: kind, Seconds: s, Traffic: sum.traffic(s),
		Directions: []Direction{
			{From: m.names[0], To: m.names[1], Traffic: c[0].traffic(s)},
			{From: m.names[1], To: m.names[0], Traffic: c[1].traffic(s)},
		},
	}
	if m.adaptive {
		r.Sleeps = &of.sleeps
	}
	return r
}

func (c *counts) traffic(seconds float64) Traffic {
	return Traffic{
		RxPackets: c.rxPackets, RxBytes: c.rxBytes, TxPackets: c.txPackets, TxBytes: c.txBytes,
		Drops:          map[string]uint64{TxFull: c.txFull, NoBuffer: c.noBuffer, Unfit: c.unfit},
		TicksPerPacket: worker.Per(c.busy, c.rxPackets),
		Rate:           worker.RateOf(c.txPackets, c.txBytes, seconds),
	}
}

func (c *counts) add(o *counts) counts {
	return counts{
		rxPackets: c.rxPackets + o.rxPackets, rxBytes: c.rxBytes + o.rxBytes,
		txPackets: c.txPackets + o.txPackets, txBytes: c.txBytes + o.txBytes,
		txFull: c.txFull + o.txFull, noBuffer: c.noBuffer + o.noBuffer, unfit: c.unfit + o.unfit, busy: c.busy + o.busy,
	}
}

func (c *counts) sub(o *counts) counts {
	return counts{
		rxPackets: c.rxPackets - o.rxPackets, rxBytes: c.rxBytes - o.rxBytes,
		txPackets: c.txPackets - o.txPackets, txBytes: c.txBytes - o.txBytes,
		txFull: c.txFull - o.txFull, noBuffer: c.noBuffer - o.noBuffer, unfit: c.unfit - o.unfit, busy: c.busy - o.busy,
	}
}
