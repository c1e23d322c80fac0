package virtio

import (
	"fmt"
	"sync/atomic"

	"glassnic/bus/dma"
	chip "glassnic/chip/virtio"
	"glassnic/nic/vnet"
	"glassnic/packet"
)

// rxQueue is a receive queue: each descriptor holds an empty buffer that the device may fill. A filled one is
// swapped for another empty one on the spot and goes back to the available ring where it came from the used ring,
// so both rings are always at the same place, and the ring is always full.
//
// The queue works in stretches of up to 64 entries. When a stretch begins, its fresh buffers are taken from the
// pool; when it ends, the device is told. So a packet costs neither by itself.
type rxQueue struct {
	ring
	bufs  refs        // of the descriptors, or of pairs of them
	next  int         // the entry that the device uses next
	left  int         // entries of the stretch from next on
	count int         // entries of the whole stretch
	span  packet.Span // of a frame of one byte that came in at this port
	short uint64      // bytes of the header, and one
	room  uint64      // bytes of the longest frame in a buffer
	max   int         // bytes of the longest frame
	most  int         // bytes of the longest large frame; max where there are none
	shift uint64      // from the begin of a buffer to where the header goes

	fresh [rxStretch]packet.Ref // the last left of fresh[:count] are not in the ring yet

	stretch int // the longest stretch
	cache   *packet.Cache
	starved bool   // it waits because the pool was empty
	skipped int    // buffers from next on that were used without an entry but for the last of them (2.7.9, 2.8.8)
	behind  int    // bytes in that
	fits    int    // bytes of a frame that fit a buffer
	slow    bool   // frames go one by one, through take
	merges  bool   // VIRTIO_NET_F_MRG_RXBUF
	sums    bool   // VIRTIO_NET_F_GUEST_CSUM
	large   bool   // VIRTIO_NET_F_GUEST_TSO4 and 6
	twin    uint64 // 1 where headers have to lie apart: descriptors come in pairs
	again   uint64 // of a packed ring: the second word of a descriptor that is given, without its ID
	frame   partial
	wake    *wake // nil where the queue cannot wake anybody

	packets, bytes             tally
	dropped, noBuffer, tooLong atomic.Uint64
}

// rxStretch is the longest stretch of a queue in entries. Rings of less than four of them have shorter ones: what
// a stretch has used is not the device's until its end.
const rxStretch = 64

// newRx makes receive queue i and fills it.
func (d *Device) newRx(i int) error {
	n, err := d.ringSize(chip.RxQueue(i), d.cfg.RxRing)
	if err != nil {
		return err
	}
	hdr := d.header()
	q := &rxQueue{
		bufs: refsOf(make([]*packet.Buf, n)), stretch: min(rxStretch, n/4), cache: d.pool.NewCache(),
		span:  packet.MakeSpan(packet.Headroom, 1, packet.PortFlags(d.cfg.Port)|d.pool.Flags()),
		short: uint64(hdr) + 1, room: uint64(min(d.pool.Room(), d.maxFrame())), fits: d.pool.Room(), max: d.maxFrame(),
		shift: uint64(packet.Headroom - hdr), merges: d.features.Has(chip.NetMrgRxbuf), slow: d.features.Has(chip.NetMrgRxbuf),
		sums: d.features.Has(chip.NetGuestCSum), large: d.features.Has(guestTSO), most: d.maxFrame(),
	}
	if q.large {
		q.most = max(q.most, vnet.MaxLarge)
	}
	if need := (q.most + hdr + q.fits + hdr - 1) / (q.fits + hdr); q.merges && need > n-q.stretch {
		return fmt.Errorf("%d descriptors are too few for a frame of %d bytes in %d buffers of %d: want a longer ring or larger buffers", n, q.most, need, q.fits)
	}
	if err := d.initRing(&q.ring, chip.RxQueue(i), n); err != nil {
		return err
	}
	var header dma.Memory
	if d.apart() {
		q.slow, q.twin = true, 1
		if header, err = d.alloc(chip.HdrSize, 0); err != nil {
			return err
		}
	}
	d.rx = append(d.rx, q)
	if !q.fill(header.IOVA) {
		return fmt.Errorf("the pool of %d buffers does not fill %d rings of %d descriptors: make it larger", d.pool.Len(), d.cfg.RxQueues, n)
	}
	return nil
}

// Receive implements nic.RxQueue.
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	n := q.run(batch)
	if n < len(batch) || q.left == 0 {
		n = q.rest(batch, n)
	}
	if n == 0 {
		q.remind()
	}
	q.packets.add(uint64(n))
	return n
}

// run receives frames of one buffer each, up to the end of the stretch.
func (q *rxQueue) run(batch []*packet.Buf) (n int) {
	switch {
	case q.slow || q.skipped > 0:
		return 0
	case q.isPacked:
		n = q.runPacked(batch)
	default:
		if q.ready < len(batch) {
			q.look()
		}
		n = q.runSplit(batch)
	}
	if q.sums {
		n = q.verify(batch[:n])
	}
	return n
}

// runSplit is run for a split ring.
func (q *rxQueue) runSplit(batch []*packet.Buf) int {
	span, room, short, shift, size := q.span, q.room, q.short, q.shift, uint64(q.size)
	v, used, fresh, out := q.splitView, q.elems(q.next), q.stock().from(q.count-q.left), refsOf(batch)
	total, ordered := uint64(0), q.inOrder
	i, end := step(0), steps(min(len(batch), q.left, q.ready))
	for i < end {
		e := used.atStep(i)
		id, n := e&0xffffffff, e>>32-short
		if n >= room || id >= size {
			break
		}
		// Devices mostly use buffers in order: then the entry says so already, and its cache line stays as it is.
		if h := v.head(q.next + i.index()); *h != uint16(id) {
			if ordered {
				break
			}
			*h = uint16(id)
		}
		r := q.bufs.at(id)
		b, f := r.Buf(), fresh.atStep(i).Buf()
		b.SetSpan(span + packet.SpanLen(n))
		out.atStep(i).Set(b)
		r.Set(f)
		v.desc(id).addr = f.IOVA() + shift
		total += n
		i += steps(1)
	}
	n := i.index()
	q.next += n
	q.left -= n
	q.ready -= n
	q.seen += uint16(n)
	q.bytes.add(total + uint64(n))
	return n
}

// rest goes on after run has put got frames in batch: with the next stretch, or with an entry that run does not
// take.
func (q *rxQueue) rest(batch []*packet.Buf, got int) int {
	// A device that lies without end is believed for one turn of the ring.
	for range q.size {
		if q.left == 0 {
			q.turn()
		}
		if got == len(batch) {
			break
		}
		if n := q.run(batch[got:]); n > 0 {
			got += n
			continue
		}
		b, more := q.single()
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

// turn hands the buffers of a stretch to the device and begins the next, which is empty where the pool is.
func (q *rxQueue) turn() {
	if q.next == q.size {
		q.next = 0
		q.lap ^= bothBits
	}
	if q.isPacked {
		q.turnPacked()
	}
	if q.count > 0 {
		q.post(q.count)
	}
	q.count = copy(q.fresh[:], packet.Refs(q.cache.Take(min(q.stretch, q.size-q.next))))
	q.left = q.count
	q.starved = q.starved && q.left == 0
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

// release gives all buffers back after the device has stopped.
func (q *rxQueue) release() {
	free := func(r *packet.Ref) {
		if b := r.Buf(); b != nil {
			b.SetNext(nil)
			packet.Free([]*packet.Buf{b})
		}
	}
	packet.Free([]*packet.Buf{q.frame.head})
	q.frame = partial{}
	for ; q.left > 0; q.left-- {
		free(&q.fresh[q.count-q.left])
	}
	for i := range q.size {
		free(q.bufs.at(uint64(i)))
	}
	q.cache.Flush()
}
