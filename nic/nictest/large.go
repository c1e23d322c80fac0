package nictest

import (
	"encoding/binary"
	"fmt"

	"glassnic/nic"
	"glassnic/packet"
)

// ArriveLarge is Arrive for a frame that has to be cut into segments of so many bytes, and whose checksum is as
// packet.Buf.SetChecksum has it.
func (p *Port) ArriveLarge(i int, f []byte, start, offset, size int) bool {
	b := p.frame(f)
	if b == nil {
		return false
	}
	b.SetChecksum(start, offset)
	b.SetSegmentSize(size)
	if !p.rx[i].push(b) {
		packet.Free([]*packet.Buf{b})
		return false
	}
	return true
}

// Segments implements nic.Segmenter.
func (q *queue) Segments(*packet.Buf) bool { return q.port.info.Offloads&nic.TxSegment != 0 }

// Where TCP begins in what TCP makes, and where its checksum lies behind that, in bytes.
const (
	TCPStart4 = 14 + 20
	TCPStart6 = 14 + 40
	TCPSum    = 16
)

// TCP makes a frame of TCP over IPv4 or IPv6. The checksum of TCP covers the pseudo header only. The flags are ACK, PSH, FIN
// and CWR.
func TCP(v6 bool, payload []byte) []byte {
	be := binary.BigEndian
	f := []byte{2, 0, 0, 0x82, 0x59, 0x90, 2, 0, 0, 0, 0, 7, 8, 0}
	length := 20 + len(payload)
	var addresses []byte
	if v6 {
		copy(f[12:], []byte{0x86, 0xdd})
		ip := append([]byte{0x60, 0, 0, 0, byte(length >> 8), byte(length), 6, 64}, make([]byte, 32)...)
		copy(ip[8:], []byte{0xfd, 0, 1})
		copy(ip[24:], []byte{0xfd, 0, 2})
		f, addresses = append(f, ip...), ip[8:]
	} else {
		ip := []byte{0x45, 0, 0, 0, 0xff, 0xfe, 0x40, 0, 64, 6, 0, 0, 198, 18, 0, 1, 198, 19, 0, 1}
		be.PutUint16(ip[2:], uint16(20+length))
		be.PutUint16(ip[10:], ^sum(ip, 0))
		f, addresses = append(f, ip...), ip[12:]
	}
	tcp := []byte{0, 80, 0x12, 0x34, 0xff, 0xff, 0xf0, 0, 0, 0, 0, 7, 5 << 4, 0x99, 1, 0, 0, 0, 0, 0}
	be.PutUint16(tcp[TCPSum:], sum(addresses, 6+length))
	return append(append(f, tcp...), payload...)
}

// Payload checks the segments that a frame of TCP was cut into: their length, checksums, order and flags, and returns
// what they carry.
func Payload(v6 bool, size int, segments [][]byte) (payload []byte, err error) {
	be := binary.BigEndian
	for i, f := range segments {
		start := TCPStart4
		if v6 {
			start = TCPStart6
		}
		if len(f) < start+20 {
			return nil, fmt.Errorf("segment %d has %d bytes", i, len(f))
		}
		ip, tcp, last := f[14:start], f[start:], i == len(segments)-1
		length, addresses := int(be.Uint16(ip[4:])), ip[8:]
		if !v6 {
			length, addresses = int(be.Uint16(ip[2:]))-20, ip[12:]
			if id := be.Uint16(ip[4:]); id != uint16(0xfffe+i) || sum(ip, 0) != 0xffff {
				return nil, fmt.Errorf("segment %d: IPv4 header % x", i, ip)
			}
		}
		flags := byte(0x10)
		if i == 0 {
			flags |= 0x80
		}
		if last {
			flags |= 0x09
		}
		switch {
		case length != len(tcp) || len(tcp)-20 > size || len(tcp)-20 < size && !last:
			return nil, fmt.Errorf("segment %d: %d bytes, IP says %d", i, len(tcp), length)
		case sum(tcp, int(sum(addresses, 6+length))) != 0xffff:
			return nil, fmt.Errorf("segment %d: wrong TCP checksum", i)
		case be.Uint32(tcp[4:]) != uint32(0xfffff000+len(payload)):
			return nil, fmt.Errorf("segment %d: sequence number %#x behind %d bytes", i, be.Uint32(tcp[4:]), len(payload))
		case tcp[13] != flags:
			return nil, fmt.Errorf("segment %d of %d: flags %#x", i, len(segments), tcp[13])
		}
		payload = append(payload, tcp[20:]...)
	}
	return payload, nil
}

// sum adds the 16-bit words of b to more (RFC 1071).
func sum(b []byte, more int) uint16 {
	for i, v := range b {
		more += int(v) << (8 - i%2*8)
	}
	for more > 0xffff {
		more = more>>16 + more&0xffff
	}
	return uint16(more)
}
