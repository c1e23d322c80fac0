package virtio

import (
	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// runPacked is run for a packed ring. The device may send a frame as soon as its descriptor is there.
func (q *txQueue) runPacked(batch []*packet.Buf) int {
	plain, top, extra := q.plain, q.top, q.extra
	v, in, bufs := q.packedView.from(q.next), refsOf(batch), q.bufs.from(q.next)
	total, flags := uint64(0), uint64(q.next)<<chip.PackedIDShift|q.offer
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
		d := v.atStep(i)
		d.addr = b.IOVA() + off - extra
		bufs.atStep(i).Set(b)
		store64(&d.rest, size+extra+flags)
		flags += 1 << chip.PackedIDShift
		total += size
		i += steps(1)
	}
	return q.went(i.index(), total)
}
