package ixgbe

import "encoding/binary"

// stream is what the hashes are of: pool, flow type and VLAN at both ends, between them the addresses, IPv4's in the
// first four bytes of their room, the ports and the flexible bytes (7.1.2.7; the order is that of Linux's ixgbe_atr_input).
type stream [46]byte

func (s *stream) fill(v *flowFields) {
	s[1] = v.kind
	binary.BigEndian.PutUint16(s[2:], v.vlan)
	binary.LittleEndian.PutUint32(s[4:], v.src)
	binary.LittleEndian.PutUint32(s[20:], v.dst)
	binary.BigEndian.PutUint16(s[36:], v.srcPort)
	binary.BigEndian.PutUint16(s[38:], v.dstPort)
	binary.LittleEndian.PutUint16(s[40:], v.flex)
	copy(s[42:], s[:4])
}

// hash is the sum of the 15 bits from each bit of the stream on where the key, over and over, has a bit set. The last bit
// of the stream is the first, and its place counts for nothing.
func (s *stream) hash(key uint32) (h uint32) {
	for i := 1; i < 352; i++ {
		if key>>(i%32)&1 == 0 {
			continue
		}
		at := len(s) - 1 - i/8 // the byte of bit i
		v := uint32(s[at]) | uint32(s[at-1])<<8
		if at >= 2 {
			v |= uint32(s[at-2]) << 16
		}
		h ^= v >> (i % 8)
	}
	return h & 0x7FFF
}
