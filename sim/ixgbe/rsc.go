package ixgbe

import (
	"bytes"
	"math/bits"
	"slices"
	"time"

	chip "glassnic/chip/ixgbe"
)

// Receive side coalescing (7.11): segments of a TCP connection that follow each other are put together in the buffers of one
// large frame, behind the headers of the first. The buffers are those at the head when a segment needs one, so that those
// of several connections lie mixed in the ring; each write-back names the next (NEXTP).
//
// What the datasheet leaves to the card: a flow that finds all contexts taken is not coalesced, the type of service has to
// stay the same, and a segment without payload always ends a coalescing, as with RSCDBU.RSCACKDIS.

const (
	// rscContexts is how many flows a port coalesces at a time (7.11).
	rscContexts = 32
	// rscPackets is how many packets may begin in one buffer: RSCCNT has room for no more (7.1.6.2).
	rscPackets = 14
	rscDelay   = 4 * time.Microsecond // unit of GPIE.RSC_DELAY (8.2.3.5.18)
	longestIP  = 65535                // bytes of a packet with its header
)

// coalescings are those of a port.
type coalescings struct {
	open []*coalescing // by age, the oldest first
	free []*coalescing
	next [chip.MSIXVectors]time.Duration // when EITR ends those of a vector at the earliest
}

// coalescing is a large frame in the making.
type coalescing struct {
	q        *rxQueue
	flow     uint64 // addresses
	ports    uint32
	first    tcpSegment // its headers are brought up to date
	headers  [rscHeaders]byte
	buf      uint64        // where the headers go
	sequence uint32        // expected next
	total    int           // bytes of the IP packet
	w0, w1   uint64        // of the first segment's write-back
	desc     uint32        // the descriptor that is being filled
	addr     uint64        // its buffer
	used     int           // bytes of it
	begun    int           // packets that begin in it
	descs    int           // so far
	segments int           // so far
	until    time.Duration // when it is complete whatever comes
}

// loadRSC reads how the queue coalesces. All that 4.6.7.2 asks for has to be set.
func (q *rxQueue) loadRSC(c *Card) {
	v, n := c.get(chip.RSCCTL(q.index)), 0
	if v&chip.RscctlRSCEN != 0 && c.get(chip.RFCTL)&chip.RfctlRSCDIS == 0 && q.advanced &&
		c.get(chip.PSRTYPE(0))&chip.PsrtypePSRTYPE4 != 0 && q.cause != 0 && c.interval(q) != 0 {
		n = [...]int{1, 4, 8, 16}[v&chip.RscctlMAXDESC>>chip.RscctlMAXDESCShift]
	}
	longest := int(c.get(chip.SRRCTL(q.index))&chip.SrrctlBSIZEHEADER>>chip.SrrctlBSIZEHEADERShift) * 64
	if n != q.rsc || longest != q.longest {
		c.completeAll(q)
		q.rsc, q.longest = n, longest
	}
}

// vector returns the MSI-X vector of the queue, whose EITR counts.
func (c *Card) vector(q *rxQueue) int {
	if !c.vectors() || q.cause == 0 {
		return 0
	}
	return bits.TrailingZeros64(q.cause)
}

// interval is the queue's time between two interrupts (8.2.3.5.12).
func (c *Card) interval(q *rxQueue) time.Duration {
	v := c.get(chip.EITR(c.vector(q))) & chip.EitrITRInterval >> chip.EitrITRIntervalShift
	return time.Duration(v) * 2 * time.Microsecond
}

// gather appends a frame to the coalescing of its flow, or begins one with it. It reports false for a frame that has to be
// placed by itself.
func (c *Card) gather(q *rxQueue, data []byte, w0, w1 uint64) (placement, bool) {
	var s tcpSegment
	if !s.parse(data) {
		return placed, false
	}
	fit := s.plain(data, w1) && s.payload < q.longest
	x := c.rsc.find(q, &s)
	if x != nil && !(fit && x.continues(&s, data, w1)) {
		c.complete(x)
		x = nil
	}
	if !fit {
		return placed, false
	}
	if x == nil {
		if x = c.begin(q, &s, data, w0, w1); x == nil {
			return placed, false
		}
		return c.add(x, &s, data), true
	}
	x.update(&s, data)
	return c.add(x, &s, data[s.payload:s.end]), true
}

// begin opens a coalescing with its first segment's headers; nil where there is no room for one.
func (c *Card) begin(q *rxQueue, s *tcpSegment, data []byte, w0, w1 uint64) *coalescing {
	need := (s.end + q.bufSize - 1) / q.bufSize
	if need > q.rsc || uint32(need) > q.left || len(c.rsc.open) == rscContexts {
		return nil
	}
	r := &c.rsc
	var x *coalescing
	if n := len(r.free); n > 0 {
		x, r.free = r.free[n-1], r.free[:n-1]
	} else {
		x = new(coalescing)
	}
	*x = coalescing{q: q, flow: s.flow, ports: s.ports, first: *s, sequence: s.sequence, total: s.payload - s.l3, w0: w0, w1: w1}
	copy(x.headers[:], data[:s.payload])
	x.until = max(c.now()+rscDelay*time.Duration(1+c.get(chip.GPIE)&chip.GpieRSCDelay>>chip.GpieRSCDelayShift),
		c.irq.next[c.vector(q)], r.next[c.vector(q)])
	r.open = append(r.open, x)
	x.claim()
	x.buf = x.addr
	return x
}

// continues tells whether a segment is the next of the coalescing and has room (7.11.4).
func (x *coalescing) continues(s *tcpSegment, data []byte, w1 uint64) bool {
	const tag = chip.RxVP | 0xFFFF<<chip.RxVLANShift
	q, more := x.q, s.end-s.payload
	beyond := max(x.used+more-q.bufSize, 0)
	need := (beyond + q.bufSize - 1) / q.bufSize
	return s.sequence == x.sequence && s.l3 == x.first.l3 && s.payload == x.first.payload && int32(s.ack-x.first.ack) >= 0 &&
		int32(s.stamp-x.first.stamp) >= 0 && (w1^x.w1)&tag == 0 && bytes.Equal(data[:s.l3+2], x.headers[:s.l3+2]) &&
		x.descs+need <= q.rsc && uint32(need) <= q.left && x.total+more <= longestIP
}

// update takes what the headers of a large frame have from its last segment.
func (x *coalescing) update(s *tcpSegment, data []byte) {
	x.first.ack, x.first.stamp = s.ack, s.stamp
	const ack, window, options = 8, 14, 20 // RFC 9293, 3.1
	to, from := x.headers[s.l4:s.payload], data[s.l4:s.payload]
	copy(to[ack:ack+4], from[ack:])
	to[tcpFlags] |= from[tcpFlags]
	copy(to[window:window+2], from[window:])
	copy(to[options:], from[options:])
}

// add writes a segment to the buffers, the first with its headers, and ends the coalescing where it cannot go on.
func (c *Card) add(x *coalescing, s *tcpSegment, data []byte) placement {
	q := x.q
	if x.used == q.bufSize {
		c.extend(x)
	}
	x.begun++
	for {
		n := min(len(data), q.bufSize-x.used)
		buf := c.rxBuffer(q, x.addr+uint64(x.used), n)
		if buf == nil {
			c.forget(q)
			return refused
		}
		copy(buf, data)
		x.used += n
		if data = data[n:]; len(data) == 0 {
			break
		}
		c.extend(x)
	}
	more := s.end - s.payload
	x.total += more
	x.sequence += uint32(more)
	x.segments++
	if s.push || x.begun == rscPackets {
		c.complete(x)
	}
	return placed
}

// age completes what has been gathered for as long as the driver asked for, and returns how much that was.
func (c *Card) age() (n int) {
	if len(c.rsc.open) == 0 {
		return 0
	}
	now := c.now()
	for i := 0; i < len(c.rsc.open); {
		x := c.rsc.open[i]
		if now < x.until {
			i++
			continue
		}
		c.rsc.next[c.vector(x.q)] = now + c.interval(x.q)
		c.complete(x)
		n++
	}
	return n
}

// flush completes what a vector's interrupt is to tell of.
func (c *Card) flush(v int) {
	c.end(func(x *coalescing) bool { return c.vector(x.q) == v })
}

// completeAll completes all coalescings of a queue.
func (c *Card) completeAll(q *rxQueue) {
	c.end(func(x *coalescing) bool { return x.q == q })
}

func (c *Card) end(which func(*coalescing) bool) {
	for i := 0; i < len(c.rsc.open); {
		if x := c.rsc.open[i]; which(x) {
			c.complete(x)
		} else {
			i++
		}
	}
}

// forget gives up all coalescings of a queue that has stopped or begins anew.
func (c *Card) forget(q *rxQueue) {
	for i := 0; i < len(c.rsc.open); {
		if x := c.rsc.open[i]; x.q == q {
			c.rsc.close(x)
		} else {
			i++
		}
	}
}

func (r *coalescings) close(x *coalescing) {
	i := slices.Index(r.open, x)
	r.open = slices.Delete(r.open, i, i+1)
	r.free = append(r.free, x)
}

// find returns the coalescing of a segment's flow.
func (r *coalescings) find(q *rxQueue, s *tcpSegment) *coalescing {
	for _, x := range r.open {
		if x.flow == s.flow && x.ports == s.ports && x.q == q {
			return x
		}
	}
	return nil
}
