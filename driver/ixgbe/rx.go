package ixgbe

import (
	"sync/atomic"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/packet"
)

// rxQueue is a receive queue: a ring in which every descriptor holds an empty buffer that the card
// may fill. A filled one is swapped for another empty one on the spot, so the ring is always full,
// and the tail only follows, a few descriptors behind.
type rxQueue struct {
	ring  []desc
	bufs  []*packet.Buf // bufs[i] is the buffer in ring[i]
	next  int           // the descriptor that the card fills next
	cache *packet.Cache
	tail  mmio.Doorbell // RDT
	due   int           // descriptors refilled since the tail was last written
	lag   int           // write the tail when so many are due
	span  packet.Span   // of an empty frame that came in at this port
	room  uint64        // bytes that the card may write to a buffer
	max   int           // bytes of the longest frame

	head, last *packet.Buf // of a frame whose end has not come yet
	total      int         // bytes of it so far
	broken     bool        // drop the rest of it

	dropped, noBuffer atomic.Uint64
}

// whole is what word 1 of a descriptor shows when its buffer holds a whole frame.
const whole = chip.RxDD | chip.RxEOP

// Receive implements nic.RxQueue (datasheet 7.1.6, advanced receive descriptors).
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	got, seen := 0, 0
	for got < len(batch) && seen < len(q.ring) {
		n := q.run(batch[got:])
		got += n
		seen += n
		if n > 0 {
			continue
		}
		b, more := q.segment()
		if !more {
			break
		}
		seen++
		if b != nil {
			batch[got] = b
			got++
		}
	}
	if q.due += seen; q.due >= q.lag {
		q.due = 0
		q.tail.Ring(q.limit())
	}
	return got
}

// limit is the tail that hands all descriptors to the card but one: when head and tail are equal the
// ring is empty for the card (datasheet 7.1.9).
func (q *rxQueue) limit() uint32 {
	if q.next == 0 {
		return uint32(len(q.ring) - 1)
	}
	return uint32(q.next - 1)
}

// run receives frames of one buffer each, as long as there are such, up to the end of the ring.
func (q *rxQueue) run(batch []*packet.Buf) int {
	ring, bufs := q.ring[q.next:], q.bufs[q.next:]
	if q.head != nil || q.broken || ring[0].done()&chip.RxDD == 0 {
		return 0
	}
	fresh := q.cache.Offer(min(len(batch), len(ring)))
	ring, bufs = ring[:len(fresh)], bufs[:len(fresh)]
	n := 0
	for n < len(fresh) {
		d := &ring[n]
		w1 := d.done()
		size := w1 >> chip.RxLenShift & 0xffff
		if w1&(whole|chip.RxRXE) != whole || size-1 >= q.room {
			break
		}
		bufs[n].SetSpan(q.span + packet.SpanLen(size))
		d.w0 = fresh[n].IOVA() + packet.Headroom
		d.w1 = 0
		n++
	}
	copy(batch, bufs[:n])
	copy(bufs, fresh[:n])
	q.cache.Accept(fresh, n)
	if q.next += n; q.next == len(q.ring) {
		q.next = 0
	}
	return n
}

// segment takes one descriptor that run leaves: a part of a longer frame, or one that makes no
// sense. It returns the frame once that is complete, and whether there was such a descriptor.
func (q *rxQueue) segment() (frame *packet.Buf, more bool) {
	d := &q.ring[q.next]
	w1 := d.done()
	if w1&chip.RxDD == 0 {
		return nil, false
	}
	fresh := q.cache.Take(1)
	if len(fresh) == 0 {
		q.noBuffer.Add(1)
		return nil, false
	}
	b := q.bufs[q.next]
	q.bufs[q.next] = fresh[0]
	d.w0 = fresh[0].IOVA() + packet.Headroom
	d.w1 = 0
	if q.next++; q.next == len(q.ring) {
		q.next = 0
	}

	size, end := w1>>chip.RxLenShift&0xffff, w1&chip.RxEOP != 0
	if !q.broken && (size-1 >= q.room || w1&chip.RxRXE != 0 || q.total+int(size) > q.max) {
		q.broken = true
		q.dropped.Add(1)
	}
	b.SetSpan(q.span + packet.SpanLen(min(size, q.room)))
	if q.head == nil {
		q.head = b
	} else {
		q.last.SetNext(b)
	}
	q.last, q.total = b, q.total+int(size)
	if !end && !q.broken {
		return nil, true
	}
	frame = q.head
	q.head, q.last, q.total = nil, nil, 0
	if q.broken {
		// What follows up to the end belongs to the same frame and goes the same way.
		q.broken = !end
		q.drop(frame)
		return nil, true
	}
	return frame, true
}

// drop gives the buffers of a frame back.
func (q *rxQueue) drop(b *packet.Buf) {
	for b != nil {
		next := b.Next()
		q.cache.Put([]*packet.Buf{b})
		b = next
	}
}

// post fills the ring with empty buffers. It reports whether the pool has enough.
func (q *rxQueue) post() bool {
	for i := 0; i < len(q.ring); {
		fresh := q.cache.Take(min(len(q.ring)-i, packet.MaxTake))
		if len(fresh) == 0 {
			return false
		}
		for _, b := range fresh {
			q.bufs[i] = b
			q.ring[i] = desc{w0: b.IOVA() + packet.Headroom}
			i++
		}
	}
	return true
}

// release gives all buffers back after the card has stopped.
func (q *rxQueue) release() {
	q.drop(q.head)
	q.head = nil
	for i, b := range q.bufs {
		if b != nil {
			q.cache.Put(q.bufs[i : i+1])
			q.bufs[i] = nil
		}
	}
	q.cache.Flush()
}
