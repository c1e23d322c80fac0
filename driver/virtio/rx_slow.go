package virtio

import (
	"encoding/binary"

	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// partial is a frame of which more buffers are to come.
type partial struct {
	head, last *packet.Buf
	total      int  // bytes so far
	left       int  // buffers to come
	broken     bool // drop it
	counted    bool // it was
}

// single takes one entry that run does not take: of a frame in several buffers, of a device whose headers lie
// apart, or one that makes no sense. It returns the frame once that is complete, and whether there was such an
// entry.
func (q *rxQueue) single() (frame *packet.Buf, more bool) {
	if !q.waiting() {
		return nil, false
	}
	if q.left == 0 {
		if !q.starved {
			q.noBuffer.Add(1)
		}
		q.starved = true
		return nil, false
	}
	b, n, ok := q.take()
	if !ok {
		return nil, false
	}
	f := &q.frame
	hdr := int(q.short) - 1
	off, room := packet.Headroom-hdr, q.fits+hdr // of buffers behind the first, which have no header (5.1.6.4)
	if f.left == 0 {
		pieces := q.pieces(b, n)
		*f = partial{left: max(1, pieces), broken: pieces == 0}
		n, off, room = n-hdr, packet.Headroom, q.fits
	}
	lie := f.left > int(q.slots()) || n <= 0 || n > room || f.broken && f.head == nil
	if lie {
		n = max(0, min(n, room))
	}
	if f.total += n; lie || f.total > q.most {
		q.breakOff(lie)
	}
	b.SetSpan(packet.MakeSpan(off, n, q.span.Flags()))
	if f.head == nil {
		f.head = b
	} else {
		f.last.SetNext(b)
	}
	f.last = b
	if f.left--; f.left > 0 {
		return nil, true
	}
	frame = f.head
	f.head = nil
	if q.sums && !f.broken && !q.verified(frame, f.total) {
		q.breakOff(true)
	}
	if !f.broken && f.total > q.max && frame.Flags()&packet.NeedsSegment == 0 {
		q.breakOff(false)
	}
	if f.broken {
		packet.Free([]*packet.Buf{frame})
		return nil, true
	}
	q.bytes.add(uint64(f.total))
	return frame, true
}

// breakOff drops the frame that is under way, and what belongs to it. One that is just too long is no lie.
func (q *rxQueue) breakOff(lie bool) {
	f := &q.frame
	if f.left > int(q.slots()) {
		f.left = 1
	}
	switch {
	case f.counted:
	case lie:
		q.dropped.Add(1)
	default:
		q.tooLong.Add(1)
	}
	f.broken, f.counted = true, true
}

// pieces is how many buffers a frame fills, of which b with n bytes is the first: as its header says (5.1.6.4).
func (q *rxQueue) pieces(b *packet.Buf, n int) int {
	if !q.merges || n < chip.HdrSize {
		return 1
	}
	b.SetSpan(packet.MakeSpan(int(q.shift), chip.HdrSize, q.span.Flags()))
	return int(binary.LittleEndian.Uint16(b.Bytes()[chip.HdrNumBuffers:]))
}

// take swaps the buffer of the next entry for a fresh one and gives that to the device. It returns the buffer, and
// how many bytes the device says that it wrote, from the header on. It reports false where there is no such buffer.
func (q *rxQueue) take() (b *packet.Buf, n int, ok bool) {
	id, n := q.entry()
	if !q.isPacked && q.skipped >= q.ready {
		q.stop("it used %d buffers up to number %d, and says %d", q.skipped+1, q.next+q.skipped, q.ready)
		q.skipped = 0
		return nil, 0, false
	}
	slot := id >> q.twin
	if slot >= q.slots() || id&q.twin != 0 {
		q.dropped.Add(1)
		q.stop("it used buffer %d of %d", id, q.size)
		return nil, 0, false
	}
	r, fresh := q.bufs.at(slot), q.fresh[q.count-q.left].Buf()
	b = r.Buf()
	r.Set(fresh)
	if q.isPacked {
		d := q.packedView.at(q.next)
		d.addr = q.place(fresh)
		store64(&d.rest, q.again|id<<chip.PackedIDShift)
	} else {
		q.desc(id | q.twin).addr = q.place(fresh)
		*q.head((q.next + int(q.slots())) & (q.size - 1)) = uint16(id)
		q.ready--
		q.seen++
	}
	q.next++
	q.left--
	return b, n, true
}

// waiting tells whether the device has used the next entry.
func (q *rxQueue) waiting() bool {
	if q.skipped > 0 {
		return true
	}
	if q.isPacked {
		if q.next == q.size {
			return q.came(0, q.lap^bothBits)
		}
		return q.came(q.next, q.lap)
	}
	if q.ready == 0 {
		q.look()
	}
	return q.ready > 0
}

// entry is the next one that the device has used: ID and length. Where that entry is of a batch, with the ID of its last
// buffer, all before that are full, as what is left out is used completely (2.7.9, 2.8.8).
func (q *rxQueue) entry() (id uint64, n int) {
	if q.skipped == 0 {
		if id, n = q.used(); !q.inOrder || id >= uint64(q.size) {
			return id, n
		}
		q.skipped, q.behind = q.ahead(q.next, id)+1, n
	}
	if q.skipped--; q.skipped == 0 {
		return uint64(q.next), q.behind
	}
	return uint64(q.next), q.fits + int(q.short) - 1
}

// used is the entry at next.
func (q *rxQueue) used() (id uint64, n int) {
	const most = 1 << 20 // more is a lie in any case
	if q.isPacked {
		w := q.packedView.at(q.next).done()
		return w >> chip.PackedIDShift & 0xffff, int(min(w&0xffffffff, most))
	}
	e := q.elems(q.next).at(0)
	return e & 0xffffffff, int(min(e>>32, most))
}

// slots is how many buffers the ring holds: one for each descriptor, or for each pair.
func (q *rxQueue) slots() uint64 { return uint64(q.size) >> q.twin }

// place is where the device writes to a buffer: a frame is to lie behind the headroom.
func (q *rxQueue) place(b *packet.Buf) uint64 {
	if q.twin != 0 {
		return b.IOVA() + packet.Headroom
	}
	return b.IOVA() + q.shift
}

// fill fills the ring with empty buffers. Where headers have to lie apart they are all written to one place, since
// nobody reads them. It reports whether the pool has enough.
func (q *rxQueue) fill(header uint64) bool {
	for i := uint64(0); i < q.slots(); {
		fresh := q.cache.Take(int(q.slots() - i))
		if len(fresh) == 0 {
			return false
		}
		for _, b := range fresh {
			q.bufs.at(i).Set(b)
			q.lay(i, b, header)
			i++
		}
	}
	q.begin()
	q.cache.Flush() // to other queues that are filled now
	return true
}

// lay puts an empty buffer into slot i of a ring that is filled.
func (q *rxQueue) lay(i uint64, b *packet.Buf, header uint64) {
	const write = uint64(chip.DescWrite) << chip.SplitFlagsShift
	hdr := q.short - 1
	if q.isPacked {
		q.givePacked(uint16(i), []part{{q.place(b), q.fits + int(hdr), chip.DescWrite}})
		return
	}
	id := i << q.twin
	if q.twin == 0 {
		*q.desc(id) = desc{q.place(b), uint64(q.fits) + hdr | write}
	} else {
		*q.desc(id) = desc{header, hdr | write | uint64(chip.DescNext)<<chip.SplitFlagsShift | (id+1)<<chip.SplitNextShift}
		*q.desc(id + 1) = desc{q.place(b), uint64(q.fits) | write}
	}
	*q.head(int(i)) = uint16(id)
}

// begin has the device see what was laid.
func (q *rxQueue) begin() {
	if q.posted = uint16(q.slots()); !q.isPacked {
		q.show()
	}
}
