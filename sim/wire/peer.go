package wire

import (
	"errors"

	"glassnic/internal/traffic"
)

// Counted is an End that keeps Stats; all of this package do.
type Counted interface {
	End
	// Stats is safe for concurrent use.
	Stats() Stats
}

// Checked is an End that checks what the port sends.
type Checked interface {
	// Totals is safe for concurrent use.
	Totals() traffic.Totals
}

// Peer joins two Ends to one: frames arrive from the one and are sent to the other.
type Peer struct{ from, to Counted }

// NewPeer returns the joined End, which owns the two.
func NewPeer(from, to Counted) *Peer { return &Peer{from, to} }

// Receive implements End.
func (p *Peer) Receive(frames []Frame) int { return p.from.Receive(frames) }

// Overruns is that of the End that frames arrive from.
func (p *Peer) Overruns() bool { return overruns(p.from) }

// Send implements End.
func (p *Peer) Send(frames []Frame) int { return p.to.Send(frames) }

// Up implements End: true if both are up.
func (p *Peer) Up() bool { return p.from.Up() && p.to.Up() }

// Close closes both.
func (p *Peer) Close() error { return errors.Join(p.from.Close(), p.to.Close()) }

// Stats returns what was received from the one, sent to the other, and dropped by either.
func (p *Peer) Stats() Stats {
	s, to := p.from.Stats(), p.to.Stats()
	s.TxFrames, s.TxBytes = to.TxFrames, to.TxBytes
	s.Dropped += to.Dropped
	return s
}

// Totals returns the checker's counts of the End that is sent to, zero if it has no checker.
func (p *Peer) Totals() traffic.Totals {
	if c, ok := p.to.(Checked); ok {
		return c.Totals()
	}
	return traffic.Totals{}
}
