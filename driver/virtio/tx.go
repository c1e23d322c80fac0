package virtio

import (
	"sync/atomic"

	chip "glassnic/chip/virtio"
	"glassnic/internal/stall"
	"glassnic/packet"
)

// txQueue is a transmit queue. A frame of one buffer takes one descriptor: its header is written in front of it,
// into the headroom.
//
// As long as all frames are of that kind and the device uses buffers in order, descriptor and entries of both
// rings have the same number, the available ring never changes, and buffers come back in rows. Else the queue is
// tangled: descriptors are kept track of one by one (tx_slow.go).
type txQueue struct {
	ring
	bufs  refs        // of the descriptors
	next  int         // first free descriptor
	left  int         // descriptors of the stretch from next on
	plain packet.Span // the pool's number, as spans of its buffers have it
	top   uint64      // bytes of the longest frame, less those of the shortest
	extra uint64      // bytes of the header

	fresh   int // buffers that the device was not told of yet; descriptors of a packed ring
	used    int // descriptors that the device has
	clean   int // first descriptor that the device may still have
	batch   int // packed, in order: descriptors from clean on that were used by an entry that was taken (2.8.8)
	stretch int // the longest stretch
	cache   *packet.Cache
	given   bool         // cache was chosen: by UseCache, or by the first frame of another pool
	own     *packet.Pool // the port's
	foreign int          // buffers in the ring of other pools than cache's
	domain  any          // of the memory that the device reaches
	most    int          // buffers of one frame
	apart   bool         // a header has to have a descriptor of its own
	sums    bool         // VIRTIO_NET_F_CSUM
	large   bool         // VIRTIO_NET_F_HOST_TSO4 and 6
	cwr     bool         // VIRTIO_NET_F_HOST_ECN
	header  uint64       // IOVA of a header for frames that have none in front of them

	tangle *tangle // nil where the queue is not tangled

	packets, bytes tally
	dropped        atomic.Uint64
	newest         tally       // of a packed ring: where the first descriptor of the newest frame lies
	watch          stall.Watch // of Trouble
}

const (
	// minTx is the shortest frame in bytes: what is not even an Ethernet header is no frame.
	minTx = ethernet
	// sizeMask takes from a span the length and those flags that are zero in a frame of
	// one buffer of the right pool.
	sizeMask = 0xffff | uint64(packet.TxMask)<<16
	// front is the headroom in bytes that a frame has to have for its header.
	front = chip.HdrSize
	// maxSegments is how many buffers a frame may have: enough for 64 KB in those of packet.DefaultRoom.
	maxSegments = 36
)

// newTx makes transmit queue i.
func (d *Device) newTx(i int) error {
	n, err := d.ringSize(chip.TxQueue(i), d.cfg.TxRing)
	if err != nil {
		return err
	}
	header, err := d.alloc(chip.HdrSize, 0)
	if err != nil {
		return err
	}
	q := &txQueue{
		bufs: refsOf(make([]*packet.Buf, n)), stretch: reportEvery(d.cfg.ReportEvery, n), own: d.pool,
		domain: d.fn.DMA().Domain(), top: uint64(d.maxFrame() - minTx), extra: uint64(d.header()), apart: d.apart(),
		sums: d.features.Has(chip.NetCSum), large: d.features.Has(hostTSO), cwr: d.features.Has(chip.NetHostECN),
		header: header.IOVA, most: min(maxSegments, n-1),
	}
	if err := d.initRing(&q.ring, chip.TxQueue(i), n); err != nil {
		return err
	}
	q.level()
	if q.apart {
		q.entangle()
	}
	q.use(d.pool.NewCache(), false)
	d.tx = append(d.tx, q)
	return nil
}

// reportEvery is after how many frames the queue looks for those that were sent.
func reportEvery(every, ring int) int {
	if every == 0 {
		every = 32
	}
	return min(every, max(1, ring/4))
}

// Send implements nic.TxQueue.
func (q *txQueue) Send(batch []*packet.Buf) int {
	n := q.run(batch)
	if n < len(batch) || q.left == 0 || n == 0 {
		n = q.rest(batch, n)
	}
	if q.fresh > 0 {
		if q.tangle == nil {
			q.give = q.next
			q.newest.set(uint64(q.next-1) & uint64(q.size-1))
		}
		q.post(q.fresh)
		q.fresh = 0
	} else {
		q.remind()
	}
	return n
}

// run sends frames of one buffer each, up to the end of the stretch.
func (q *txQueue) run(batch []*packet.Buf) int {
	if q.isPacked {
		return q.runPacked(batch)
	}
	return q.runSplit(batch)
}

// runSplit is run for a split ring.
func (q *txQueue) runSplit(batch []*packet.Buf) int {
	plain, top, extra := q.plain, q.top, q.extra
	v, in, bufs := q.splitView, refsOf(batch), q.bufs.from(q.next)
	total := uint64(0)
	i, end := step(0), steps(min(len(batch), q.left))
	for i < end {
		b := in.atStep(i).Buf()
		s := b.Span() ^ plain
		// One comparison for all: any flag that is not as it should be makes the length huge.
		size, off := uint64(s)&sizeMask, s.Offset()
		if size-minTx > top || off < front {
			break
		}
		clearHeader(b.Front())
		d := v.desc(uint64(q.next + i.index()))
		d.addr = b.IOVA() + off - extra
		d.rest = size + extra
		bufs.atStep(i).Set(b)
		total += size
		i += steps(1)
	}
	return q.went(i.index(), total)
}

// went counts n frames that took one descriptor each.
func (q *txQueue) went(n int, bytes uint64) int {
	q.next += n
	q.left -= n
	q.used += n
	q.fresh += n
	q.packets.add(uint64(n))
	q.bytes.add(bytes)
	return n
}

// rest goes on after run has sent the first frames of batch: with the next stretch, or with a frame that run does
// not take.
func (q *txQueue) rest(batch []*packet.Buf, sent int) int {
	for {
		q.turn()
		if sent == len(batch) {
			return sent
		}
		if n := q.run(batch[sent:]); n > 0 {
			sent += n
			continue
		}
		if q.used == q.size || !q.special(batch[sent]) {
			return sent
		}
		sent++
	}
}

// turn looks what was sent, and begins the next stretch where one is used up; it is empty where the ring is full,
// or the queue is tangled.
func (q *txQueue) turn() {
	q.reclaim()
	if q.left == 0 && q.tangle == nil {
		if q.next == q.size {
			q.next = 0
			q.offer ^= bothBits
		}
		q.left = min(q.stretch, q.size-q.next, q.size-q.used)
	}
}

// reclaim gives the buffers back that the device has used.
func (q *txQueue) reclaim() {
	if !q.isPacked {
		q.look()
	}
	for q.waiting() {
		if q.tangle != nil {
			if !q.untangle() {
				return
			}
			continue
		}
		n := q.row()
		if n == 0 && q.inOrder {
			return
		}
		if n == 0 {
			q.entangle()
			continue
		}
		q.giveBack(q.bufs.slice(q.clean, q.clean+n))
		q.used -= n
		q.ready -= n
		q.seen += uint16(n)
		q.comeBack(n)
		if q.clean += n; q.clean == q.size {
			q.clean = 0
		}
	}
	if q.tangle != nil {
		q.straighten()
	}
}

// waiting tells whether the device has used a buffer.
func (q *txQueue) waiting() bool {
	if q.isPacked {
		return q.used > 0 && (q.batch > 0 || q.came(q.back, q.lap))
	}
	return q.ready > 0
}

// row is how many buffers were used in the order in which they were sent, up to the end of the ring: the entry that
// comes next has the number of the first descriptor that the device has.
func (q *txQueue) row() (n int) {
	if q.inOrder {
		return q.orderly()
	}
	if q.isPacked {
		v, lap := q.packedView.from(q.clean), q.lap
		for end := min(q.used, q.size-q.clean); n < end; n++ {
			if x := v.at(n).done() ^ lap; x&bothBits != 0 || x>>chip.PackedIDShift&0xffff != uint64(q.clean+n) {
				break
			}
		}
		return n
	}
	used := q.elems(q.clean)
	for end := min(q.ready, q.size-q.clean); n < end && used.at(n)&0xffffffff == uint64(q.clean+n); n++ {
	}
	return n
}

// orderly is row for a device that uses buffers in order, and may leave entries out: the index of a split ring says how
// many were used, whatever their entries say, and an entry of a packed one up to which (2.7.9, 2.8.8).
func (q *txQueue) orderly() int {
	end := q.size - q.clean
	if !q.isPacked {
		return min(q.ready, end)
	}
	n := q.batch
	for v := q.packedView.from(q.clean); n < min(q.used, end); {
		x := v.at(n).done() ^ q.lap
		if x&bothBits != 0 {
			break
		}
		id := x >> chip.PackedIDShift & 0xffff
		more := 1 + q.ahead(q.clean+n, id)
		if id >= uint64(q.size) || n+more > q.used {
			q.stop("it used buffer %d, which it does not have", id)
			break
		}
		n += more
	}
	took := min(n, end)
	q.batch = n - took
	return took
}

// giveBack gives buffers back to their pools, each by itself: segments of a frame have descriptors of their own.
func (q *txQueue) giveBack(bufs []*packet.Buf) {
	if q.foreign == 0 {
		q.cache.Put(bufs)
		return
	}
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

// use makes c the cache to which buffers come back in bulk.
func (q *txQueue) use(c *packet.Cache, given bool) {
	if q.cache != nil {
		q.cache.Flush()
	}
	q.cache, q.given = c, given
	q.plain = packet.MakeSpan(0, 0, c.Pool().Flags())
	q.foreign = 0
	q.each(func(b *packet.Buf) {
		if packet.PoolOf(b) != c.Pool() {
			q.foreign++
		}
	})
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

// release gives all buffers back after the device has stopped.
func (q *txQueue) release() {
	q.each(freeOne)
	q.used, q.left, q.foreign = 0, 0, 0
	q.cache.Flush()
}
