package ixgbe

import (
	"math/bits"
	"sync/atomic"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/internal/stall"
	"glassnic/packet"
)

// rxQueue is a receive queue: a ring whose descriptors hold empty buffers that the card may fill.
//
// The queue works in stretches of up to 128 descriptors. When one ends, its descriptors get fresh buffers from the
// pool, and the card is told (RDT). So a packet costs neither by itself.
type rxQueue struct {
	ring
	next  int         // the descriptor that the card fills next
	end   int         // the descriptor behind the stretch
	bare  int         // the first of those before next whose buffers are with the application
	span  packet.Span // of a frame of one byte that came in at this port
	room  uint64      // bytes that the card may write to a buffer
	plain uint64      // the same, or 0 where run takes no frame: where told, and within a frame of several buffers
	told  bool        // what the card says of frames is of interest
	said  said        // of the last frame
	clock *clock      // that stamps frames, or nil

	tail    mmio.Doorbell // RDT
	stretch int           // the longest stretch
	cache   *packet.Cache
	max     int // bytes of the longest frame

	partial    bool        // the last descriptor did not end its frame
	broken     bool        // drop the rest of that frame
	starved    bool        // the pool was empty when descriptors were bare
	head, last *packet.Buf // of that frame, so far
	total      int         // bytes of it so far

	chains []chain // by descriptor; nil: the card does not coalesce
	open   int     // of them

	wake  *wake       // nil: the queue cannot wake anybody
	watch stall.Watch // of Trouble

	dropped, noBuffer atomic.Uint64
}

// rxStretch is the longest stretch of a queue in descriptors. Rings of less than four of them have
// shorter ones: what a stretch has used is not the card's until its end.
const rxStretch = 128

const (
	// A descriptor holds a whole frame where word 1 under wholeMask is whole and a length, less one.
	wholeMask = chip.RxDD | chip.RxEOP | chip.RxRXE | chip.RxLenMask
	whole     = chip.RxDD | chip.RxEOP | 1<<chip.RxLenShift
)

// rxWords are wholeMask and whole for a loop to keep in registers: as constants of 64 bits, which no instruction
// has room for beside what it does, both would cost one of their own for each frame.
var rxWords = struct{ mask, whole uint64 }{wholeMask, whole}

// Receive implements nic.RxQueue (datasheet 7.1.6, advanced receive descriptors).
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	n := 0
	if len(batch) == 1 {
		n = q.one(batch)
	} else {
		n = q.run(batch)
	}
	if n < len(batch) || q.next == q.end {
		n = q.rest(batch, n)
	}
	return n
}

// one is run for a batch of one, to which the loop's preparations cost as much as the frame.
func (q *rxQueue) one(batch []*packet.Buf) int {
	next := q.next
	if next == q.end {
		return 0
	}
	size := bits.RotateLeft64(q.desc(next).done()&rxWords.mask-rxWords.whole, 32)
	if size >= q.plain {
		return 0
	}
	b := q.buf(next).Buf()
	b.SetSpan(q.span + packet.SpanLen(size))
	refsOf(batch).put(0, b)
	q.next = next + 1
	return 1
}

// run receives frames of one buffer each, up to the end of the stretch.
func (q *rxQueue) run(batch []*packet.Buf) int {
	span, room, mask, whole := q.span, q.plain, rxWords.mask, rxWords.whole
	d, bufs, out := q.desc(q.next), q.bufs.from(q.next), refsOf(batch)
	i, end := step(0), steps(min(len(batch), q.end-q.next))
	for ; i < end; i, d = i+steps(1), d.following() {
		// One comparison for all: any bit that is not as in whole makes the rotated difference huge.
		size := bits.RotateLeft64(d.done()&mask-whole, 32)
		if size >= room {
			break
		}
		b := bufs.get(i)
		// A load of the record is not waited for, but a store to it would be, and all stores behind. No span is zero.
		if b.Span() == 0 {
			break
		}
		b.SetSpan(span + packet.SpanLen(size))
		out.put(i, b)
	}
	n := i.index()
	q.next += n
	return n
}

// rest goes on after run has put got frames in batch: with the next stretch, or with a descriptor that
// run does not take.
func (q *rxQueue) rest(batch []*packet.Buf, got int) int {
	if q.chains != nil {
		return q.restCoalesced(batch, got)
	}
	// A card that lies without end is believed for one turn of the ring.
	for range q.size {
		if q.next == q.end {
			q.turn()
		}
		if got == len(batch) {
			break
		}
		n := q.run(batch[got:])
		if q.told && !q.partial {
			n = q.runTold(batch[got:])
		}
		if n > 0 {
			got += n
			continue
		}
		b, more := q.segment()
		if !more {
			break
		}
		if b != nil {
			batch[got] = b
			got++
		}
	}
	return got
}

// turn gives bare descriptors fresh buffers, as far as the pool has some, and begins the next stretch.
func (q *rxQueue) turn() {
	if q.next == q.size {
		q.next = 0
	}
	for q.bare != q.next {
		end := q.next
		if end < q.bare {
			end = q.size
		}
		fresh := q.cache.Take(end - q.bare)
		if len(fresh) == 0 {
			if !q.starved {
				q.noBuffer.Add(1)
			}
			q.starved = true
			break
		}
		q.starved = false
		q.fill(fresh)
		q.tail.Ring(q.limit())
	}
	bare := q.next - q.bare
	if bare < 0 {
		bare += q.size
	}
	q.end = q.next + min(q.stretch, q.size-q.next, q.size-1-bare)
}

// fill gives bare descriptors buffers, not past the end of the ring.
func (q *rxQueue) fill(fresh []*packet.Buf) {
	d, in := q.desc(q.bare), refsOf(fresh)
	for i, end := step(0), steps(len(fresh)); i < end; i, d = i+steps(1), d.following() {
		d.w0 = in.get(i).IOVA() + packet.Headroom
		d.w1 = 0
	}
	end := q.bare + len(fresh)
	copy(packet.Refs(q.slice(q.bare, end)), packet.Refs(fresh))
	if q.bare = end; q.bare == q.size {
		q.bare = 0
	}
}

// UseCache implements nic.CacheUser.
func (q *rxQueue) UseCache(c *packet.Cache) bool {
	if c == nil {
		c = q.cache.Pool().NewCache()
	}
	if c.Pool() != q.cache.Pool() {
		return false
	}
	q.cache.Flush()
	q.cache = c
	return true
}

// limit is the tail that hands all descriptors with buffers to the card, all but one where none is bare: with head
// and tail equal the ring would be empty for the card (datasheet 7.1.9).
func (q *rxQueue) limit() uint32 {
	if q.bare == 0 {
		return uint32(q.size - 1)
	}
	return uint32(q.bare - 1)
}

// segment takes one descriptor that run does not take: a part of a longer frame, or one that makes no
// sense. It returns the frame once that is complete, and whether there was such a descriptor.
func (q *rxQueue) segment() (frame *packet.Buf, more bool) {
	d := q.desc(q.next)
	w1 := d.done()
	if w1&chip.RxDD == 0 || q.next == q.end {
		return nil, false
	}
	w0 := d.w0
	b := q.buf(q.next).Buf()
	q.next++

	size, end := w1>>chip.RxLenShift&0xffff, w1&chip.RxEOP != 0
	if !q.broken && (size-1 >= q.room || w1&chip.RxRXE != 0 || q.total+int(size) > q.max) {
		q.broken = true
		q.dropped.Add(1)
	}
	// The span of a broken frame only has to be valid.
	b.SetSpan(q.span + packet.SpanLen(min(size-1, q.room-1)))
	if q.head == nil {
		q.head = b
	} else {
		q.last.SetNext(b)
	}
	q.last, q.total, q.partial = b, q.total+int(size), !end
	if q.plain = 0; end && !q.told {
		q.plain = q.room
	}
	if q.partial && !q.broken {
		return nil, true
	}
	frame = q.head
	q.head, q.last, q.total = nil, nil, 0
	if q.broken {
		// What follows up to the end belongs to the same frame and goes the same way.
		q.broken = q.partial
		packet.Free([]*packet.Buf{frame})
		return nil, true
	}
	if q.told {
		q.tell(frame, w0, w1)
	}
	return frame, true
}

// post fills the ring with empty buffers. It reports whether the pool has enough.
func (q *rxQueue) post() bool {
	for i := 0; i < q.size; {
		fresh := q.cache.Take(q.size - i)
		if len(fresh) == 0 {
			return false
		}
		for _, b := range fresh {
			q.buf(i).Set(b)
			*q.desc(i) = desc{w0: b.IOVA() + packet.Headroom}
			i++
		}
	}
	q.cache.Flush() // to other queues that are filled now
	return true
}

// release gives all buffers back after the card has stopped.
func (q *rxQueue) release() {
	free := func(b *packet.Buf) {
		if b != nil {
			b.SetNext(nil)
			packet.Free([]*packet.Buf{b})
		}
	}
	packet.Free([]*packet.Buf{q.head})
	q.releaseChains()
	for ; q.bare != q.next%q.size; q.bare = (q.bare + 1) % q.size {
		q.buf(q.bare).Set(nil)
	}
	for i := range q.size {
		free(q.buf(i).Buf())
	}
	q.cache.Flush()
}
