package ixgbe

import (
	"sync/atomic"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/packet"
)

// txQueue is a transmit queue. Descriptors from clean up to next belong to the card. Every report
// descriptors one asks for a report of completion (RS); the buffers of all before it come back with
// it.
type txQueue struct {
	ring    []desc
	bufs    []*packet.Buf // bufs[i] is the buffer in ring[i]
	next    int           // first free descriptor
	clean   int           // first descriptor that the card may still have
	free    int           // descriptors that may be used
	pending int           // descriptors since the last RS
	report  int
	marks   []int // ring of the positions of RS, from oldest to newest
	oldest  int   // in marks
	asked   int   // marks in use
	cache   *packet.Cache
	pool    uint32        // PoolID of cache
	tail    mmio.Doorbell // TDT
	max     uint64        // bytes of the longest frame
	mixed   bool          // the ring holds buffers of other pools than cache's
	domain  any           // of the memory that the card reaches

	dropped atomic.Uint64
}

const (
	// txData are the constant bits of a data descriptor of a whole frame (datasheet 7.2.3.2.4).
	txData = chip.TxDTYPData | chip.TxDCMDDEXT | chip.TxDCMDIFCS
	// minTx is the shortest frame the card may be given, in bytes; it pads to 60 itself
	// (datasheet 8.2.3.22.8, HLREG0.TXPADEN; 7.2.1.1, smaller ones are not allowed).
	minTx = 17
)

// Send implements nic.TxQueue (datasheet 7.2.3, advanced transmit descriptors).
func (q *txQueue) Send(batch []*packet.Buf) int {
	q.reclaim()
	first, sent := q.next, 0
	for sent < len(batch) {
		n := q.run(batch[sent:])
		sent += n
		if n > 0 {
			continue
		}
		if !q.special(batch[sent]) {
			break
		}
		sent++
	}
	if q.next != first {
		q.tail.Ring(uint32(q.next))
	}
	return sent
}

// run sends frames of one buffer each, as long as there are such, up to the end of the ring or the next
// report.
func (q *txQueue) run(batch []*packet.Buf) int {
	ring := q.ring[q.next:]
	ring = ring[:min(len(batch), q.free, len(ring), q.report-q.pending)]
	n := 0
	for n < len(ring) {
		b := batch[n]
		s := b.Span()
		size := s.Len()
		if s&packet.ChainedSpan != 0 || size-minTx > q.max-minTx || b.PoolID() != q.pool {
			break
		}
		d := &ring[n]
		d.w0 = b.IOVA() + s.Offset()
		d.w1 = size<<chip.TxPaylenShift | size | txData | chip.TxDCMDEOP
		n++
	}
	if n == 0 {
		return 0
	}
	copy(q.bufs[q.next:], batch[:n])
	q.advance(n)
	return n
}

// advance hands n descriptors over, the last of them the end of a frame. None goes to the card
// before the tail is written.
func (q *txQueue) advance(n int) {
	q.free -= n
	q.pending += n
	last := q.next + n - 1
	if last >= len(q.ring) {
		last -= len(q.ring)
	}
	if q.pending >= q.report {
		q.ring[last].w1 |= chip.TxDCMDRS
		at := q.oldest + q.asked
		if at >= len(q.marks) {
			at -= len(q.marks)
		}
		q.marks[at] = last
		q.asked++
		q.pending = 0
	}
	if q.next = last + 1; q.next == len(q.ring) {
		q.next = 0
	}
}

// reclaim gives the buffers back of which the card has reported completion.
func (q *txQueue) reclaim() {
	for q.asked > 0 {
		last := q.marks[q.oldest]
		if q.ring[last].done()&chip.TxDD == 0 {
			return
		}
		q.asked--
		if q.oldest++; q.oldest == len(q.marks) {
			q.oldest = 0
		}
		if last < q.clean {
			q.put(q.bufs[q.clean:])
			q.clean = 0
		}
		q.put(q.bufs[q.clean : last+1])
		if q.clean = last + 1; q.clean == len(q.ring) {
			q.clean = 0
		}
		q.mixed = q.mixed && q.clean != q.next
	}
}

// put gives buffers back, each by itself: segments of a frame lie in descriptors of their own.
func (q *txQueue) put(bufs []*packet.Buf) {
	q.free += len(bufs)
	if !q.mixed {
		q.cache.Put(bufs)
		return
	}
	for i, b := range bufs {
		if b.PoolID() == q.pool {
			q.cache.Put(bufs[i : i+1])
			continue
		}
		b.SetNext(nil)
		packet.Free(bufs[i : i+1])
	}
}

// special sends a frame that run leaves: one in several buffers, or of another pool than those in the
// ring, or one that cannot be sent. It reports whether the frame was taken.
func (q *txQueue) special(b *packet.Buf) bool {
	segments, total, fits := 0, 0, true
	for s := b; s != nil; s = s.Next() {
		segments++
		total += s.Len()
		// A part may be short, not empty, and each must lie where the card reaches it.
		fits = fits && s.Len() > 0 && s.Len() <= chip.TxBufMax &&
			(s.PoolID() == q.pool || packet.PoolOf(s).Domain() == q.domain)
		if segments > chip.TxDescMax {
			break
		}
	}
	if !fits || segments > min(chip.TxDescMax, len(q.ring)-1) || total < minTx || uint64(total) > q.max {
		q.dropped.Add(1)
		packet.Free([]*packet.Buf{b})
		return true
	}
	if segments > q.free {
		return false
	}
	if b.PoolID() != q.pool {
		q.adopt(b)
	}
	at := q.next
	for s := b; s != nil; s = s.Next() {
		q.mixed = q.mixed || s.PoolID() != q.pool
		w1 := uint64(total)<<chip.TxPaylenShift | uint64(s.Len()) | txData
		if s.Next() == nil {
			w1 |= chip.TxDCMDEOP
		}
		q.ring[at] = desc{s.IOVA() + s.Span().Offset(), w1}
		q.bufs[at] = s
		if at++; at == len(q.ring) {
			at = 0
		}
	}
	q.advance(segments)
	return true
}

// adopt makes the pool of b the one whose buffers come back in bulk, if nothing of another pool is in
// the ring.
func (q *txQueue) adopt(b *packet.Buf) {
	if q.clean != q.next || q.free != len(q.ring)-1 {
		q.mixed = true
		return
	}
	q.cache.Flush()
	q.cache = packet.PoolOf(b).NewCache()
	q.pool, q.mixed = b.PoolID(), false
}

// release gives all buffers back after the card has stopped.
func (q *txQueue) release() {
	for q.free < len(q.ring)-1 {
		end := len(q.ring)
		if q.clean < q.next {
			end = q.next
		}
		q.put(q.bufs[q.clean:end])
		if q.clean = end; q.clean == len(q.ring) {
			q.clean = 0
		}
	}
	q.cache.Flush()
}
