package ixgbe

import "encoding/binary"

// udp makes the frame an IPv4/UDP packet with right checksums that fills it.
func udp(f []byte) []byte { return ipv4(f, protoUDP) }

func ipv4(f []byte, proto byte) []byte {
	binary.BigEndian.PutUint16(f[12:], etherIPv4)
	ip := f[14:]
	ip[0], ip[1] = 0x45, 0
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)))
	copy(ip[4:], []byte{0, 1, 0, 0, 64, proto, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2})
	binary.BigEndian.PutUint16(ip[10:], ^plainSum(ip[:20], 0))
	l4 := ip[20:]
	binary.BigEndian.PutUint16(l4, 1234)
	binary.BigEndian.PutUint16(l4[2:], 80)
	at := 6
	switch proto {
	case protoUDP:
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	case protoTCP:
		at = 16
		l4[12] = 5 << 4
	}
	binary.BigEndian.PutUint16(l4[at:], 0)
	seed := uint32(plainSum(ip[12:20], 0)) + uint32(proto) + uint32(len(l4))
	binary.BigEndian.PutUint16(l4[at:], ^plainSum(l4, seed))
	return f
}

// plainSum is the checksum of RFC 1071 the plain way, big-endian.
func plainSum(b []byte, s uint32) uint16 {
	for i, v := range b {
		if i&1 == 0 {
			s += uint32(v) << 8
		} else {
			s += uint32(v)
		}
	}
	for s > 0xFFFF {
		s = s>>16 + s&0xFFFF
	}
	return uint16(s)
}

// ipv6 makes the frame an IPv6 packet with a right checksum that fills it.
func ipv6(f []byte, proto byte) []byte {
	binary.BigEndian.PutUint16(f[12:], etherIPv6)
	ip := f[14:]
	copy(ip, []byte{0x60, 0, 0, 0, 0, 0, proto, 64})
	l4 := ip[40:]
	binary.BigEndian.PutUint16(ip[4:], uint16(len(l4)))
	at := 6
	switch proto {
	case protoUDP:
		binary.BigEndian.PutUint16(l4[4:], uint16(len(l4)))
	case protoTCP:
		at = 16
		l4[12] = 5 << 4
	}
	binary.BigEndian.PutUint16(l4[at:], 0)
	seed := uint32(plainSum(ip[8:40], 0)) + uint32(proto) + uint32(len(l4))
	binary.BigEndian.PutUint16(l4[at:], ^plainSum(l4, seed))
	return f
}
