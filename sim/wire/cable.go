package wire

import "sync/atomic"

// CableEnd is one end of a cable. What one end sends the other receives, copied. A full queue (256
// KiB each way) takes no more frames, so that the sender keeps them. Frames of no or of more than
// MaxFrame bytes, and those sent after either end was closed, are dropped and counted.
type CableEnd struct {
	counters
	in, out *queue
	closed  *atomic.Bool
}

// Cable returns the two ends of a cable. Each end has its own owner; the two may be different
// goroutines.
func Cable() (a, b *CableEnd) {
	x, y, closed := newQueue(), newQueue(), new(atomic.Bool)
	return &CableEnd{in: x, out: y, closed: closed}, &CableEnd{in: y, out: x, closed: closed}
}

// Receive implements End. Frames sent before a Close still arrive.
func (c *CableEnd) Receive(frames []Frame) int { return c.receive(c.in, frames) }

// Send implements End.
func (c *CableEnd) Send(frames []Frame) int {
	if c.closed.Load() {
		c.dropped.Add(uint64(len(frames)))
		return len(frames)
	}
	return c.send(c.out, frames)
}

// Up implements End: true until one end is closed.
func (c *CableEnd) Up() bool { return !c.closed.Load() }

// Close takes the link down at both ends.
func (c *CableEnd) Close() error {
	c.closed.Store(true)
	return nil
}

// Loop is an End that sends back whatever the port sends, with a queue and its rules as a CableEnd's.
type Loop struct {
	counters
	q *queue
}

// NewLoop returns an empty loop.
func NewLoop() *Loop { return &Loop{q: newQueue()} }

// Receive implements End.
func (l *Loop) Receive(frames []Frame) int { return l.receive(l.q, frames) }

// Send implements End.
func (l *Loop) Send(frames []Frame) int { return l.send(l.q, frames) }

// Up implements End: always true.
func (l *Loop) Up() bool { return true }

// Close implements End.
func (l *Loop) Close() error { return nil }

func (c *counters) receive(q *queue, frames []Frame) int {
	n, bytes := q.pop(frames)
	if n > 0 {
		c.rx(n, bytes)
	}
	return n
}

// send pushes runs of frames of allowed length and drops the others.
func (c *counters) send(q *queue, frames []Frame) int {
	taken := 0
	for taken < len(frames) {
		run, bytes := 0, uint64(0)
		for _, f := range frames[taken:] {
			if !sendable(f.Data) {
				break
			}
			run++
			bytes += uint64(len(f.Data))
		}
		n := q.push(frames[taken : taken+run])
		for _, f := range frames[taken+n : taken+run] {
			bytes -= uint64(len(f.Data))
		}
		if n > 0 {
			c.tx(n, bytes)
		}
		taken += n
		if n < run {
			break
		}
		if taken < len(frames) {
			c.dropped.Add(1)
			taken++
		}
	}
	return taken
}

func sendable(data []byte) bool { return len(data) > 0 && len(data) <= MaxFrame }
