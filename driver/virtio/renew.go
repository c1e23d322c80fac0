package virtio

import (
	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// clear empties the ring for a device that begins anew. Nobody may be in the queue, nor the device at work on it.
func (r *ring) clear() {
	clear(r.memory.Bytes)
	r.posted, r.seen, r.quiet, r.ready = 0, 0, 0, 0
	r.give, r.back, r.last = 0, 0, 0
	r.lie.Store(nil)
	if r.isPacked {
		r.beginPacked()
	} else {
		r.beginSplit()
	}
}

// renew empties the ring and fills it with the buffers that it has. It returns how many frames lay in them that nobody
// has received. The queue's cache may be in use by others meanwhile.
func (q *rxQueue) renew() (lost int) {
	lost = q.unseen()
	if q.frame.head != nil {
		packet.Free([]*packet.Buf{q.frame.head})
	}
	q.frame = partial{}
	for ; q.left > 0; q.left-- {
		freeOne(q.fresh[q.count-q.left].Buf())
	}
	q.next, q.count, q.starved, q.skipped = 0, 0, false, 0
	q.ring.clear()
	for i := range q.slots() {
		q.lay(i, q.bufs.at(i).Buf(), 0)
	}
	q.begin()
	return lost
}

// freeOne frees a buffer that a ring has, alone: what follows it is nobody's, or has a descriptor of its own.
func freeOne(b *packet.Buf) {
	b.SetNext(nil)
	packet.Free([]*packet.Buf{b})
}

// unseen is how many entries the device has used that were not taken.
func (q *rxQueue) unseen() (n int) {
	if !q.isPacked {
		q.look()
		return q.ready
	}
	lap := q.lap
	for i := q.next + q.skipped; n < q.size; n++ {
		if i >= q.size {
			i, lap = i-q.size, lap^bothBits
		}
		if !q.came(i, lap) {
			break
		}
		if q.inOrder {
			more := q.ahead(i, q.packedView.at(i).done()>>chip.PackedIDShift&0xffff)
			i, n = i+more, n+more
		}
		i++
	}
	return min(n+q.skipped, q.size)
}

// renew empties the ring and gives the buffers back that it has. It returns how many frames the device had not sent yet,
// as far as it has said. The queue's cache may be in use by others meanwhile.
func (q *txQueue) renew() (lost int) {
	lost = q.unsent()
	q.each(freeOne)
	q.next, q.left, q.fresh, q.used, q.clean, q.foreign, q.batch = 0, 0, 0, 0, 0, 0, 0
	q.tangle = nil
	q.ring.clear()
	q.level()
	if q.apart {
		q.entangle()
	}
	return lost
}

// unsent is how many frames the device has not used.
func (q *txQueue) unsent() int {
	frames := q.used
	if q.tangle != nil {
		frames = 0
		for _, n := range q.tangle.chains {
			if n > 0 {
				frames++
			}
		}
	}
	if !q.isPacked {
		q.look()
		return max(0, frames-q.ready)
	}
	i, lap := q.back, q.lap
	for frames > 0 && q.came(i, lap) {
		id := int(q.at(i).done() >> chip.PackedIDShift & 0xffff)
		for at := i; frames > 0; at = i {
			frames--
			n := 1
			if q.tangle != nil {
				of := id
				if q.inOrder {
					of = at
				}
				if of >= q.size || q.tangle.chains[of] == 0 {
					return frames
				}
				n = int(q.tangle.chains[of])
			}
			if i += n; i >= q.size {
				i, lap = i-q.size, lap^bothBits
			}
			if !q.inOrder || at == id {
				break
			}
		}
	}
	return frames
}
