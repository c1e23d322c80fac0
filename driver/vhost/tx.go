//go:build linux

package vhost

import (
	"encoding/binary"
	"sync/atomic"

	chip "glassnic/chip/virtio"
	"glassnic/nic/vnet"
	"glassnic/packet"
)

// txQueue sends to a receive queue of the driver's: each frame is copied once, into buffers that the driver has made
// available, and its own are free at once.
type txQueue struct {
	d     *Device
	i     int
	own   *ring
	cache *packet.Cache // to which buffers go back in bulk
	given bool          // cache was chosen by UseCache
	plain packet.Span   // the number of cache's pool, as spans of its buffers have it
	max   uint64        // bytes of the longest frame
	sent  int           // frames of the batch under way that were taken
	odd   bool          // some of them are not of cache's pool, or have several buffers

	packets, bytes tally
	unfit, tooLong atomic.Uint64
}

func (d *Device) newTx(i int, r *ring) *txQueue {
	q := &txQueue{d: d, i: i, own: r, max: uint64(d.cfg.MTU + header)}
	q.use(d.pool.NewCache(), false)
	return q
}

// ring returns the ring to send on: the queue's own, or where the driver does not use that, as it does with fewer
// processors, one that it does.
func (q *txQueue) ring() *ring {
	if q.own.live.Load() {
		return q.own
	}
	for k := range q.d.tx {
		if r := q.d.tx[(q.i+k)%len(q.d.tx)].own; r.live.Load() {
			return r
		}
	}
	return q.own
}

// Send implements nic.TxQueue.
func (q *txQueue) Send(batch []*packet.Buf) (n int) {
	if len(batch) == 0 {
		return 0
	}
	r := q.ring()
	if !r.enter() {
		return 0
	}
	defer q.leave(r, batch, &n)
	q.sent, q.odd = 0, false
	q.send(r, batch)
	return q.sent
}

// leave ends a batch: the driver has its own copy of what was sent.
func (q *txQueue) leave(r *ring, batch []*packet.Buf, n *int) {
	if e := recover(); e != nil {
		r.fault(e)
		*n = q.sent
	}
	r.faults(false)
	r.mu.Unlock()
	if !q.odd {
		q.cache.Put(batch[:q.sent])
		return
	}
	q.giveBack(batch[:q.sent])
}

// sizeMask takes from a span the length and those flags that are zero in a frame of one buffer
// of the right pool.
const sizeMask = 0xffff | uint64(packet.TxMask)<<16

func (q *txQueue) send(r *ring, batch []*packet.Buf) {
	plain, top := q.plain, q.max-ethernet
	total, frames := uint64(0), uint64(0)
	r.row.forget()
	for q.sent < len(batch) {
		if n, bytes := q.run(r, batch[q.sent:]); n > 0 {
			q.sent += n
			frames += uint64(n)
			total += bytes
			continue
		}
		if !r.begun {
			break
		}
		b := batch[q.sent]
		size := uint64(b.Span()^plain) & sizeMask
		if size-ethernet > top {
			if !q.fit(b) {
				q.unfit.Add(1)
				q.sent++
				q.odd = true
				continue
			}
			size = uint64(b.TotalLen())
			q.odd = true
		}
		fits, ok := q.put(r, b, int(size))
		if !ok {
			break
		}
		q.sent++
		if fits {
			frames++
			total += size
		}
	}
	if frames > 0 {
		r.publish()
	}
	q.packets.add(frames)
	q.bytes.add(total)
}

// run sends frames of one buffer each, of which nothing is to be done, to buffers of one descriptor each: it reads all
// descriptors, copies all frames and gives all descriptors back. It returns how many there were, and their bytes.
func (q *txQueue) run(r *ring, batch []*packet.Buf) (n int, bytes uint64) {
	if r.hdr != chip.HdrSize {
		return 0, 0
	}
	plain, top, longest := q.plain, q.max-ethernet, uint64(0)
	for ; n < len(batch) && n < rowMax; n++ {
		size := uint64(batch[n].Span()^plain) & sizeMask
		if size-ethernet > top {
			break
		}
		longest = max(longest, size)
	}
	if n == 0 {
		return 0, 0
	}
	if n = r.gather(n, wants{least: longest + chip.HdrSize, spread: lengthBits, flags: chip.DescWrite}); n == 0 {
		return 0, 0
	}
	bytes = r.row.copyIn(batch[:n])
	r.giveRow(n, lengthBits)
	return n, bytes
}

// fit completes a frame that send has to look at more closely, and tells whether it can be sent. Checksums may stay
// partial where drivers take that.
func (q *txQueue) fit(b *packet.Buf) bool {
	what := packet.HasVLAN | packet.NeedsChecksum
	if b.Flags()&packet.NeedsSegment != 0 {
		return b.Complete(packet.HasVLAN) && q.Segments(b)
	}
	if q.d.session.features()&chip.NetGuestCSum != 0 {
		what = packet.HasVLAN
	}
	if !b.Complete(what) {
		return false
	}
	size := uint64(b.TotalLen())
	if start, offset, ok := b.Checksum(); ok && (start < 0 || uint64(start+offset+2) > size) {
		return false
	}
	return size >= ethernet && size <= q.max
}

// Segments implements nic.Segmenter: the driver has to take large frames.
func (q *txQueue) Segments(b *packet.Buf) bool {
	f := q.d.session.features()
	return f.Has(guestTSO&^chip.NetGuestECN) && vnet.Fits(b, f.Has(chip.NetGuestECN), int(q.max))
}

// put copies a frame into the driver's buffers. It reports false for ok where there are none, and false for fits where
// the frame does not fit the next one, which stays there.
func (q *txQueue) put(r *ring, b *packet.Buf, size int) (fits, ok bool) {
	need := size + r.hdr
	next, wrap, ready := r.next, r.wrap, r.ready
	have, parts, marks := 0, 0, 0
	for have < need {
		if marks == len(r.marks) || marks == 1 && !r.merges {
			q.tooLong.Add(1)
			r.next, r.wrap, r.ready = next, wrap, ready
			return false, true
		}
		m := &r.marks[marks]
		if parts, ok = r.take(m, parts, true); !ok {
			r.next, r.wrap, r.ready = next, wrap, ready
			return false, false
		}
		m.wrote = min(m.bytes, need-have)
		have += m.bytes
		marks++
	}
	dst := r.parts[:parts]
	if r.hdr == chip.HdrSize && len(dst[0]) >= need && b.Flags()&(packet.Chained|packet.NeedsChecksum) == 0 {
		plainHeader(first(dst[0]))
		copy(dst[0][chip.HdrSize:], b.Bytes())
	} else {
		q.scatter(r, b, dst, marks)
	}
	r.give(r.marks[:marks])
	return true, true
}

// scatter writes header and frame to parts, which have room for both.
func (q *txQueue) scatter(r *ring, b *packet.Buf, dst [][]byte, marks int) {
	var h [chip.HdrSize]byte
	vnet.Write(h[:], b)
	binary.LittleEndian.PutUint16(h[chip.HdrNumBuffers:], uint16(marks))
	dst = fill(dst, h[:r.hdr])
	for s := b; s != nil; s = s.Next() {
		dst = fill(dst, s.Bytes())
	}
}

// fill copies src to the begin of parts and returns the rest.
func fill(parts [][]byte, src []byte) [][]byte {
	for len(src) > 0 {
		k := copy(parts[0], src)
		src = src[k:]
		if parts[0] = parts[0][k:]; len(parts[0]) == 0 {
			parts = parts[1:]
		}
	}
	return parts
}

// giveBack gives the buffers of frames back, each to its own pool.
func (q *txQueue) giveBack(bufs []*packet.Buf) {
	for i, b := range bufs {
		switch {
		case b.Flags()&packet.Chained != 0:
			packet.Free(bufs[i : i+1])
		case packet.PoolOf(b) == q.cache.Pool():
			q.cache.Put(bufs[i : i+1])
		case !q.given:
			// A port that sends another port's frames mostly does so for good.
			q.use(packet.PoolOf(b).NewCache(), true)
			q.cache.Put(bufs[i : i+1])
		default:
			packet.Free(bufs[i : i+1])
		}
	}
}

func (q *txQueue) use(c *packet.Cache, given bool) {
	if q.cache != nil {
		q.cache.Flush()
	}
	q.cache, q.given = c, given
	q.plain = packet.MakeSpan(0, 0, c.Pool().Flags())
}

// UseCache implements nic.CacheUser.
func (q *txQueue) UseCache(c *packet.Cache) bool {
	if c == nil {
		q.use(q.d.pool.NewCache(), false)
		return true
	}
	q.use(c, true)
	return true
}
