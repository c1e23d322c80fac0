package bench

import (
	"sync/atomic"

	"glassnic/sim/wire"
)

// frame is what waits at each port: 60 bytes, as short as Ethernet allows without the FCS, of an
// EtherType for experiments (IEEE 802, 9.2.4).
var frame = [60]byte{0x02, 0x10, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, 0x88, 0xb5}

// touched is the byte that the application increments.
const touched = 1

// end supplies one port with frames, checks what it sends, and counts both.
type end struct {
	left   int // frames that may still be handed out; the card's thread owns it
	closed atomic.Bool
	// refused counts how often, in mode cross, the card had frames and not one descriptor for them. The card's thread owns it.
	refused uint64

	supplied, sent, wrong atomic.Uint64
}

type counts struct{ supplied, sent, wrong uint64 }

func newEnd() *end { return &end{} }

// Receive implements wire.End.
func (e *end) Receive(frames []wire.Frame) int {
	if e.closed.Load() {
		return 0
	}
	n := min(len(frames), e.left)
	for i := range frames[:n] {
		frames[i] = wire.Frame{Data: frame[:]}
	}
	e.left -= n
	e.supplied.Store(e.supplied.Load() + uint64(n)) // the only writer
	return n
}

// Send implements wire.End.
func (e *end) Send(frames []wire.Frame) int {
	wrong := uint64(0)
	for i := range frames {
		if d := frames[i].Data; len(d) != len(frame) || d[touched] != frame[touched]+1 {
			wrong++
		}
	}
	if wrong > 0 {
		e.wrong.Add(wrong)
	}
	e.sent.Store(e.sent.Load() + uint64(len(frames)))
	return len(frames)
}

// Up implements wire.End.
func (e *end) Up() bool { return true }

// Close implements wire.End.
func (e *end) Close() error { return nil }

// counts adds both ends up.
func (r *rig) counts() (c counts) {
	for _, e := range r.ends {
		c.supplied += e.supplied.Load()
		c.sent += e.sent.Load()
		c.wrong += e.wrong.Load()
	}
	return c
}
