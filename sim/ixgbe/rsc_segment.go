package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// tcpSegment is what receive side coalescing wants to know of a frame of TCP over IPv4 (7.11.1, 7.11.2).
type tcpSegment struct {
	flow            uint64 // addresses
	ports           uint32
	l3, l4, payload int // offsets
	end             int // of the IP packet
	sequence, ack   uint32
	stamp           uint32 // TSval, 0 without
	push            bool
}

const (
	tcpFlags = 13 // offset in the header of TCP (RFC 9293, 3.1)
	tcpPSH   = 1 << 3
	tcpACK   = 1 << 4

	// stampOption is the beginning of the only options that there may be, behind two for padding (RFC 7323, appendix A).
	stampOption = 0x0101080A
	stampLength = 12 // bytes

	rscHeaders = 18 + 20 + 20 + stampLength
)

// parse reports whether a frame is a whole packet of TCP over IPv4, and so of a flow.
func (s *tcpSegment) parse(data []byte) bool {
	if len(data) < minFrame-4 { // a stripped tag may be missing
		return false
	}
	be := binary.BigEndian
	at := 14
	kind := be.Uint16(data[12:])
	if kind == etherVLAN {
		at, kind = 18, be.Uint16(data[16:])
	}
	if kind != etherIPv4 {
		return false
	}
	var h headers
	h.parseIPv4(data, at)
	if h.types&chip.RxPktTCP == 0 {
		return false
	}
	ip, tcp := data[h.l3:], data[h.l4:]
	*s = tcpSegment{
		flow: be.Uint64(ip[12:]), ports: be.Uint32(tcp), l3: h.l3, l4: h.l4, end: h.end,
		sequence: be.Uint32(tcp[4:]), ack: be.Uint32(tcp[8:]), push: tcp[tcpFlags]&tcpPSH != 0,
		payload: h.l4 + int(tcp[12]>>4)*4,
	}
	return true
}

// plain tells whether a segment may be coalesced at all, of which the write-back says w1 (7.11.1).
func (s *tcpSegment) plain(data []byte, w1 uint64) bool {
	const (
		errors     = chip.RxRXE | chip.RxIPE | chip.RxL4E
		congestion = 3 // RFC 3168, section 5
	)
	tcp := data[s.l4:]
	if w1&errors != 0 || w1&chip.RxL4I == 0 || s.l4-s.l3 != 20 || s.end != len(data) || s.payload >= s.end ||
		data[s.l3+1]&congestion == congestion || tcp[12]&0xF != 0 || tcp[tcpFlags]&^tcpPSH != tcpACK {
		return false
	}
	switch s.payload - s.l4 {
	case 20:
		return true
	case 20 + stampLength:
		s.stamp = binary.BigEndian.Uint32(tcp[24:])
		return binary.BigEndian.Uint32(tcp[20:]) == stampOption
	}
	return false
}
