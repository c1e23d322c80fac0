package virtio

import (
	"glassnic/nic/vnet"
	"glassnic/packet"
)

// verify takes what headers say of the checksums of frames. It drops those of which one says what cannot be, and
// returns how many are left.
func (q *rxQueue) verify(batch []*packet.Buf) int {
	good := 0
	for _, b := range batch {
		if batch[good] = b; q.verified(b, b.Len()) {
			good++
			continue
		}
		q.dropped.Add(1)
		q.bytes.add(-uint64(b.Len()))
		packet.Free([]*packet.Buf{b})
	}
	return good
}

// verified takes what the header of a frame of so many bytes says of its checksum and its segments (5.1.6.4.2). It reports
// false for what cannot be.
func (q *rxQueue) verified(b *packet.Buf, total int) bool {
	return vnet.Read(b.Front()[q.shift:], b, total, q.large)
}

// complete does for a frame what the device does not. It reports false for a frame whose flags ask for what cannot be.
func (q *txQueue) complete(b *packet.Buf) bool {
	if !b.Complete(packet.HasVLAN) {
		return false
	}
	if b.Flags()&packet.NeedsSegment != 0 {
		return q.Segments(b)
	}
	start, offset, partial := b.Checksum()
	if partial && q.sums && q.inside(b) {
		return start >= 0 && start+offset+2 <= b.TotalLen()
	}
	return b.Complete(packet.NeedsChecksum)
}

// Segments implements nic.Segmenter: the device has to do so, and the frame has to be as it has it.
func (q *txQueue) Segments(b *packet.Buf) bool {
	return q.large && q.inside(b) && b.Segments() <= q.most && vnet.Fits(b, q.cwr, int(q.top)+minTx)
}

// inside tells whether the header lies in front of a frame, in its headroom.
func (q *txQueue) inside(b *packet.Buf) bool { return !q.apart && b.Span().Offset() >= front }

// writeHeader writes the header in front of a frame (5.1.6.2).
func (q *txQueue) writeHeader(b *packet.Buf) {
	front := b.Front()
	clearHeader(front)
	vnet.Write(front[len(front)-int(q.extra):], b)
}
