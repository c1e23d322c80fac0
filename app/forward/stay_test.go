package forward

import (
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// stamped is a port whose frames arrive with times.
type stamped struct {
	*nictest.Port
	at func(frame byte) int64 // 0: none
}

type stamping struct {
	nic.RxQueue
	at func(frame byte) int64
}

func (s *stamped) RxQueue(i int) nic.RxQueue { return stamping{s.Port.RxQueue(i), s.at} }

func (q stamping) Receive(batch []*packet.Buf) int {
	n := q.RxQueue.Receive(batch)
	for _, b := range batch[:n] {
		if at := q.at(b.Bytes()[0]); at != 0 {
			b.SetTimestamp(at)
		}
	}
	return n
}

// clocked is one whose card has a clock, which stands still.
type clocked struct {
	stamped
	nic.Timestamper
	now time.Time
}

func (c *clocked) Clock() (time.Time, error) { return c.now, nil }

// TestLatency: a frame stays from its stamp, or where there is none from when it was received, until its batch is sent.
func TestLatency(t *testing.T) {
	const second = int64(time.Second)
	for _, c := range []struct {
		clock    string
		offloads nic.Offloads
		wrap     func(*nictest.Port) nic.Device
		min, max int64
	}{
		{"host", 0, func(p *nictest.Port) nic.Device { return p }, 1, 0},
		{"kernel", nic.Timestamps, func(p *nictest.Port) nic.Device {
			return &stamped{p, func(byte) int64 { return time.Now().UnixNano() - second }}
		}, second, 0},
		{"card", nic.Timestamps, func(p *nictest.Port) nic.Device {
			// Of three frames the card has stamped one.
			at := func(frame byte) int64 { return map[byte]int64{2: 5 * second}[frame] }
			return &clocked{stamped: stamped{p, at}, now: time.Unix(7, 0)}
		}, 2 * second, 2 * second},
	} {
		t.Run(c.clock, func(t *testing.T) {
			a, b := pair(t, nictest.Config{Offloads: c.offloads}, true)
			w := one(t, Config{A: c.wrap(a), B: b, Timestamps: true})
			m := newMeter(&Config{A: a, B: b}, []*forwarder{w})
			for i := range 3 {
				w.dirs[0].probe.next = 0
				a.Arrive(0, []byte{1}, []byte{2}, []byte{3})
				w.step(0)
				if l := m.interval().Directions[0].Latency; l.Clock != c.clock || l.Probes != 1 || l.Lost != 0 || l.Min < c.min || c.max > 0 && l.Max > c.max {
					t.Errorf("batch %d: %+v", i, l)
				}
			}
			// Another a moment later is not measured, and nothing is measured that did not come.
			w.dirs[0].probe.next = 1 << 63
			a.Arrive(0, []byte{2})
			w.step(0)
			if l := m.total().Directions[0].Latency; l.Probes != 3 || l.Min > l.P50 || l.P50 > l.P99 || l.P99 > l.Max {
				t.Errorf("%+v", l)
			}
			if l := m.total().Directions[1].Latency; l.Probes != 0 || l.Lost != 0 {
				t.Errorf("the way back: %+v", l)
			}
		})
	}
}

// TestLatencyLost: frames that are held count once, when they are sent; those that are dropped count as lost.
func TestLatencyLost(t *testing.T) {
	a, b := pair(t, nictest.Config{Ring: 2}, true)
	w := one(t, Config{A: a, B: b, Timestamps: true, Patience: 3})
	m := newMeter(&Config{A: a, B: b}, []*forwarder{w})
	step := func(what string, probes, lost uint64) {
		t.Helper()
		w.step(0)
		if l := m.total().Directions[0].Latency; l.Probes != probes || l.Lost != lost {
			t.Errorf("%s: %+v, want %d and %d lost", what, l, probes, lost)
		}
	}
	a.Arrive(0, []byte{1}, []byte{1})
	step("sent", 1, 0)
	w.dirs[0].probe.next = 0
	a.Arrive(0, []byte{1}, []byte{1})
	step("held", 1, 0)
	b.Sent(0, 2, nil)
	step("sent at last", 2, 0)
	w.dirs[0].probe.next = 0
	a.Arrive(0, []byte{1}, []byte{1})
	for range 3 {
		step("held again", 2, 0)
	}
	step("dropped", 2, 1)

	w = one(t, Config{A: a, B: b})
	if m := newMeter(&Config{A: a, B: b}, []*forwarder{w}); w.dirs[0].probe != nil || m.total().Directions[0].Latency != nil {
		t.Error("measured without being asked")
	}
}
