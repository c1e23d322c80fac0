package ixgbe

import (
	"encoding/binary"
	"math/bits"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// offloads are what the card does: all of the transmit side, and of the receive side what the settings ask for.
func (d *Device) offloads() nic.Offloads {
	const rx = nic.RxChecksum | nic.RxHash | nic.RxVLAN
	return d.cfg.Offloads&rx | nic.TxChecksum | nic.TxVLAN
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
	const flag = packet.Span(packet.HasHash) << 32
	return packet.Span((w0&chip.RxRSSTypeMask+0xf)>>4) * flag
}

// runTold is run for a port that takes what the card says of frames.
func (q *rxQueue) runTold(batch []*packet.Buf) int {
	span, room := q.span, q.room
	w, fresh, out := q.from(q.next), q.stock().from(q.count-q.left), refsOf(batch)
	i, end := step(0), steps(min(len(batch), q.left))
	for i < end {
		d := w.descStep(i)
		w1 := d.done()
		size := bits.RotateLeft64(w1&wholeMask-whole, 32)
		if size >= room {
			break
		}
		w0 := d.w0
		r := w.bufStep(i)
		b, f := r.Buf(), fresh.atStep(i).Buf()
		b.SetSpanHash(span+packet.SpanLen(size)|checked[statusIndex(w0, w1)&31]|hashed(w0), chip.RxHash(w0))
		if w1&chip.RxVP != 0 {
			b.SetVLAN(chip.RxVLAN(w1))
		}
		out.atStep(i).Set(b)
		r.Set(f)
		d.w0 = f.IOVA() + packet.Headroom
		d.w1 = 0
		i += steps(1)
	}
	n := i.index()
	q.next += n
	q.left -= n
	return n
}

// tell is for frames in several buffers, of which the last has this write-back.
func tell(frame *packet.Buf, w0, w1 uint64) {
	frame.SetFlags((checked[statusIndex(w0, w1)&31] | hashed(w0)).Flags())
	if frame.Flags()&packet.HasHash != 0 {
		frame.SetHash(chip.RxHash(w0))
	}
	if w1&chip.RxVP != 0 {
		frame.SetVLAN(chip.RxVLAN(w1))
	}
}

// txContext is what the card has to know of a frame whose checksum it completes or whose tag it inserts (7.2.3.2.3).
// The card remembers it, so that frames alike need one descriptor for all.
type txContext struct{ lo, hi uint64 }

// The place of a checksum, from where it begins to count, tells the protocol.
const (
	tcpSum = 16 // bytes (RFC 9293 section 3.1)
	udpSum = 6  // RFC 768

	ethernet = 14     // bytes of a header without a tag
	ipv4     = 0x0800 // EtherTypes
	ipv6     = 0x86dd
)

// offload returns the context of a frame and what its data descriptors say, besides what every frame's do; zero where
// nothing is left to do, or the card cannot do it and b was completed here. It reports false for a frame that asks for
// what cannot be.
func (q *txQueue) offload(b *packet.Buf) (c txContext, command uint64, ok bool) {
	c.hi = chip.TxDTYPContext | chip.TxDCMDDEXT
	tci, tagged := b.VLAN()
	start, offset, partial := b.Checksum()
	if partial && (start < 0 || start+offset+2 > b.TotalLen()) {
		return c, 0, false
	}
	if data := b.Bytes(); partial && len(data) >= ethernet+4 {
		mac := ethernet
		if binary.BigEndian.Uint16(data[12:]) == tagType {
			mac += 4
		}
		kind := binary.BigEndian.Uint16(data[mac-2:])
		known := (kind == ipv4 || kind == ipv6) && (offset == tcpSum || offset == udpSum)
		if ip := start - mac; known && ip >= 20 && ip < 1<<9 && start+offset+4 <= b.TotalLen() {
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
			c.lo |= ethernet << chip.TxCtxMACLenShift
		}
		command |= chip.TxDCMDVLE
	}
	if partial && command&chip.TxPOPTSTXSM == 0 {
		return c, command, b.Complete(packet.NeedsChecksum)
	}
	return c, command, true
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
