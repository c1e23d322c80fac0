package ixgbe

import (
	"math/bits"
	"sync/atomic"
	"time"

	"glassnic/bus/irq"
	chip "glassnic/chip/ixgbe"
)

// interrupts is what becomes of causes (7.3): they are kept, masked, given to vectors, throttled and sent.
//
// With GPIE.MULTIPLE_MSIX a bit of queues and its mask is a vector, of which EICR and EIMS show the first 16;
// else it is one of the 16 causes of EICR that IVAR gives queues to, and all of them make one interrupt.
// Model time for EITR is that of the card. TCP timer, low latency and virtual functions are not modelled.
type interrupts struct {
	line   atomic.Pointer[line]
	was    *line  // at the last look
	queues uint64 // causes of queues
	open   uint64 // the mask: causes of queues that are let through
	other  uint32 // causes from EICR[16] on
	opened uint32 // the mask of those
	sent   uint64 // vectors that ask for an interrupt and have got it
	next   [chip.MSIXVectors]time.Duration
}

// line is how interrupts reach the host.
type line struct {
	kind irq.Kind
	send func(vector int)
}

// otherCauses are the bits of EICR and EIMS that no queue has.
const otherCauses = chip.EimcAll &^ chip.EicrRTxQ

// SetInterrupts has the card interrupt in a way of its host, on which send is called on the goroutine that
// steps the card; nil for not at all, as after New. Any goroutine may call it, and send may still be called
// once after that. An INTx is sent when the pin is asserted, and again by Unmask if it still is.
func (c *Card) SetInterrupts(kind irq.Kind, send func(vector int)) {
	if send == nil {
		c.irq.line.Store(nil)
		return
	}
	c.irq.line.Store(&line{kind, send})
}

// Unmask lets a pin that is still asserted interrupt again, as a host's interrupt controller does.
func (c *Card) Unmask() {
	c.irq.sent = 0
	c.interrupt()
}

// interrupt sends what has become due: a message for each vector that did not ask before.
func (c *Card) interrupt() {
	n := &c.irq
	l := n.line.Load()
	if l != n.was {
		n.was, n.sent = l, 0
	}
	if l == nil || !c.master || Faults(c.faults.Load())&Pulled != 0 {
		return
	}
	asking := c.asking()
	n.sent &= asking
	for fresh := asking &^ n.sent; fresh != 0; fresh &= fresh - 1 {
		v := bits.TrailingZeros64(fresh)
		if c.throttled(v) {
			continue
		}
		n.sent |= 1 << v
		c.flush(v)
		if l.kind == irq.MSIX {
			c.emitted(v)
		}
		c.showInterrupts()
		l.send(v)
	}
}

// asking returns the vectors that have a cause which is not masked (7.3.4).
func (c *Card) asking() uint64 {
	n := &c.irq
	queues, other := n.queues&n.open, n.other&n.opened
	if !c.vectors() {
		if queues != 0 || other != 0 {
			return 1
		}
		return 0
	}
	if v := c.get(chip.IVAR_MISC) >> 8; other != 0 && v&chip.IvarAllocVal != 0 {
		queues |= 1 << (v & chip.IvarAlloc)
	}
	return queues
}

// vectors tells whether each vector of MSI-X has causes of its own.
func (c *Card) vectors() bool { return c.get(chip.GPIE)&chip.GpieMultipleMSIX != 0 }

// emitted clears and masks causes after the message of a vector (8.2.3.5.5, 8.2.3.5.6, 8.2.3.5.10). Those
// that EICR has no room for clear always: nothing else could clear them.
func (c *Card) emitted(v int) {
	n := &c.irq
	bit := uint64(1) << v
	if !c.vectors() {
		bit = uint64(chip.EicrRTxQ)
	}
	clears := uint64(c.get(chip.EIAC)) | ^uint64(chip.EicrRTxQ)
	n.queues &^= bit & clears
	if c.get(chip.GPIE)&chip.GpieEIAME != 0 {
		n.open &^= bit & c.autoMask()
	}
	n.sent &= c.asking()
}

// autoMask is EIAM for all vectors.
func (c *Card) autoMask() uint64 {
	return uint64(c.get(chip.EIAM_EX(0))) | uint64(c.get(chip.EIAM_EX(1)))<<32
}

// throttled tells whether EITR keeps a vector from interrupting now, and if not counts from now on
// (8.2.3.5.12).
func (c *Card) throttled(v int) bool {
	interval := c.get(chip.EITR(v)) & chip.EitrITRInterval >> chip.EitrITRIntervalShift
	if interval == 0 {
		return false
	}
	now, n := c.now(), &c.irq
	if now < n.next[v] {
		return true
	}
	n.next[v] = now + time.Duration(interval)*2*time.Microsecond
	return false
}

// cause keeps causes that are not a queue's.
func (c *Card) cause(bits uint32) { c.irq.other |= bits & otherCauses }

// allocation returns the cause that a byte of IVAR gives a queue (8.2.3.5.16), 0 for none.
func (c *Card) allocation(i int, tx bool) uint64 {
	shift := 16 * (i % 2)
	if tx {
		shift += 8
	}
	v := c.get(chip.IVAR(i/2)) >> shift
	if v&chip.IvarAllocVal == 0 {
		return 0
	}
	v &= chip.IvarAlloc
	if !c.vectors() {
		v &= 15
	}
	return 1 << v
}

// resetInterrupts forgets causes and masks all.
func (c *Card) resetInterrupts() {
	n := &c.irq
	n.queues, n.open, n.other, n.opened, n.sent = 0, 0, 0, 0, 0
	clear(n.next[:])
}

// resumeInterrupts goes on with the mask that another process's card left. What causes it knew is lost, so
// that every queue is one.
func (c *Card) resumeInterrupts() {
	n := &c.irq
	n.setMask(c.get(chip.EIMS))
	n.other = c.get(chip.EICR) & otherCauses
	for i := range queues {
		n.queues |= c.rxq[i].cause | c.txq[i].cause
	}
}
