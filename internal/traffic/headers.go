package traffic

import (
	"encoding/binary"
	"math/bits"
)

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86DD
	etherRaw  = 0x88B5

	protoTCP = 6
	protoUDP = 17
)

// putHeaders writes the headers of a frame of len(f) bytes for a resolved spec. The source port and
// checksums over the payload stay 0.
func putHeaders(f []byte, s *Spec, l *layout) {
	be := binary.BigEndian
	copy(f[0:], s.DstMAC)
	copy(f[6:], s.SrcMAC)
	switch l.name {
	case UDP4:
		putIPv4(f, s, protoUDP)
		putUDP(f[34:], s)
	case TCP4:
		putIPv4(f, s, protoTCP)
		tcp := f[34:]
		be.PutUint16(tcp[2:], s.DstPort)
		be.PutUint32(tcp[4:], 1) // sequence number
		be.PutUint32(tcp[8:], 1) // acknowledgement
		tcp[12] = 5 << 4         // header length in words
		tcp[13] = 1<<4 | 1<<3    // ACK, PSH
		be.PutUint16(tcp[14:], 65535)
	case UDP6:
		be.PutUint16(f[12:], etherIPv6)
		ip := f[14:]
		ip[0] = 6 << 4
		be.PutUint16(ip[4:], uint16(len(ip)-40))
		ip[6], ip[7] = protoUDP, 64
		copy(ip[8:], s.Src.AsSlice())
		copy(ip[24:], s.Dst.AsSlice())
		putUDP(ip[40:], s)
	case ARP:
		be.PutUint16(f[12:], etherARP)
		arp := f[14:] // RFC 826: Ethernet, IPv4, request
		copy(arp, []byte{0, 1, 8, 0, 6, 4, 0, 1})
		copy(arp[8:], s.SrcMAC)
		copy(arp[14:], s.Src.AsSlice())
		copy(arp[24:], s.Dst.AsSlice())
	case Raw:
		be.PutUint16(f[12:], etherRaw)
	}
}

func putIPv4(f []byte, s *Spec, proto byte) {
	be := binary.BigEndian
	be.PutUint16(f[12:], etherIPv4)
	ip := f[14:]
	ip[0] = 4<<4 | 5
	be.PutUint16(ip[2:], uint16(len(ip)))
	be.PutUint16(ip[6:], 1<<14) // don't fragment
	ip[8], ip[9] = 64, proto
	copy(ip[12:], s.Src.AsSlice())
	copy(ip[16:], s.Dst.AsSlice())
	binary.LittleEndian.PutUint16(ip[10:], ^fold(sum16(ip[:20])))
}

func putUDP(udp []byte, s *Spec) {
	binary.BigEndian.PutUint16(udp[2:], s.DstPort)
	binary.BigEndian.PutUint16(udp[4:], uint16(len(udp)))
}

// sum16 is the one's complement sum of RFC 1071 before folding. It is taken over little-endian words, so
// that a folded result is stored little-endian (RFC 1071 section 2 (B): byte order does not matter).
func sum16(b []byte) uint64 {
	var sum, carry uint64
	for len(b) >= 8 {
		sum, carry = bits.Add64(sum, binary.LittleEndian.Uint64(b), carry)
		b = b[8:]
	}
	var last [8]byte
	copy(last[:], b)
	return add16(add16(sum, carry), binary.LittleEndian.Uint64(last[:]))
}

// add16 adds two unfolded one's complement sums.
func add16(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	return sum + carry
}

// fold brings an unfolded sum to 16 bits.
func fold(sum uint64) uint16 {
	sum = sum>>32 + sum&0xffffffff
	sum = sum>>16 + sum&0xffff
	sum = sum>>16 + sum&0xffff
	return uint16(sum>>16 + sum)
}

// sumL4 sums what a UDP over IPv6 or TCP over IPv4 checksum covers, with the pseudo header.
func sumL4(f []byte, l *layout) uint64 {
	addresses, l4, proto := f[26:34], f[34:], uint64(protoTCP)
	if l.v6 {
		addresses, l4, proto = f[22:54], f[54:], protoUDP
	}
	// Length and protocol are big-endian words.
	n := uint64(bits.ReverseBytes16(uint16(len(l4)))) + proto<<8
	return add16(add16(sum16(addresses), n), sum16(l4))
}
