package afpacket

import "encoding/binary"

// segment takes a packet of several TCP segments apart (linux/Documentation/networking/segmentation-offloads).
type segment struct {
	data  []byte
	v6    bool
	ip    int // offset of the IP header
	tcp   int // offset of the TCP header
	head  int // length of all headers
	size  int // of the payload of a segment; 0: there is but one
	at    int // offset of the payload of the next segment
	space [256]byte
}

// begin takes a packet whose TCP header is at an offset. It reports false where that makes no sense.
func (s *segment) begin(data []byte, v6 bool, tcp, size int) bool {
	ip := tcp - 40
	if !v6 {
		// The header before TCP is that of IPv4, with options or without.
		for ip = tcp - 20; ip >= 14 && int(data[min(ip, len(data)-1)]&0xf)*4 != tcp-ip; ip -= 4 {
		}
	}
	if size <= 0 || ip < 14 || tcp+20 > len(data) {
		return false
	}
	if version := data[ip] >> 4; v6 && version != 6 || !v6 && version != 4 {
		return false
	}
	head := tcp + int(data[tcp+12]>>4)*4
	if head < tcp+20 || head > len(data) || head > len(s.space) {
		return false
	}
	*s = segment{data: data, v6: v6, ip: ip, tcp: tcp, head: head, size: size, at: head}
	return true
}

// part returns headers and payload of the next segment. The checksum of IPv4 is right; that of TCP holds the sum of the
// pseudo header.
func (s *segment) part() (head, payload []byte) {
	payload = s.data[s.at:min(s.at+s.size, len(s.data))]
	head = s.space[:s.head]
	copy(head, s.data)
	be := binary.BigEndian
	first, last := s.at == s.head, s.at+s.size >= len(s.data)
	number := (s.at - s.head) / s.size
	ip, tcp := head[s.ip:], head[s.tcp:]
	length := s.head - s.tcp + len(payload)
	var sum uint32
	if s.v6 {
		be.PutUint16(ip[4:], uint16(length+s.tcp-s.ip-40))
		sum = words(ip[8:40])
	} else {
		be.PutUint16(ip[2:], uint16(length+s.tcp-s.ip))
		be.PutUint16(ip[4:], be.Uint16(ip[4:])+uint16(number))
		ip[10], ip[11] = 0, 0
		be.PutUint16(ip[10:], ^fold(words(ip[:s.tcp-s.ip])))
		sum = words(ip[12:20])
	}
	be.PutUint32(tcp[4:], be.Uint32(tcp[4:])+uint32(s.at-s.head))
	if !last {
		tcp[13] &^= 0x09 // FIN, PSH
	}
	if !first {
		tcp[13] &^= 0x80 // CWR (RFC 3168, 6.1.2)
	}
	be.PutUint16(tcp[16:], fold(sum+6+uint32(length)))
	return head, payload
}

// next goes on to the next segment and reports whether there is one.
func (s *segment) next() bool {
	if s.size == 0 {
		return false
	}
	s.at += s.size
	return s.at < len(s.data)
}

// words sums the 16-bit words of an even number of bytes (RFC 1071).
func words(b []byte) (sum uint32) {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(b[0])<<8 | uint32(b[1])
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
