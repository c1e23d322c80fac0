package tap

import (
	"glassnic/nic"
	"glassnic/nic/vnet"
	"glassnic/packet"
)

// headed are the offloads for which the kernel and this port have a header before each frame.
const headed = nic.RxPartial | nic.RxSegment | nic.TxSegment

// offloads are those of a port of which so much was asked.
func offloads(asked nic.Offloads) nic.Offloads {
	o := asked & headed
	if o&nic.RxSegment != 0 {
		o |= nic.RxPartial
	}
	if o != 0 {
		o |= nic.TxChecksum
	}
	return o
}

// told takes what the header of a frame says. It reports false, and counts the frame, for one that is not to be
// delivered.
func (q *rxQueue) told(header []byte, b *packet.Buf, size int) bool {
	if q.hdr == 0 {
		return true
	}
	if !vnet.Read(header, b, size, q.most > q.Longest()) {
		q.Dropped.Add(1)
		return false
	}
	if size > q.Longest() && b.Flags()&packet.NeedsSegment == 0 {
		q.Errors.Add(1)
		return false
	}
	return true
}

// Segments implements nic.Segmenter: the kernel takes all large frames of TCP.
func (q *txQueue) Segments(b *packet.Buf) bool { return q.large && vnet.Fits(b, true, q.Longest()) }

// fit is Fit for a port whose frames have headers: the kernel completes checksums.
func (q *txQueue) fit(b *packet.Buf) bool {
	if q.hdr == 0 {
		return q.Fit(b)
	}
	if !b.Complete(packet.HasVLAN) {
		return false
	}
	if b.Flags()&packet.NeedsSegment != 0 {
		return q.Segments(b)
	}
	n := b.TotalLen()
	start, offset, partial := b.Checksum()
	return n >= 14 && n <= q.Longest() && (!partial || start >= 0 && start+offset+2 <= n)
}

// bytes are those that the kernel is given for a frame. They are valid until the frame is changed, or the next one asked
// for.
func (q *txQueue) bytes(b *packet.Buf) []byte {
	var h [vnet.Size]byte
	if q.hdr > 0 {
		vnet.Write(h[:], b)
	}
	if b.Flags()&packet.Chained == 0 && b.Prepend(q.hdr) != nil {
		data := b.Bytes()
		copy(data, h[:q.hdr])
		b.TrimFront(q.hdr)
		return data
	}
	q.scratch = b.AppendTo(append(q.scratch[:0], h[:q.hdr]...))
	return q.scratch
}
