package ixgbe

import (
	"encoding/binary"
	"math/bits"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// offloads are what the card does: of the receive side, and of segmentation, what the settings ask for.
func (d *Device) offloads() nic.Offloads {
	const asked = nic.RxChecksum | nic.RxHash | nic.RxVLAN | nic.RxSegment | nic.TxSegment | nic.OuterVLAN
	can := d.cfg.Offloads&asked | nic.TxChecksum | nic.TxVLAN
	if d.clock != nil {
		can |= nic.Timestamps
	}
	return can
}

// checked is what a write-back says of checksums (7.1.11), by statusIndex.
var checked = func() (t [32]packet.Span) {
	for i := range t {
		var f packet.Flags
		switch i & 0b1010 {
		case 0b0010:
			f = packet.IPChecksumGood
		case 0b1010:
			f = packet.IPChecksumBad
		}
		switch i & 0b10101 {
		case 0b00001, 0b10001:
			f |= packet.L4ChecksumGood
		case 0b00101:
			f |= packet.L4ChecksumBad
		} // A UDP checksum of zero may count as wrong (82599 specification update, "UDP frames with a zero checksum").
		t[i] = packet.MakeSpan(0, 0, f)
	}
	return t
}()

// statusIndex puts together what a write-back says of checksums: L4I, IPCS, L4E and IPE, and that it is UDP.
func statusIndex(w0, w1 uint64) uint64 { return w1>>5&3 | w1>>28&0xc | w0>>5&16 }

// hashed is packet.HasHash in a span where the write-back has a hash (7.1.6.2, RSS type), else 0.
func hashed(w0 uint64) packet.Span {
	return packet.Span((w0&chip.RxRSSTypeMask+0xf)>>4) * packet.HashSpan
}

// said is what a card said of a frame in a write-back, all but hash and tag, and what it comes to in a span. Frames in a
// row are mostly alike.
type said struct {
	key  uint64 // of sayings; 0, without RxDD, is of no frame
	span packet.Span
}

// sayings puts together the halves of a write-back that say what kind of frame it is.
func sayings(w0, w1 uint64) uint64 { return w0<<32 | w1&(1<<32-1) }

// runTold is run for a port that takes what the card says of frames.
func (q *rxQueue) runTold(batch []*packet.Buf) int {
	n := q.runAlike(batch)
	for n < len(batch) && q.next < q.end && q.other(&batch[n]) {
		n++
		n += q.runAlike(batch[n:])
	}
	return n
}

// runAlike receives frames of one buffer each of which the card says the same as of the last.
func (q *rxQueue) runAlike(batch []*packet.Buf) int {
	room, key := q.room, q.said.key
	span := q.span | q.said.span
	d, bufs, out := q.desc(q.next), q.bufs.from(q.next), refsOf(batch)
	i, end := step(0), steps(min(len(batch), q.end-q.next))
	for ; i < end; i, d = i+steps(1), d.following() {
		w1 := d.done()
		w0 := d.w0
		// The key has that the descriptor is done and holds a whole frame.
		size := w1>>chip.RxLenShift&0xffff - 1
		if sayings(w0, w1) != key || size >= room {
			break
		}
		b := bufs.get(i)
		b.SetSpanHash(span+packet.SpanLen(size), chip.RxHash(w0))
		out.put(i, b)
	}
	n := i.index()
	q.next += n
	return n
}

// other receives a frame of one buffer of which the card says something else than of the last. It reports whether there is
// one.
func (q *rxQueue) other(out **packet.Buf) bool {
	d := q.desc(q.next)
	w1 := d.done()
	size := bits.RotateLeft64(w1&wholeMask-whole, 32)
	if size >= q.room {
		return false
	}
	w0 := d.w0
	q.said = said{sayings(w0, w1), checked[statusIndex(w0, w1)&31] | hashed(w0)}
	b := q.buf(q.next).Buf()
	b.SetSpanHash(q.span+packet.SpanLen(size)|q.said.span, chip.RxHash(w0))
	if w1&(chip.RxVP|chip.RxTS) != 0 {
		q.note(b, w1)
		q.said.key = 0 // the next comes this way, too
	}
	*out = b
	q.next++
	return true
}

// tell is for frames in several buffers, of which the last has this write-back.
func (q *rxQueue) tell(frame *packet.Buf, w0, w1 uint64) {
	frame.SetFlags((checked[statusIndex(w0, w1)&31] | hashed(w0)).Flags())
	if frame.Flags()&packet.HasHash != 0 {
		frame.SetHash(chip.RxHash(w0))
	}
	q.note(frame, w1)
}

// note takes what few frames have: a tag, and a time stamp.
func (q *rxQueue) note(b *packet.Buf, w1 uint64) {
	if w1&chip.RxVP != 0 {
		b.SetVLAN(chip.RxVLAN(w1))
	}
	if w1&chip.RxTS != 0 && q.clock != nil {
		q.clock.stamped(b)
	}
}

// txContext is what the card has to know of a frame whose checksum it completes, whose tag it inserts, or that it cuts
// (7.2.3.2.3). The card remembers it, so that frames alike need one descriptor for all.
type txContext struct{ lo, hi uint64 }

// task is what the card has to do for a frame.
type task struct {
	ctx     txContext
	command uint64 // of its data descriptors, besides what every frame's have; 0: nothing is left to do
	headers int    // bytes of headers of a frame that is cut, else 0
	longest int    // bytes of what goes to the wire at once
}

// The place of a checksum, from where it begins to count, tells the protocol.
const (
	tcpSum = 16 // bytes (RFC 9293 section 3.1)
	udpSum = 6  // RFC 768

	ethernet = 14     // bytes of a header without a tag
	ipv4     = 0x0800 // EtherTypes
	ipv6     = 0x86dd
)

// offload returns what the card has to do for a frame. What it cannot do is done here. It reports false for a frame that
// asks for what cannot be.
func (q *txQueue) offload(b *packet.Buf) (t task, ok bool) {
	var c txContext
	command := uint64(0)
	c.hi = chip.TxDTYPContext | chip.TxDCMDDEXT
	t.longest = b.TotalLen()
	tci, tagged := b.VLAN()
	if outer := hasOuter(b); tagged && outer != q.outer {
		// The card would put it elsewhere, or looks for an outer one in vain.
		if !b.Complete(packet.HasVLAN) {
			return t, false
		}
		tagged, t.longest = false, b.TotalLen()
	}
	start, offset, partial := b.Checksum()
	if partial && (start < 0 || start+offset+2 > t.longest) {
		return t, false
	}
	if data := b.Bytes(); partial && len(data) >= ethernet+4 {
		mac, kind := q.header(data)
		known := (kind == ipv4 || kind == ipv6) && (offset == tcpSum || offset == udpSum)
		if ip := start - mac; known && ip >= 20 && ip < 1<<9 && start+offset+4 <= t.longest {
			c.lo |= uint64(ip)<<chip.TxCtxIPLenShift | uint64(mac)<<chip.TxCtxMACLenShift
			if c.hi |= chip.TxCtxUDP; offset == tcpSum {
				c.hi |= chip.TxCtxTCP
			}
			command |= chip.TxPOPTSTXSM
		}
	}
	if tagged {
		c.lo |= uint64(tci) << chip.TxCtxVLANShift
		if command == 0 {
			mac := ethernet
			if q.outer {
				mac += 4
			}
			c.lo |= uint64(mac) << chip.TxCtxMACLenShift
		}
		command |= chip.TxDCMDVLE
	}
	if size, large := b.SegmentSize(); large {
		h, ok := b.Headers()
		if !ok || command&chip.TxPOPTSTXSM == 0 || h.IP != int(c.lo>>chip.TxCtxMACLenShift&0x7f) {
			return t, false
		}
		c.hi |= uint64(h.Payload-h.L4)<<chip.TxCtxL4LenShift | uint64(size)<<chip.TxCtxMSSShift
		command |= chip.TxDCMDTSE
		if !h.IPv6 {
			c.hi |= chip.TxCtxIPv4
			command |= chip.TxPOPTSIXSM
		}
		t.headers = h.Payload
		t.longest = min(t.longest, h.Payload+size)
	}
	t.ctx, t.command = c, command
	if partial && command&chip.TxPOPTSTXSM == 0 {
		return t, b.Complete(packet.NeedsChecksum)
	}
	return t, true
}

// Segments implements nic.Segmenter.
func (q *txQueue) Segments(b *packet.Buf) bool {
	if !q.segments || b.Segments() >= q.most { // one for the context
		return false
	}
	t, ok := q.offload(b)
	return ok && uint64(t.longest-minTx) <= q.top
}

// template makes the headers of a large frame what the card makes those of each segment from (7.2.4.4, 7.2.4.6): lengths
// and the IPv4 header checksum are zero, and the sum of the pseudo header lacks the length.
func template(b *packet.Buf) {
	h, _ := b.Headers()
	data, be := b.Bytes(), binary.BigEndian
	ip, l4 := data[h.IP:h.L4], data[h.L4:h.Payload]
	at := tcpSum
	if h.UDP {
		at = udpSum
		be.PutUint16(l4[4:], 0)
	}
	sum := l4[at:]
	if h.IPv6 {
		be.PutUint16(ip[4:], 0)
	} else {
		be.PutUint16(ip[2:], 0)
		be.PutUint16(ip[10:], 0)
	}
	v := uint32(be.Uint16(sum)) + uint32(^uint16(b.TotalLen()-h.L4))
	be.PutUint16(sum, uint16(v>>16+v&0xffff))
}

// describe puts a context into the ring, unless the card has it.
func (q *txQueue) describe(c txContext) {
	if q.next == q.size {
		q.next = 0
	}
	*q.desc(q.next) = desc{c.lo, c.hi}
	q.buf(q.next).Set(nil)
	q.foreign++ // no buffer comes back with it
	q.context = c
	q.next++
}
