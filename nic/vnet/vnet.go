// Package vnet reads and writes the header that virtio devices, and the kernel's TAP interfaces, have before each frame
// (virtio 1.2, 5.1.6; linux/virtio_net.h): what it says of partial checksums and of large frames.
package vnet

import (
	"encoding/binary"

	"glassnic/packet"
)

// MaxLarge is how many bytes a large frame may have: a datagram of 65,535 bytes with Ethernet header and two VLAN tags.
const MaxLarge = 65535 + 14 + 2*4

// Size is how many bytes of the header Read and Write know: all but the number of buffers.
const Size = 10

// Fields of the header: flags and GSO type of 8 bits, the others of 16.
const (
	flags      = 0
	gsoType    = 1
	headerLen  = 2
	gsoSize    = 4
	csumStart  = 6
	csumOffset = 8

	needsChecksum = 1
	dataValid     = 2

	none = 0
	tcp4 = 1
	tcp6 = 4
	ecn  = 0x80 // CWR is set
)

// Read takes what the header of a frame of so many bytes says. It reports false for what cannot be: a checksum that does
// not lie within the frame, or a large frame that nobody asked for, or that cannot be cut.
func Read(h []byte, b *packet.Buf, total int, large bool) bool {
	le, kind := binary.LittleEndian, h[gsoType]&^ecn
	if h[flags]&needsChecksum == 0 {
		if h[flags]&dataValid != 0 {
			b.SetFlags(packet.L4ChecksumGood)
		}
		return kind == none
	}
	start, offset := int(le.Uint16(h[csumStart:])), int(le.Uint16(h[csumOffset:]))
	b.SetChecksum(start, offset)
	if start+offset+2 > total || kind == none {
		return start+offset+2 <= total
	}
	b.SetSegmentSize(int(le.Uint16(h[gsoSize:])))
	p, ok := b.Headers()
	// The length of the headers is a hint (5.1.6.2.2); one beyond the frame is none.
	return large && ok && !p.UDP && kind == kindOf(p) && int(le.Uint16(h[headerLen:])) <= total
}

// Write writes what is left to do for a frame. The header is zero before; a large frame is one that Fits.
func Write(h []byte, b *packet.Buf) {
	le := binary.LittleEndian
	start, offset, partial := b.Checksum()
	if !partial {
		return
	}
	h[flags] = needsChecksum
	le.PutUint16(h[csumStart:], uint16(start))
	le.PutUint16(h[csumOffset:], uint16(offset))
	if size, large := b.SegmentSize(); large {
		p, _ := b.Headers()
		if h[gsoType] = kindOf(p); congested(b, p) {
			h[gsoType] |= ecn
		}
		le.PutUint16(h[headerLen:], uint16(p.Payload))
		le.PutUint16(h[gsoSize:], uint16(size))
	}
}

// Fits tells whether whoever takes large frames of TCP, with CWR or without, takes this one, and what is cut from it has
// up to longest bytes.
func Fits(b *packet.Buf, withCWR bool, longest int) bool {
	p, ok := b.Headers()
	size, _ := b.SegmentSize()
	return ok && !p.UDP && (withCWR || !congested(b, p)) && min(p.Payload+size, b.TotalLen()) <= longest && b.TotalLen() <= MaxLarge
}

func kindOf(h packet.Headers) byte {
	if h.IPv6 {
		return tcp6
	}
	return tcp4
}

// congested tells whether CWR is set (RFC 3168 section 6.1.2).
func congested(b *packet.Buf, h packet.Headers) bool { return b.Bytes()[h.L4+13]&0x80 != 0 }
