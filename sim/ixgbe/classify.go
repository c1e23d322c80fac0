package ixgbe

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	chip "glassnic/chip/ixgbe"
)

const (
	etherIPv4 = 0x0800
	etherIPv6 = 0x86DD
	etherVLAN = 0x8100

	protoTCP  = 6
	protoUDP  = 17
	protoSCTP = 132
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// headers is where the headers of a frame lie.
type headers struct {
	types  uint64 // packet type bits of write-back word 0
	l3, l4 int    // offsets; l4 is 0 where there is none to look at
	end    int    // of the L3 payload
	proto  uint8
}

// parse finds the headers of a frame of at least 60 bytes (7.1.6.2, packet type).
func (h *headers) parse(b []byte) {
	*h = headers{}
	at := 14
	kind := binary.BigEndian.Uint16(b[12:])
	if kind == etherVLAN {
		at, kind = 18, binary.BigEndian.Uint16(b[16:])
	}
	switch kind {
	case etherIPv4:
		h.parseIPv4(b, at)
	case etherIPv6:
		h.parseIPv6(b, at)
	}
}

func (h *headers) parseIPv4(b []byte, at int) {
	ihl := int(b[at]&15) * 4
	total := int(binary.BigEndian.Uint16(b[at+2:]))
	if b[at]>>4 != 4 || ihl < 20 || total < ihl || at+total > len(b) {
		return
	}
	h.types, h.l3, h.end = chip.RxPktIPv4, at, at+total
	if ihl > 20 {
		h.types |= chip.RxPktIPv4E
	}
	if binary.BigEndian.Uint16(b[at+6:])&0x3FFF == 0 {
		h.transport(b[at+9], at+ihl)
	}
}

func (h *headers) parseIPv6(b []byte, at int) {
	if len(b) < at+40 || b[at]>>4 != 6 {
		return
	}
	end := at + 40 + int(binary.BigEndian.Uint16(b[at+4:]))
	if end > len(b) {
		return
	}
	h.types, h.l3, h.end = chip.RxPktIPv6, at, end
	next, l4 := b[at+6], at+40
	for next == 0 || next == 43 || next == 60 { // hop-by-hop, routing, destination options (RFC 8200, 4)
		h.types |= chip.RxPktIPv6E
		if l4+8 > end {
			return
		}
		next, l4 = b[l4], l4+8+int(b[l4+1])*8
	}
	if next == 44 {
		h.types |= chip.RxPktIPv6E
		return
	}
	h.transport(next, l4)
}

// transport notes the L4 header. Fragments have none, not even the first.
func (h *headers) transport(proto uint8, l4 int) {
	var kind uint64
	switch {
	case proto == protoTCP && h.end-l4 >= 20:
		kind = chip.RxPktTCP
	case proto == protoUDP && h.end-l4 >= 8:
		kind = chip.RxPktUDP
	case proto == protoSCTP && h.end-l4 >= 12:
		kind = chip.RxPktSCTP
	default:
		return
	}
	h.types |= kind
	h.l4, h.proto = l4, proto
}

// classify returns the packet type for write-back word 0 and the checksum status for word 1 (7.1.11).
func classify(b []byte) (w0, w1 uint64) {
	if len(b) < minFrame {
		return 0, 0
	}
	// Most frames are UDP or TCP over IPv4 without tag and options: those need no second look.
	if binary.LittleEndian.Uint32(b[12:])&0xFFFFFF != 0x45<<16|0x0008 {
		return classifyAny(b)
	}
	end := 14 + int(binary.BigEndian.Uint16(b[16:]))
	if binary.LittleEndian.Uint16(b[20:])&0xFF3F != 0 || end < 14+20+20 || end > len(b) {
		return classifyAny(b)
	}
	w0, w1 = chip.RxPktIPv4, chip.RxIPCS
	s, carry := bits.Add64(le64(b[14:]), le64(b[22:]), 0)
	s, carry = bits.Add64(s, uint64(binary.LittleEndian.Uint32(b[30:])), carry)
	if fold(s+carry) != 0xFFFF {
		w1 |= chip.RxIPE
	}
	switch b[23] {
	case protoTCP:
		w0 |= chip.RxPktTCP
	case protoUDP:
		w0 |= chip.RxPktUDP
		if b[40]|b[41] == 0 {
			return w0, w1 // no checksum was sent (RFC 768)
		}
		w1 |= chip.RxUDPCS
	default:
		return classifyAny(b)
	}
	w1 |= chip.RxL4I
	l4 := b[34:end]
	s, carry = bits.Add64(sum(l4), le64(b[26:]), 0)
	s, carry = bits.Add64(s, uint64(b[23])<<8+uint64(bits.ReverseBytes16(uint16(len(l4)))), carry)
	if fold(s+carry) != 0xFFFF {
		w1 |= chip.RxL4E
	}
	return w0, w1
}

// classifyAny is classify for every frame.
func classifyAny(b []byte) (w0, w1 uint64) {
	if k := binary.BigEndian.Uint16(b[12:]); k != etherIPv4 && k != etherIPv6 && k != etherVLAN {
		return 0, 0
	}
	var h headers
	h.parse(b)
	if h.types == 0 {
		return 0, 0
	}
	var pseudo uint64
	if h.types&chip.RxPktIPv4 != 0 {
		w1 |= chip.RxIPCS
		if fold(sum(b[h.l3:h.l3+int(b[h.l3]&15)*4])) != 0xFFFF {
			w1 |= chip.RxIPE
		}
		pseudo = uint64(binary.LittleEndian.Uint32(b[h.l3+12:])) + uint64(binary.LittleEndian.Uint32(b[h.l3+16:]))
	} else if h.l4 != 0 {
		pseudo = fold(sum(b[h.l3+8 : h.l3+40]))
	}
	if h.l4 == 0 {
		return h.types, w1
	}
	l4 := b[h.l4:h.end]
	switch h.proto {
	case protoSCTP: // CRC32c over the packet with the checksum as zero (RFC 9260, appendix A)
		crc := crc32.Update(0, castagnoli, l4[:8])
		crc = crc32.Update(crc, castagnoli, zero4[:])
		w1 |= chip.RxL4I
		if crc32.Update(crc, castagnoli, l4[12:]) != binary.LittleEndian.Uint32(l4[8:]) {
			w1 |= chip.RxL4E
		}
		return h.types, w1
	case protoUDP:
		if l4[6]|l4[7] == 0 && h.types&chip.RxPktIPv4 != 0 {
			return h.types, w1
		}
		w1 |= chip.RxUDPCS
	}
	w1 |= chip.RxL4I
	pseudo += uint64(h.proto)<<8 + uint64(bits.ReverseBytes16(uint16(len(l4))))
	total, carry := bits.Add64(sum(l4), pseudo, 0)
	if fold(total+carry) != 0xFFFF {
		w1 |= chip.RxL4E
	}
	return h.types, w1
}

var zero4 [4]byte

// sum adds up b as little-endian 16-bit words in ones' complement (RFC 1071), in a 64-bit accumulator
// that fold reduces.
func sum(b []byte) uint64 {
	var s, c uint64
	for len(b) >= 32 {
		s, c = bits.Add64(s, le64(b), 0)
		s, c = bits.Add64(s, le64(b[8:]), c)
		s, c = bits.Add64(s, le64(b[16:]), c)
		s, c = bits.Add64(s, le64(b[24:]), c)
		s += c
		b = b[32:]
	}
	for len(b) >= 8 {
		s, c = bits.Add64(s, le64(b), 0)
		s += c
		b = b[8:]
	}
	var rest uint64
	if len(b) >= 4 {
		rest = uint64(binary.LittleEndian.Uint32(b))
		b = b[4:]
	}
	if len(b) >= 2 {
		rest += uint64(binary.LittleEndian.Uint16(b))
		b = b[2:]
	}
	if len(b) == 1 {
		rest += uint64(b[0])
	}
	s, c = bits.Add64(s, rest, 0)
	return s + c
}

// fold reduces a sum to 16 bits; 0xFFFF says that a checksum is right.
func fold(s uint64) uint64 {
	half := uint32((s + bits.RotateLeft64(s, 32)) >> 32)
	return uint64((half + bits.RotateLeft32(half, 16)) >> 16)
}
