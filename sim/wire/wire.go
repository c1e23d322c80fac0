// Package wire is what a modelled card's port is plugged into: cables between cards, sources and
// sinks of test traffic, kernel TAP interfaces, capture files, and faults in any of them.
package wire

import "sync/atomic"

// MaxFrame is the longest frame in bytes, without FCS, that an End takes or hands out.
const MaxFrame = 16000

// MinFrame is the shortest frame in bytes, without FCS, that a MAC sends: it pads what is shorter.
const MinFrame = 60

// Frame is one Ethernet frame on the wire, without preamble and without the 4-byte FCS.
type Frame struct {
	Data []byte
	Bad  bool // the FCS is wrong: the receiver's CRC check fails
}

// End is what a port's cable leads to. The loop that steps a model owns it: no method may be called
// concurrently with another unless an implementation says so.
//
// An End waits until the port takes its frames, unless it has a method Overruns() bool that returns true,
// always: then frames that the port is not ready for are lost, and the port counts them.
type End interface {
	// Receive sets up to len(frames) entries to frames that arrive at the port now and returns
	// their number. Data is read-only and stays valid until the next call on this End.
	Receive(frames []Frame) int
	// Send takes frames that the port transmits, in order, and returns how many it took, a prefix:
	// the card keeps the rest in its ring (back-pressure). What must outlive the call is copied.
	Send(frames []Frame) int
	// Up tells whether there is a link.
	Up() bool
	// Close releases what the End holds. Ends that hold nothing do nothing.
	Close() error
}

// overruns tells whether an End does not wait for its port.
func overruns(e End) bool {
	o, ok := e.(interface{ Overruns() bool })
	return ok && o.Overruns()
}

// Stats counts what passed an End since it was made. Receive and transmit are named from the
// port's side, as a card names them.
type Stats struct {
	RxFrames, RxBytes uint64 // towards the port
	TxFrames, TxBytes uint64 // from the port
	Dropped           uint64 // frames of either direction that were discarded, each End says why
}

// counters is the Stats of an End: written by its owner once per batch, read by anybody.
type counters struct {
	rxFrames, rxBytes, txFrames, txBytes, dropped atomic.Uint64
}

func (c *counters) rx(frames int, bytes uint64) {
	c.rxFrames.Add(uint64(frames))
	c.rxBytes.Add(bytes)
}

func (c *counters) tx(frames int, bytes uint64) {
	c.txFrames.Add(uint64(frames))
	c.txBytes.Add(bytes)
}

// Stats returns the counts so far. It is safe for concurrent use.
func (c *counters) Stats() Stats {
	return Stats{
		RxFrames: c.rxFrames.Load(), RxBytes: c.rxBytes.Load(),
		TxFrames: c.txFrames.Load(), TxBytes: c.txBytes.Load(),
		Dropped: c.dropped.Load(),
	}
}
