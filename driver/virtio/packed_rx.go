package virtio

import (
	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// runPacked is run for a packed ring. A descriptor that came back is given again on the spot, which the device
// sees in its next lap.
func (q *rxQueue) runPacked(batch []*packet.Buf) int {
	span, room, short, shift, size, lap, again := q.span, q.room, q.short, q.shift, uint64(q.size), q.lap, q.again
	v, fresh, out := q.packedView.from(q.next), q.stock().from(q.count-q.left), refsOf(batch)
	total, want, ordered := uint64(0), uint64(q.next), q.inOrder
	i, end := step(0), steps(min(len(batch), q.left))
	for i < end {
		d := v.atStep(i)
		x := d.done() ^ lap
		id, n := x>>chip.PackedIDShift&0xffff, x&0xffffffff-short
		if x&bothBits != 0 || n >= room || id >= size || id != want && ordered {
			break
		}
		want++
		r := q.bufs.at(id)
		b, f := r.Buf(), fresh.atStep(i).Buf()
		b.SetSpan(span + packet.SpanLen(n))
		out.atStep(i).Set(b)
		r.Set(f)
		d.addr = f.IOVA() + shift
		store64(&d.rest, again|id<<chip.PackedIDShift)
		total += n
		i += steps(1)
	}
	n := i.index()
	q.next += n
	q.left -= n
	q.bytes.add(total + uint64(n))
	return n
}

// turnPacked sets what descriptors from next on are given with: they are for the next lap.
func (q *rxQueue) turnPacked() {
	q.give, q.offer = q.next, q.lap^availBit
	q.again = uint64(q.fits) + q.short - 1 | uint64(chip.DescWrite)<<chip.PackedFlagsShift | q.offer
}
