//go:build linux

package vhost

import (
	"sync/atomic"

	chip "glassnic/chip/virtio"
	"glassnic/nic/vnet"
	"glassnic/packet"
)

// rxQueue receives what the driver sends on a transmit queue: each frame is copied once, into a buffer of the pool.
type rxQueue struct {
	own   *ring
	pair  *ring  // of the same pair of queues
	shows uint64 // pair's, when this queue was last idle
	due   bool   // pair is to be reminded when it has been idle as long as this queue
	cache *packet.Cache
	span  packet.Span // of a frame of no bytes that came in at this port
	room  int         // bytes of a frame that fit a buffer
	max   int         // bytes of the longest frame
	most  int         // bytes of the longest large frame; max where there are none
	wake  *sleeper
	bufs  int // of the batch under way that are filled; the rest of taken are not
	taken int
	long  bool // the next of them is being filled, and has further buffers

	packets, bytes          tally
	tooLong, short, partial atomic.Uint64
	noBuffer, muted         atomic.Uint64
}

func (d *Device) newRx(r, pair *ring) (*rxQueue, error) {
	q := &rxQueue{
		own: r, pair: pair, cache: d.pool.NewCache(), room: d.pool.Room(), max: d.cfg.MTU + header,
		span: packet.MakeSpan(packet.Headroom, 0, packet.PortFlags(d.cfg.Port)|d.pool.Flags()),
	}
	if q.most = q.max; d.offered.Has(hostTSO) {
		q.most = max(q.max, vnet.MaxLarge)
	}
	r.receives = true
	if !d.cfg.Interrupts {
		return q, nil
	}
	var err error
	q.wake, err = newSleeper()
	r.wake = q.wake
	return q, err
}

// Receive implements nic.RxQueue.
func (q *rxQueue) Receive(batch []*packet.Buf) (n int) {
	if len(batch) == 0 || !q.own.enter() {
		return 0
	}
	defer q.leave(batch, &n)
	if q.receive(batch); q.bufs == 0 {
		q.idle()
	}
	return q.bufs
}

// idle reminds both rings of the pair, the one to which this end sends when nothing was sent for a while.
func (q *rxQueue) idle() {
	q.own.remind()
	switch n := q.pair.shows.load(); {
	case n != q.shows:
		q.shows, q.due = n, true
	case q.due:
		q.due = false
		if q.pair.enter() {
			defer q.pair.leave()
			q.pair.remind()
		}
	}
}

// leave ends a batch. Where the memory went in the middle of it, its frames are lost.
func (q *rxQueue) leave(batch []*packet.Buf, n *int) {
	if e := recover(); e != nil {
		q.own.fault(e)
		packet.Free(batch[:q.bufs])
		if q.long {
			batch[q.bufs].SetNext(q.free(batch[q.bufs].Next()))
		}
		q.cache.Put(batch[q.bufs:q.taken])
		*n = 0
	}
	q.own.faults(false)
	q.own.mu.Unlock()
}

func (q *rxQueue) receive(batch []*packet.Buf) {
	r := q.own
	q.bufs, q.taken, q.long = 0, 0, false
	if !r.waiting() {
		return
	}
	if !r.packed {
		r.look()
		batch = batch[:min(len(batch), r.ready)]
	}
	r.row.forget()
	total, used := 0, 0
	for q.bufs < len(batch) {
		if n, bytes := q.run(batch[q.bufs:]); n > 0 {
			total += bytes
			used += n
			continue
		}
		size, ok := q.single(batch)
		if !ok {
			break
		}
		total += size
		used++
	}
	if used > 0 {
		r.publish()
	}
	if r.mute.Load() {
		packet.Free(batch[:q.bufs])
		q.muted.Add(uint64(q.bufs))
		q.bufs, q.taken = 0, 0
		return
	}
	q.packets.add(uint64(q.bufs))
	q.bytes.add(uint64(total))
}

// run receives frames of one descriptor each that fit a buffer and whose headers ask for nothing: it reads all
// descriptors, copies all frames and gives all descriptors back, so that each cache line of the ring goes to and fro once.
// It returns how many there were, and their bytes.
func (q *rxQueue) run(batch []*packet.Buf) (n, bytes int) {
	r, hdr := q.own, uint64(q.own.hdr)
	top := uint64(min(q.room, q.max))
	n = r.gather(len(batch), wants{least: hdr + ethernet, spread: top - ethernet, plain: true})
	if n == 0 {
		return 0, 0
	}
	n = copy(batch, q.cache.Take(n))
	q.taken += n
	total := r.row.copyOut(batch[:n], q.span, hdr)
	r.giveRow(n, 0)
	q.bufs += n
	return n, int(total)
}

// single receives the next frame of any kind, which may be dropped: then it has no bytes. It reports false where there is
// none, or no buffer for it.
func (q *rxQueue) single(batch []*packet.Buf) (bytes int, ok bool) {
	r := q.own
	if !r.begun || !r.waiting() {
		return 0, false
	}
	if q.taken += q.cache.Fill(batch[q.bufs : q.bufs+1]); q.taken == q.bufs {
		q.noBuffer.Add(1)
		return 0, false
	}
	parts, ok := r.take(&r.marks[0], 0, false)
	if ok {
		bytes = q.copy(batch[q.bufs], r.parts[:parts], r.marks[0].bytes)
		r.give(r.marks[:1])
	}
	if bytes > 0 {
		q.bufs++
	} else {
		q.cache.Put(batch[q.bufs:q.taken])
		q.taken = q.bufs
	}
	return bytes, ok
}

// copy makes b the frame behind the header in parts, which have so many bytes. It returns the frame's bytes, 0 for one
// that was dropped and counted.
func (q *rxQueue) copy(b *packet.Buf, parts [][]byte, bytes int) int {
	hdr := q.own.hdr
	size := bytes - hdr
	switch {
	case size < ethernet:
		q.short.Add(1)
		return 0
	case size > q.most:
		q.tooLong.Add(1)
		return 0
	}
	var h [chip.HdrSize]byte
	parts = split(h[:hdr], parts)
	if size <= q.room && len(parts) == 1 {
		b.SetSpan(q.span + packet.SpanLen(uint64(size)))
		copy(b.Bytes(), parts[0])
	} else if !q.gather(b, parts, size) {
		return 0
	}
	if h[chip.HdrFlags]&chip.HdrNeedsCSum|h[chip.HdrGSOType] != 0 && !q.told(b, h[:], size) {
		q.partial.Add(1)
	} else if size > q.max && b.Flags()&packet.NeedsSegment == 0 {
		q.tooLong.Add(1)
	} else {
		return size
	}
	b.SetNext(q.free(b.Next()))
	return 0
}

// split copies the begin of parts to h and returns the rest.
func split(h []byte, parts [][]byte) [][]byte {
	for len(h) > 0 {
		k := copy(h, parts[0])
		h = h[k:]
		if parts[0] = parts[0][k:]; len(parts[0]) == 0 {
			parts = parts[1:]
		}
	}
	return parts
}

// gather copies a frame that lies in several parts, or needs several buffers.
func (q *rxQueue) gather(b *packet.Buf, parts [][]byte, size int) bool {
	last := b
	b.SetSpan(q.span)
	q.long = true
	for left := size; ; {
		n := min(left, q.room)
		last.SetSpan(q.span + packet.SpanLen(uint64(n)))
		parts = split(last.Bytes(), parts)
		if left -= n; left == 0 {
			q.long = false
			return true
		}
		next := q.cache.Take(1)
		if len(next) == 0 {
			q.noBuffer.Add(1)
			b.SetNext(q.free(b.Next()))
			q.long = false
			return false
		}
		next[0].SetSpan(q.span)
		last.SetNext(next[0])
		last = next[0]
	}
}

// told takes what the header says of a partial checksum, or of segments (5.1.6.2). It reports false for what cannot be.
func (q *rxQueue) told(b *packet.Buf, h []byte, size int) bool {
	offered := q.own.d.offered
	return offered.Has(chip.NetCSum) && vnet.Read(h, b, size, offered.Has(hostTSO))
}

// free gives back the further buffers of a frame and returns nil.
func (q *rxQueue) free(b *packet.Buf) *packet.Buf {
	packet.Free([]*packet.Buf{b})
	return nil
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
