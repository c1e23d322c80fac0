package virtio

import (
	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// tangle keeps track of the descriptors of a queue one by one.
type tangle struct {
	// ids are the free descriptors, from next on as many as are free, modulo the size. What stands in the others
	// means nothing.
	ids []uint16
	// chains are, by the number of a first descriptor that the device has, how many descriptors its frame has; 0
	// for all others.
	chains []uint16
	// links are, by the number of a descriptor, the one that follows in its frame.
	links []uint16
	plain int // frames of one buffer since the last other one
}

// entangle begins to keep track.
func (q *txQueue) entangle() {
	t := &tangle{ids: make([]uint16, q.size), chains: make([]uint16, q.size), links: make([]uint16, q.size)}
	for i := range t.ids {
		t.ids[i] = uint16(i)
	}
	if q.next == q.size {
		q.next = 0
		q.offer ^= bothBits
	}
	q.give = q.next
	for i := range q.size {
		if i < q.used {
			t.chains[(q.clean+i)&(q.size-1)] = 1
		} else {
			q.bufs.at(uint64((q.clean + i) & (q.size - 1))).Set(nil)
		}
	}
	q.tangle, q.left = t, 0
}

// straighten ends it, where the device has no descriptor at all and there were none but plain frames for a while.
func (q *txQueue) straighten() {
	if q.used != 0 || q.apart || q.tangle.plain < q.size {
		return
	}
	if q.isPacked {
		q.next = q.give
	} else if !q.inOrder { // which wants the descriptor behind the last one
		q.next = int(q.posted) & (q.size - 1)
	}
	q.level()
	q.clean = q.next
	q.tangle = nil
}

// level has the entries of the available ring name the descriptors in their order, the next one that of next.
func (q *txQueue) level() {
	for i := range q.size {
		if at := int(q.posted) + i; !q.isPacked {
			*q.head(at & (q.size - 1)) = uint16((q.next + i) & (q.size - 1))
		}
	}
}

// untangle takes one entry of the used ring. It reports false where that makes no sense.
func (q *txQueue) untangle() bool {
	t, mask := q.tangle, q.size-1
	id, ok := q.entry()
	if !ok || t.chains[id] == 0 {
		q.stop("it used buffer %d, which it does not have", id)
		return false
	}
	n := int(t.chains[id])
	q.batch = max(0, q.batch-n)
	for range n {
		if r := q.bufs.at(id); r.Buf() != nil { // a header has no buffer
			b := [1]*packet.Buf{r.Buf()}
			r.Set(nil)
			q.giveBack(b[:])
		}
		t.chains[id] = 0
		t.ids[q.clean] = uint16(id)
		q.clean = (q.clean + 1) & mask
		q.used--
		id = uint64(t.links[id])
	}
	if q.isPacked {
		q.comeBack(n)
	} else {
		q.seen++
		q.ready--
	}
	return true
}

// entry is the number of the buffer that was used next. Used in order that is the oldest one, and the number in a packed
// ring the last of a batch (2.8.8).
func (q *txQueue) entry() (id uint64, ok bool) {
	size := uint64(q.size)
	switch {
	case !q.isPacked && q.inOrder:
		return uint64(q.clean), true
	case !q.isPacked:
		id = q.elems(int(q.seen)&(q.size-1)).at(0) & 0xffffffff
		return id, id < size
	case q.batch > 0:
		return uint64(q.clean), true
	}
	id = q.packedView.at(q.back).done() >> chip.PackedIDShift & 0xffff
	if id >= size || !q.inOrder {
		return id, id < size
	}
	q.batch = q.ahead(q.clean, id) + int(q.tangle.chains[id])
	return uint64(q.clean), q.tangle.chains[id] > 0 && q.batch <= q.used
}

// special sends a frame that run does not take: one in several buffers, or of another pool than those in the ring,
// or without headroom, or one that is not complete, or one that cannot be sent; and all frames where the queue is
// tangled. It reports whether the frame was taken.
func (q *txQueue) special(b *packet.Buf) bool {
	segments, total, fits := 0, 0, q.complete(b)
	for s := b; s != nil; s = s.Next() {
		segments++
		total += s.Len()
		// A part may be short, not empty, and each must lie where the device reaches it.
		fits = fits && s.Len() > 0 && packet.PoolOf(s).Domain() == q.domain
		if segments > q.most {
			break
		}
	}
	if !fits || segments > q.most || total < minTx || b.Flags()&packet.NeedsSegment == 0 && uint64(total-minTx) > q.top {
		q.dropped.Add(1)
		packet.Free([]*packet.Buf{b})
		return true
	}
	pool := packet.PoolOf(b)
	if pool != q.cache.Pool() && !q.given && q.used == 0 {
		// A port that sends another port's frames mostly does so for good.
		q.use(pool.NewCache(), true)
	}
	inside := q.inside(b)
	need := segments
	if !inside {
		need++
	}
	if need > q.size-q.used {
		return false
	}
	if q.tangle == nil && need == 1 {
		q.stranger(b)
		return true
	}
	if q.tangle == nil {
		q.entangle()
	}
	q.packets.add(1)
	q.bytes.add(uint64(total))
	q.chain(b, inside, need)
	return true
}

// stranger sends a frame that only its pool or its checksum keeps from run.
func (q *txQueue) stranger(b *packet.Buf) {
	q.writeHeader(b)
	addr, n := b.IOVA()+b.Span().Offset()-q.extra, uint64(b.Len())
	if q.isPacked {
		d := q.packedView.at(q.next)
		d.addr = addr
		store64(&d.rest, n+q.extra|uint64(q.next)<<chip.PackedIDShift|q.offer)
	} else {
		*q.desc(uint64(q.next)) = desc{addr, n + q.extra}
	}
	q.hold(uint64(q.next), b)
	q.went(1, n)
}

// hold keeps a buffer with its descriptor.
func (q *txQueue) hold(id uint64, b *packet.Buf) {
	q.bufs.at(id).Set(b)
	if packet.PoolOf(b) != q.cache.Pool() {
		q.foreign++
	}
}

// chain sends a frame as a chain of descriptors, the first perhaps of the header.
func (q *txQueue) chain(b *packet.Buf, inside bool, need int) {
	t, mask := q.tangle, q.size-1
	var parts [maxSegments + 1]part
	first := t.ids[q.next&mask]
	if t.plain++; need > 1 {
		t.plain = 0
	}
	t.chains[first] = uint16(need)
	s := b
	for i := range need {
		id := t.ids[(q.next+i)&mask]
		if i < need-1 {
			t.links[id] = t.ids[(q.next+i+1)&mask]
		}
		if i == 0 && !inside {
			parts[i] = part{q.header, int(q.extra), 0}
			q.bufs.at(uint64(id)).Set(nil)
			continue
		}
		parts[i] = part{s.IOVA() + s.Span().Offset(), s.Len(), 0}
		if i == 0 {
			q.writeHeader(s)
			parts[i].addr -= q.extra
			parts[i].n += int(q.extra)
		}
		q.hold(uint64(id), s)
		s = s.Next()
	}
	if q.isPacked {
		q.newest.set(uint64(q.give % q.size))
		q.givePacked(first, parts[:need])
		q.fresh += need
	} else {
		for i, p := range parts[:need] {
			q.setSplit(t.ids[(q.next+i)&mask], p, i < need-1, t.ids[(q.next+i+1)&mask])
		}
		if h := q.head(int(q.posted+uint16(q.fresh)) & mask); *h != first {
			*h = first
		}
		q.fresh++
	}
	q.next = (q.next + need) & mask
	q.used += need
}

// each calls f for each buffer that the device has.
func (q *txQueue) each(f func(*packet.Buf)) {
	for i := range q.size {
		at := i
		if q.tangle == nil {
			if i == q.used {
				return
			}
			at = (q.clean + i) & (q.size - 1)
		}
		if b := q.bufs.at(uint64(at)).Buf(); b != nil {
			f(b)
		}
	}
}
