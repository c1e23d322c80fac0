//go:build !race

// The race detector cannot follow drivers: checkptr takes the next descriptor for another allocation.

package generate_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"glassnic/app/generate"
	"glassnic/driver/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// Times of the model. They are whole steps of the cards' clocks, of 6.4 ns, so that a time between two stamps is right to a
// nanosecond at each end (datasheet 8.2.3.26, TIMINCA).
const (
	fibre = 480 * time.Nanosecond // for 100 m of it
	quick = 960 * time.Nanosecond
	usual = 4800 * time.Nanosecond
	slow  = 96 * time.Microsecond
)

// path is two modelled cards on one goroutine with a fibre between them. What the near one sends the host of the far one
// sends back, a probe after a time that is quick, usual and slow by turns.
type path struct {
	t         *testing.T
	near, far *sim.Trapped
	port      *ixgbe.Device // of the near card
	host      *ixgbe.Device
	now       time.Duration // of the model
	starting  bool          // time goes by when a card looks at it

	back, lost uint64 // probes sent back and not
	forget     uint64 // number of the probe that is not, from 1 on
	seen       func() // called for each probe, if not nil
}

func newPath(t *testing.T) *path {
	p := &path{t: t, starting: true}
	a, b := wire.Cable()
	p.near, p.port = p.open(a, 0, nic.Config{Promiscuous: true, Offloads: nic.Timestamps})
	p.far, p.host = p.open(b, 1000*time.Hour, nic.Config{Promiscuous: true, Offloads: nic.Timestamps})
	p.starting = false
	t.Cleanup(func() { p.starting = true }) // the end takes time as well, and comes after
	return p
}

// open opens a card whose clock is ahead.
func (p *path) open(end wire.End, ahead time.Duration, cfg nic.Config) (*sim.Trapped, *ixgbe.Device) {
	p.t.Helper()
	card, err := sim.NewTrapped(model.Config{Wire: end, Clock: func() time.Duration {
		if p.starting {
			p.now += time.Millisecond
		}
		return p.now + ahead
	}})
	if err != nil {
		p.t.Fatal(err)
	}
	dev, err := nic.OpenFunction(p.t.Context(), card.Function("sim:test"), cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			p.t.Error(err)
		}
		for _, f := range card.Space.Faults() {
			p.t.Error(f)
		}
	})
	return card, dev.(*ixgbe.Device)
}

// run has what the near card was given go there and back. Some time goes by before it leaves, and before anybody looks.
func (p *path) run() {
	p.now += 333 * time.Nanosecond
	step(p.near)
	p.now += fibre
	step(p.far)
	p.now += p.reflect()
	step(p.far)
	p.now += fibre
	step(p.near)
	p.now += 777 * time.Nanosecond
}

func step(card *sim.Trapped) {
	for card.Card.Step(256) > 0 {
	}
}

// reflect sends back what arrived at the far card, and returns how long the probe in it stays there.
func (p *path) reflect() (stay time.Duration) {
	batch := make([]*packet.Buf, 64)
	for {
		n := p.host.RxQueue(0).Receive(batch)
		if n == 0 {
			p.host.TxQueue(0).Send(nil)
			return stay
		}
		for _, b := range batch[:n] {
			if binary.BigEndian.Uint16(b.Bytes()[12:]) == 0x88f7 { // PTP
				if p.back+p.lost+1 == p.forget {
					p.lost++
					packet.Free([]*packet.Buf{b})
					continue
				}
				stay = []time.Duration{quick, usual, slow}[p.back%3]
				p.back++
				if p.seen != nil {
					p.seen()
				}
			}
			if p.host.TxQueue(0).Send([]*packet.Buf{b}) != 1 {
				p.t.Error("the far card's ring is full")
				packet.Free([]*packet.Buf{b})
			}
		}
	}
}

// paced is the near card's port. The cards move when something is sent.
type paced struct {
	*ixgbe.Device
	p *path
}

type pacedTx struct {
	nic.TxQueue
	p *path
}

func (d paced) TxQueue(i int) nic.TxQueue { return pacedTx{d.Device.TxQueue(i), d.p} }

func (q pacedTx) Send(batch []*packet.Buf) int {
	n := q.TxQueue.Send(batch)
	q.p.run()
	return n
}

// TestProbesOfCards: by the clock of a modelled card, probes take what they took in the model: twice the fibre, and the time
// that they stayed at its end. Traffic beside them has no times and is not measured.
func TestProbesOfCards(t *testing.T) {
	const enough = 30
	p := newPath(t)
	p.forget = 5
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p.seen = func() {
		if p.back >= enough {
			cancel()
		}
	}
	// Nobody but the worker looks at the card before it has ended: no interval is that long.
	r, err := generate.Run(ctx, generate.Config{
		Port: paced{p.port, p}, Receive: true, Timestamps: true, Rate: 20_000, Spec: traffic.Spec{Seq: true}, Interval: time.Hour,
	}, nil)
	if err != nil || r.TxPackets == 0 || *r.Checked != (generate.Checked{OK: r.TxPackets}) {
		t.Errorf("%+v, checked %+v, %v", r, r.Checked, err)
	}
	l := r.Latency
	if l == nil || l.Clock != "card" || p.back < enough || l.Probes != p.back || l.Lost != 1 || p.lost != 1 {
		t.Fatalf("latency %+v, %d probes came back and %d did not", l, p.back, p.lost)
	}
	for _, c := range []struct {
		what string
		got  int64
		stay time.Duration
	}{{"least", l.Min, quick}, {"median", l.P50, usual}, {"99th percentile", l.P99, slow}, {"most", l.Max, slow}} {
		if off := time.Duration(c.got) - (2*fibre + c.stay); off.Abs() > 2 {
			t.Errorf("%s: %d ns, want %v", c.what, c.got, 2*fibre+c.stay)
		}
	}
}
