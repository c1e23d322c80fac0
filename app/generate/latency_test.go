package generate

import (
	"strings"
	"testing"
	"time"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// stamper is a port whose card stamps what a test says.
type stamper struct {
	*nictest.Port
	nic.Timestamper
	left  time.Time // zero: nothing was stamped
	asked bool      // for a time, by the frame that was sent last
}

// asking is its transmit queue.
type asking struct {
	nic.TxQueue
	s *stamper
}

func (q asking) Send(batch []*packet.Buf) int {
	q.s.asked = len(batch) == 1 && batch[0].Flags()&packet.NeedsTimestamp != 0
	return q.TxQueue.Send(batch)
}

func (s *stamper) TxQueue(i int) nic.TxQueue { return asking{s.Port.TxQueue(i), s} }

func (s *stamper) TxTimestamp() (time.Time, bool, error) {
	at := s.left
	s.left = time.Time{}
	return at, !at.IsZero(), nil
}

// TestProbes: a probe's latency is what lies between its two times, of one clock; without one of them it is lost.
func TestProbes(t *testing.T) {
	p := port(t, nictest.Config{Offloads: nic.Timestamps})
	nictest.Connect(p, p)
	s := &stamper{Port: p}
	cfg := Config{Port: s, Receive: true, Timestamps: true}
	ws, err := cfg.workers()
	if err != nil {
		t.Fatal(err)
	}
	w := ws[0]
	defer w.cache.Flush()
	defer w.check.cache.Flush()
	probes, batch := w.check.probes, make([]*packet.Buf, 4)
	now := uint64(1)
	for i, c := range []struct {
		leaves, comes int64 // 0: without a time
		late          bool  // the time of leaving comes after the frame is back
	}{{1000, 1700, false}, {5000, 5300, true}, {9000, 9100, false}, {0, 9100, false}, {9000, 0, false}, {9000, 9900, true}} {
		now = probes.next
		probes.step(w, now)
		n := p.RxQueue(0).Receive(batch)
		if n != 1 || !s.asked {
			t.Fatalf("probe %d: %d frames", i, n)
		}
		if c.comes != 0 {
			batch[0].SetTimestamp(c.comes)
		}
		leave := func() {
			if c.leaves != 0 {
				s.left = time.Unix(0, c.leaves)
			}
			probes.look(now)
		}
		if !c.late {
			leave()
		}
		if !probes.take(batch[0]) {
			t.Errorf("probe %d was not known", i)
		}
		packet.Free(batch[:n])
		if c.late {
			leave()
		}
		if lost := c.leaves == 0 || c.comes == 0; probes.under != lost {
			t.Errorf("probe %d is under way: %v", i, probes.under)
		}
		if probes.under {
			probes.look(probes.late + 1)
		}
		if probes.under {
			t.Errorf("probe %d is not given up", i)
		}
	}
	want := Latency{Clock: "card", Probes: 4, Lost: 2, Min: 100, P50: 700, P99: 900, Max: 900}
	for what, got := range map[string]*Latency{"interval": probes.times.Interval(probes.clock.Name()), "total": probes.times.Total(probes.clock.Name())} {
		if *got != want {
			t.Errorf("%s: %+v, want %+v", what, *got, want)
		}
	}
	if got := probes.times.Interval(probes.clock.Name()); *got != (Latency{Clock: "card"}) {
		t.Errorf("an interval without probes: %+v", *got)
	}
}

// TestLatency: probes go beside the stream, are neither counted nor taken for its frames, and intervals add up.
func TestLatency(t *testing.T) {
	for _, on := range []bool{false, true} {
		p := port(t, nictest.Config{})
		nictest.Connect(p, p)
		const n = 3000
		probes := uint64(0)
		cfg := Config{Port: p, Receive: true, Timestamps: on, Count: n, Spec: traffic.Spec{Seq: true}, Interval: 2 * time.Millisecond, Linger: time.Minute}
		r, err := Run(t.Context(), cfg, func(r Report) {
			if on {
				probes += r.Latency.Probes
			}
		})
		if err != nil || r.TxPackets != n || r.RxPackets != n || *r.Checked != (Checked{OK: n}) {
			t.Errorf("timestamps %v: %+v, checked %+v, %v", on, r, r.Checked, err)
		}
		l := r.Latency
		if (l != nil) != on {
			t.Fatalf("timestamps %v: latency %+v", on, l)
		}
		if on && (l.Clock != "host" || l.Probes == 0 || l.Probes != probes || l.Lost != 0 || l.Min <= 0 || l.Min > l.P50 || l.P50 > l.P99 || l.P99 > l.Max) {
			t.Errorf("latency %+v, intervals %d", l, probes)
		}
	}
	p := port(t, nictest.Config{})
	if _, err := Run(t.Context(), Config{Port: p, Timestamps: true}, nil); err == nil || !strings.Contains(err.Error(), "set Receive") {
		t.Error(err)
	}
}
