package virtio

import (
	"encoding/binary"

	chip "glassnic/chip/virtio"
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

// verified takes what the header of a frame of so many bytes says of its checksum (5.1.6.4.2). It reports false for a
// partial checksum that would not lie within the frame.
func (q *rxQueue) verified(b *packet.Buf, total int) bool {
	h := b.Front()[q.shift:]
	if h[chip.HdrFlags]&chip.HdrNeedsCSum != 0 {
		start := int(binary.LittleEndian.Uint16(h[chip.HdrCSumStart:]))
		offset := int(binary.LittleEndian.Uint16(h[chip.HdrCSumOffset:]))
		b.SetChecksum(start, offset)
		return start+offset+2 <= total
	}
	if h[chip.HdrFlags]&chip.HdrDataValid != 0 {
		b.SetFlags(packet.L4ChecksumGood)
	}
	return true
}

// complete does for a frame what the device does not. It reports false for a frame whose flags ask for what cannot be.
func (q *txQueue) complete(b *packet.Buf) bool {
	if !b.Complete(packet.HasVLAN) {
		return false
	}
	start, offset, partial := b.Checksum()
	if partial && q.sums && q.inside(b) {
		return start >= 0 && start+offset+2 <= b.TotalLen()
	}
	return b.Complete(packet.NeedsChecksum)
}

// inside tells whether the header lies in front of a frame, in its headroom.
func (q *txQueue) inside(b *packet.Buf) bool { return !q.apart && b.Span().Offset() >= front }

// writeHeader writes the header in front of a frame (5.1.6.2).
func (q *txQueue) writeHeader(b *packet.Buf) {
	front := b.Front()
	clearHeader(front)
	if start, offset, partial := b.Checksum(); partial {
		h := front[len(front)-int(q.extra):]
		h[chip.HdrFlags] = chip.HdrNeedsCSum
		binary.LittleEndian.PutUint16(h[chip.HdrCSumStart:], uint16(start))
		binary.LittleEndian.PutUint16(h[chip.HdrCSumOffset:], uint16(offset))
	}
}
