package e1000

import (
	"sync/atomic"

	"glassnic/bus/mmio"
	chip "glassnic/chip/e1000"
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
	left  int         // descriptors of the stretch from next on
	plain packet.Span // the pool's number, as spans of its buffers have it
	top   uint64      // bytes of the longest frame, less chip.TxMin

	command, frame uint64 // of the card's family

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
	most    int          // buffers of one frame

	watch   stall.Watch // of Trouble
	dropped atomic.Uint64
}

// sizeMask takes from a span the length and those flags that are zero in a frame of
// one buffer of the right pool.
const sizeMask = 0xffff | uint64(packet.TxMask)<<16

// Send implements nic.TxQueue (8254x 3.3.7, I210 7.2.2.3). Frames shorter than 60 bytes are padded by the card,
// shorter ones than chip.TxMin not sent.
func (q *txQueue) Send(batch []*packet.Buf) int {
	n := q.run(batch)
	if n < len(batch) || q.left == 0 || n == 0 {
		n = q.rest(batch, n)
	}
	if n > 0 {
		q.tail.Ring(uint32(q.next))
	}
	return n
}

// run sends frames of one buffer each, up to the end of the stretch.
func (q *txQueue) run(batch []*packet.Buf) int {
	limit, plain, top := min(len(batch), q.left), q.plain, q.top
	command, unit := q.command|chip.TxDCMDEOP, q.frame+1
	w, in := q.from(q.next), refsOf(batch)
	n := 0
	for n < limit {
		b := in.at(n).Buf()
		s := b.Span() ^ plain
		// One comparison for all: any flag that is not as it should be makes the length huge.
		size := uint64(s) & sizeMask
		if size-chip.TxMin > top {
			break
		}
		d := w.desc(n)
		d.w0 = b.IOVA() + s.Offset()
		d.w1 = size*unit + command
		w.buf(n).Set(b)
		n++
	}
	q.next += n
	q.left -= n
	return n
}

// rest goes on after run has sent the first frames of batch: with the next stretch, or with a frame that
// run does not take.
func (q *txQueue) rest(batch []*packet.Buf, sent int) int {
	for {
		q.turn()
		if sent == len(batch) || q.left == 0 {
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
	if q.left == 0 {
		q.ask()
	}
	q.reclaim()
	if q.left == 0 {
		q.left = min(q.stretch, q.size-q.next, q.free())
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
	for q.open > 0 {
		last := q.reports[q.oldest]
		if q.desc(last).done()&chip.TxDD == 0 {
			return
		}
		q.open--
		if q.oldest++; q.oldest == len(q.reports) {
			q.oldest = 0
		}
		q.giveBack(last + 1)
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
// the ring, or one that is not complete, or one that cannot be sent. It reports whether the frame was taken.
func (q *txQueue) special(b *packet.Buf) bool {
	segments, total, fits := 0, 0, b.Complete(packet.TxMask)
	for s := b; s != nil; s = s.Next() {
		segments++
		total += s.Len()
		// A part may be short, not empty, and each must lie where the card reaches it.
		fits = fits && s.Len() > 0 && s.Len() <= chip.TxBufMax && packet.PoolOf(s).Domain() == q.domain
		if segments > q.most {
			break
		}
	}
	if !fits || segments > q.most || uint64(total-chip.TxMin) > q.top {
		q.dropped.Add(1)
		packet.Free([]*packet.Buf{b})
		return true
	}
	if segments > q.free() {
		return false
	}
	if pool := packet.PoolOf(b); pool != q.cache.Pool() && !q.given && q.clean == q.next {
		// A port that sends another port's frames mostly does so for good.
		q.use(pool.NewCache(), true)
	}
	for s := b; s != nil; s = s.Next() {
		if packet.PoolOf(s) != q.cache.Pool() {
			q.foreign++
		}
		w1 := uint64(total)*q.frame | uint64(s.Len()) | q.command
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
	q.left = max(0, min(q.stretch-since, q.size-q.next, q.free()))
	return true
}

// use makes c the cache to which buffers come back in bulk.
func (q *txQueue) use(c *packet.Cache, given bool) {
	if q.cache != nil {
		q.cache.Flush()
	}
	q.cache, q.given = c, given
	q.plain = packet.MakeSpan(0, 0, c.Pool().Flags())
	q.foreign = 0
	for i := q.clean; i != q.next; i = (i + 1) % q.size {
		if packet.PoolOf(q.buf(i).Buf()) != c.Pool() {
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
