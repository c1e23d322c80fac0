package ixgbe

import (
	"sync/atomic"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/internal/stall"
	"glassnic/packet"
)

// txQueue is a transmit queue. Descriptors from clean up to next belong to the card.
//
// The queue works in stretches. The last descriptor of a stretch asks the card for a report of
// completion (RS), with which the buffers of the whole stretch come back.
type txQueue struct {
	ring
	next  int         // first free descriptor
	end   int         // the descriptor behind the stretch
	plain packet.Span // of a frame of minTx bytes of the cache's pool, but for the offset
	top   uint64      // bytes of the longest frame, less minTx

	tail    mmio.Doorbell // TDT
	stretch int           // the longest stretch
	clean   int           // first descriptor that the card may still have
	begun   int           // first descriptor after the last one with RS
	reports []int         // ring of the positions of RS that the card may still have
	oldest  int           // the oldest of reports
	open    int           // how many there are
	cache   *packet.Cache
	given   bool         // cache was chosen: by UseCache, or by the first frame of another pool
	own     *packet.Pool // the port's
	foreign int          // buffers in the ring of other pools than cache's
	domain  any          // of the memory that the card reaches
	most    int          // descriptors of one frame
	context txContext    // that the card has
	// segments says that the card is to cut large frames.
	segments bool
	stamps   bool // the clock runs
	outer    bool // frames carry an outer tag

	watch   stall.Watch // of Trouble
	dropped atomic.Uint64
}

const (
	// txData are the constant bits of a data descriptor of a whole frame (datasheet 7.2.3.2.4).
	txData = chip.TxDTYPData | chip.TxDCMDDEXT | chip.TxDCMDIFCS
	// minTx is the shortest frame the card may be given, in bytes; it pads to 60 itself
	// (datasheet 8.2.3.22.8, HLREG0.TXPADEN; 7.2.1.1, smaller ones are not allowed).
	minTx = 17
	// sizeMask takes from the difference of a span and plain the length and those flags that
	// are zero in a frame of one buffer of the right pool.
	sizeMask = 0xffff | uint64(packet.TxMask)<<16
	// lengths makes PAYLEN and DTALEN of a length.
	lengths = 1<<chip.TxPaylenShift | 1
	// txShort is word 1 of the descriptor of a whole frame of minTx bytes.
	txShort = minTx*lengths | txData | chip.TxDCMDEOP
)

// txWords are constants for a loop to take from memory or registers, as rxWords are.
var txWords = struct{ mask, lengths, short uint64 }{sizeMask, lengths, txShort}

// Send implements nic.TxQueue (datasheet 7.2.3, advanced transmit descriptors).
func (q *txQueue) Send(batch []*packet.Buf) int {
	n := 0
	if len(batch) == 1 {
		n = q.one(batch)
	} else {
		n = q.run(batch)
	}
	if n < len(batch) || q.next == q.end || n == 0 {
		n = q.rest(batch, n)
	}
	if n > 0 {
		q.tail.Ring(uint32(q.next))
	}
	return n
}

// one is run for a batch of one, as the receive queue's.
func (q *txQueue) one(batch []*packet.Buf) int {
	next := q.next
	if next == q.end {
		return 0
	}
	b := refsOf(batch).get(0)
	s := b.Span() - q.plain
	above := uint64(s) & txWords.mask
	if above > q.top {
		return 0
	}
	d := q.desc(next)
	d.w0 = b.IOVA() + s.Offset()
	d.w1 = above*lengths + txShort
	q.bufs.put(steps(next), b)
	q.next = next + 1
	return 1
}

// run sends frames of one buffer each, up to the end of the stretch.
func (q *txQueue) run(batch []*packet.Buf) int {
	plain, top, lengths := q.plain, q.top, txWords.lengths
	d, bufs, in := q.desc(q.next), q.bufs.from(q.next), refsOf(batch)
	i, end := step(0), steps(min(len(batch), q.end-q.next))
	for ; i < end; i, d = i+steps(1), d.following() {
		b := in.get(i)
		s := b.Span() - plain
		// One comparison for all: any flag that is not as it should be makes the length huge, and so does a frame
		// shorter than minTx.
		above := uint64(s) & txWords.mask
		if above > top {
			break
		}
		d.w0 = b.IOVA() + s.Offset()
		d.w1 = above*lengths + txWords.short
		bufs.put(i, b)
	}
	n := i.index()
	q.next += n
	return n
}

// rest goes on after run has sent the first frames of batch: with the next stretch, or with a frame that
// run does not take.
func (q *txQueue) rest(batch []*packet.Buf, sent int) int {
	for {
		q.turn()
		if sent == len(batch) || q.next == q.end {
			return sent
		}
		if n := q.run(batch[sent:]); n > 0 {
			sent += n
			continue
		}
		if !q.special(batch[sent]) {
			return sent
		}
		sent++
	}
}

// turn ends a stretch that is used up and begins the next, which is empty where the ring is full.
func (q *txQueue) turn() {
	over := q.next == q.end
	if over {
		q.ask()
	}
	q.reclaim()
	if over {
		q.end = q.next + min(q.stretch, q.size-q.next, q.free())
	}
}

// free counts the descriptors that may be used: all but one, lest a full ring look empty.
func (q *txQueue) free() int {
	used := q.next - q.clean
	if used < 0 {
		used += q.size
	}
	return q.size - 1 - used
}

// ask asks for a report with the last descriptor of the stretch.
func (q *txQueue) ask() {
	if q.next == q.begun {
		return
	}
	last := q.next - 1
	q.desc(last).w1 |= chip.TxDCMDRS
	at := q.oldest + q.open
	if at >= len(q.reports) {
		at -= len(q.reports)
	}
	q.reports[at] = last
	q.open++
	if q.next == q.size {
		q.next = 0
	}
	q.begun = q.next
}

// reclaim gives the buffers back of which the card has reported completion.
func (q *txQueue) reclaim() {
	end := q.clean
	for q.open > 0 {
		last := q.reports[q.oldest]
		if q.desc(last).done()&chip.TxDD == 0 {
			break
		}
		q.open--
		if q.oldest++; q.oldest == len(q.reports) {
			q.oldest = 0
		}
		end = last + 1
	}
	if end != q.clean {
		q.giveBack(end)
	}
}

// giveBack gives the buffers from clean up to, not including, end back to their pools, each by itself:
// segments of a frame have descriptors of their own.
func (q *txQueue) giveBack(end int) {
	if end < q.clean {
		q.giveBack(q.size)
	}
	bufs := q.slice(q.clean, end)
	if q.foreign == 0 {
		q.cache.Put(bufs)
	} else {
		q.sort(bufs)
	}
	if q.clean = end; q.clean == q.size {
		q.clean = 0
	}
}

// sort gives each buffer back to its own pool.
func (q *txQueue) sort(bufs []*packet.Buf) {
	for i, b := range bufs {
		if b == nil {
			q.foreign--
			continue
		}
		if packet.PoolOf(b) == q.cache.Pool() {
			q.cache.Put(bufs[i : i+1])
			continue
		}
		b.SetNext(nil)
		packet.Free(bufs[i : i+1])
		q.foreign--
	}
}

// special sends a frame that run does not take: one in several buffers, or of another pool than those in
// the ring, or one that the card has to complete, or one that cannot be sent. It reports whether the frame was taken.
func (q *txQueue) special(b *packet.Buf) bool {
	segments, total := 0, 0
	todo, fits := q.offload(b)
	for s := b; s != nil; s = s.Next() {
		segments++
		total += s.Len()
		// A part may be short, not empty, and each must lie where the card reaches it.
		fits = fits && s.Len() > 0 && s.Len() <= chip.TxBufMax && packet.PoolOf(s).Domain() == q.domain
		if segments > q.most {
			break
		}
	}
	if !fits || segments > q.most || uint64(todo.longest-minTx) > q.top {
		return q.refuse(b)
	}
	need := segments
	if todo.command != 0 && todo.ctx != q.context {
		if need++; need > q.most {
			if todo.headers > 0 {
				return q.refuse(b)
			}
			return b.Complete(packet.TxMask) && q.special(b)
		}
	}
	if need > q.free() {
		return false
	}
	if pool := packet.PoolOf(b); pool != q.cache.Pool() && !q.given && q.clean == q.next {
		// A port that sends another port's frames mostly does so for good.
		q.use(pool.NewCache(), true)
	}
	if need > segments {
		q.describe(todo.ctx)
	}
	if todo.headers > 0 {
		template(b)
		total -= todo.headers
	}
	command := todo.command
	if q.stamps && b.Flags()&packet.NeedsTimestamp != 0 {
		command |= chip.TxMACTSTAMP // 7.2.3.2.4, MAC
	}
	for s := b; s != nil; s = s.Next() {
		if packet.PoolOf(s) != q.cache.Pool() {
			q.foreign++
		}
		w1 := command | uint64(total)<<chip.TxPaylenShift | uint64(s.Len()) | txData
		if s.Next() == nil {
			w1 |= chip.TxDCMDEOP
		}
		if q.next == q.size {
			q.next = 0
		}
		*q.desc(q.next) = desc{s.IOVA() + s.Span().Offset(), w1}
		q.buf(q.next).Set(s)
		q.next++
	}
	since := q.next - q.begun
	if since < 0 {
		since += q.size
	}
	q.end = q.next + max(0, min(q.stretch-since, q.size-q.next, q.free()))
	return true
}

// refuse drops a frame that cannot be sent. It reports that it was taken.
func (q *txQueue) refuse(b *packet.Buf) bool {
	q.dropped.Add(1)
	packet.Free([]*packet.Buf{b})
	return true
}

// use makes c the cache to which buffers come back in bulk.
func (q *txQueue) use(c *packet.Cache, given bool) {
	if q.cache != nil {
		q.cache.Flush()
	}
	q.cache, q.given = c, given
	q.plain = packet.MakeSpan(0, minTx, c.Pool().Flags())
	q.foreign = 0
	for i := q.clean; i != q.next; i = (i + 1) % q.size {
		if b := q.buf(i).Buf(); b == nil || packet.PoolOf(b) != c.Pool() {
			q.foreign++
		}
	}
}

// UseCache implements nic.CacheUser.
func (q *txQueue) UseCache(c *packet.Cache) bool {
	if c == nil {
		q.use(q.own.NewCache(), false)
		return true
	}
	if c.Pool().Domain() != q.domain {
		return false
	}
	q.use(c, true)
	return true
}

// release gives all buffers back after the card has stopped.
func (q *txQueue) release() {
	q.giveBack(q.next)
	q.cache.Flush()
}
