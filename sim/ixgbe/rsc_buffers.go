package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// claim takes the descriptor at the head, which is written back when it is full or last.
func (x *coalescing) claim() {
	q := x.q
	x.desc, x.addr, x.used, x.begun = q.head, q.ring[q.head].lo, 0, 0
	x.descs++
	j := q.journal
	store32(&j.current, none)
	if j.open == none {
		store32(&j.open, q.head)
	}
	q.head++
	if q.head == q.size {
		q.head = 0
	}
	q.left--
	store32(&j.next, q.head)
}

// extend goes on with another descriptor.
func (c *Card) extend(x *coalescing) {
	i, n, at := x.desc, x.begun, x.q.head
	x.claim()
	x.writeBack(i, n, chip.RxDD|uint64(at)<<chip.RxNextShift|uint64(x.q.bufSize)<<chip.RxLenShift)
	x.q.reopen(c)
}

// writeBack hands descriptor i to the driver, in whose buffer so many packets begin.
func (x *coalescing) writeBack(i uint32, begun int, w1 uint64) {
	d := &x.q.ring[i]
	d.lo = x.w0 | uint64(begun+1)<<chip.RxRSCCntShift
	store64(&d.hi, w1)
}

// complete hands a large frame to the driver. Of its headers the length, its checksum and what update took are new; the
// checksum of TCP stays that of the first segment, and the write-back says that all were right.
func (c *Card) complete(x *coalescing) {
	q := x.q
	c.rsc.close(x)
	if !q.on || q.stopped || !c.master || !q.find(c, c.who.rxRing) {
		return
	}
	if x.segments > 1 {
		s := &x.first
		h := x.headers[s.l3:s.l4]
		binary.BigEndian.PutUint16(h[2:], uint16(x.total))
		h[10], h[11] = 0, 0
		binary.LittleEndian.PutUint16(h[10:], ^uint16(fold(sum(h))))
		buf, ok := c.space.At(c.who.rxBuf, x.buf, s.payload, true)
		if !ok {
			q.stopped, q.left = true, 0
			return
		}
		copy(buf, x.headers[:s.payload])
	}
	x.writeBack(x.desc, x.begun, chip.RxDD|chip.RxEOP|x.w1|uint64(x.used)<<chip.RxLenShift)
	c.irq.queues |= q.cause
	q.reopen(c)
}

// reopen notes which descriptor has been held the longest.
func (q *rxQueue) reopen(c *Card) {
	oldest, age := none, uint32(0)
	for _, x := range c.rsc.open {
		if n := (q.head + q.size - x.desc) % q.size; x.q == q && n >= age {
			oldest, age = x.desc, n
		}
	}
	store32(&q.journal.open, oldest)
}

// abandon gives the descriptors that another process's coalescings held an end that says they are bad. Those that the
// driver has handed over again are left alone, and the one at the tail, which it may have filled.
func (q *rxQueue) abandon() {
	i, tail := q.journal.open, q.reg(atTail)
	if i >= q.size || tail >= q.size {
		return
	}
	left := (tail + q.size - q.head) % q.size
	for ; i != q.head; i = (i + 1) % q.size {
		if d := &q.ring[i]; d.hi&chip.RxDD == 0 && (i+q.size-q.head)%q.size > left {
			d.lo = 0
			store64(&d.hi, chip.RxDD|chip.RxEOP|chip.RxRXE)
		}
	}
}
