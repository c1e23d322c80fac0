package packet

import (
	"encoding/binary"
	"math/bits"
)

// What is left to do for a frame that is sent: by the card, or else by Complete.

// VLAN returns the tag control information (IEEE 802.1Q, 9.6) that was taken out of the frame, and
// which goes back into it when the frame is sent: behind the service tag, if it has one (IEEE 802.1ad), else in front of all.
func (b *Buf) VLAN() (tci uint16, ok bool) {
	if b.Flags()&HasVLAN == 0 {
		return 0, false
	}
	return b.more().vlan, true
}

// SetVLAN stores a tag beside the frame.
func (b *Buf) SetVLAN(tci uint16) {
	b.more().vlan = tci
	b.SetFlags(HasVLAN)
}

// Checksum returns where a partial checksum is: it covers the frame from byte start to its end, and lies offset bytes
// behind start, where the sum of the pseudo header stands. It is reported only with NeedsChecksum.
func (b *Buf) Checksum() (start, offset int, ok bool) {
	if b.Flags()&NeedsChecksum == 0 {
		return 0, 0, false
	}
	m := b.more()
	return int(m.sumStart) - int(b.span.Offset()), int(m.sumOffset), true
}

// SetChecksum says that the frame, from byte start to its end, lacks its checksum: the two bytes that lie offset bytes
// behind start hold the sum of the pseudo header (RFC 9293 section 3.1, RFC 768), not inverted. The place stays where it
// is when the frame gets longer or shorter at its front.
func (b *Buf) SetChecksum(start, offset int) {
	m := b.more()
	m.sumStart, m.sumOffset = uint16(start)+uint16(b.span.Offset()), uint16(offset)
	b.SetFlags(NeedsChecksum)
}

// Complete does in software what cards do when they send a frame: of HasVLAN and NeedsChecksum, those that are among
// what. It clears these flags. It reports false where that cannot be: the checksum does not lie within the frame,
// there is no room for the tag, or the frame would have to be cut (Cut). Then the frame is not fit to be sent.
func (b *Buf) Complete(what Flags) bool {
	if f := b.Flags() & what; f&(HasVLAN|NeedsChecksum|NeedsSegment) == 0 {
		return true
	} else if f&NeedsSegment != 0 {
		return false
	} else if f&HasVLAN != 0 && !b.putTag() {
		return false
	} else if f&NeedsChecksum != 0 {
		return b.putChecksum()
	}
	return true
}

const (
	addresses      = 12 // bytes before a tag (IEEE 802.3, 3.1.1)
	tagSize        = 4
	tagType        = 0x8100 // IEEE 802.1Q, 9.6
	serviceTagType = 0x88a8
)

// putTag puts the VLAN tag into the frame: behind a service tag, which is always the outer one (IEEE 802.1Q, 9.5 and 9.6),
// else behind the addresses.
func (b *Buf) putTag() bool {
	n, at := b.Len(), addresses
	if n < addresses {
		return false
	}
	if data := b.Bytes(); n >= addresses+tagSize && binary.BigEndian.Uint16(data[addresses:]) == serviceTagType {
		at += tagSize
	}
	if start, offset, ok := b.Checksum(); b.Prepend(tagSize) != nil {
		copy(b.Bytes(), b.Bytes()[tagSize:tagSize+at])
	} else if b.Append(tagSize) != nil {
		copy(b.Bytes()[at+tagSize:], b.Bytes()[at:n])
		if ok {
			b.SetChecksum(start+tagSize, offset)
		}
	} else {
		return false
	}
	tag := b.Bytes()[at:]
	binary.BigEndian.PutUint16(tag, tagType)
	binary.BigEndian.PutUint16(tag[2:], b.more().vlan)
	b.ClearFlags(HasVLAN)
	return true
}

// putChecksum completes the checksum (RFC 1071). Where it comes out as zero it is written as its other form, as UDP
// wants it and TCP allows it.
func (b *Buf) putChecksum() bool {
	start, offset, _ := b.Checksum()
	if start < 0 {
		return false
	}
	high, low := b.byteAt(start+offset), b.byteAt(start+offset+1)
	if high == nil || low == nil {
		return false
	}
	sum, odd := uint32(0), false
	for s := b; s != nil; s = s.Next() {
		part := s.Bytes()[min(start, s.Len()):]
		start -= min(start, s.Len())
		n := add(part)
		if odd {
			n = bits.ReverseBytes16(n)
		}
		sum += uint32(n)
		odd = odd != (len(part)%2 != 0)
	}
	v := ^fold(uint64(sum))
	if v == 0 {
		v = 0xffff
	}
	*high, *low = byte(v), byte(v>>8)
	b.ClearFlags(NeedsChecksum)
	return true
}

// byteAt returns byte i of a frame, nil where it has no such byte.
func (b *Buf) byteAt(i int) *byte {
	for s := b; s != nil; s = s.Next() {
		if i < s.Len() {
			return &s.Bytes()[i]
		}
		i -= s.Len()
	}
	return nil
}

// add sums the 16-bit words of data, little-endian, with end-around carry, which comes out the same as big-endian with
// its bytes swapped (RFC 1071 section 2).
func add(data []byte) uint16 {
	var sum, carry uint64
	for len(data) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(data), carry)
		data = data[8:]
	}
	var last [8]byte
	copy(last[:], data)
	sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(last[:]), carry)
	return fold(sum>>32 + sum&0xffff_ffff + carry)
}

// fold brings the carries of a sum back into 16 bits.
func fold(sum uint64) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
