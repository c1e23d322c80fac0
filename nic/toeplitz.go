package nic

import (
	"encoding/binary"

	"glassnic/packet"
)

// Toeplitz computes by the CPU the hash that a Hasher's card computes. It is for ports whose Info has no RxHash. It
// changes nothing in itself, so any number of workers may share one.
type Toeplitz struct {
	protocols HashProtocols
	// parts is what each value of each byte of the input adds.
	parts [2*16 + 4][256]uint32
}

// NewToeplitz returns one for a key and what is to be hashed.
func NewToeplitz(key HashKey, protocols HashProtocols) *Toeplitz {
	t := &Toeplitz{protocols: protocols}
	window := binary.BigEndian.Uint64(key[:])
	for i := range t.parts {
		for bit := range 8 {
			for v := range 256 {
				if v>>(7-bit)&1 != 0 {
					t.parts[i][v] ^= uint32(window >> (32 - bit))
				}
			}
		}
		window <<= 8
		if i+8 < len(key) {
			window |= uint64(key[i+8])
		}
	}
	return t
}

// Fill gives frames that have none their hash (packet.HasHash). Those of other protocols stay without.
func (t *Toeplitz) Fill(batch []*packet.Buf) {
	for _, b := range batch {
		if b.Flags()&packet.HasHash == 0 {
			if h, ok := t.Hash(b.Bytes()); ok {
				b.SetHash(h)
			}
		}
	}
}

// Hash returns the hash of a frame, whose headers data has whole. It reports false for frames of protocols that are not
// hashed. One VLAN tag is passed over; fragments and packets with IPv6 extension headers are hashed by their addresses.
func (t *Toeplitz) Hash(data []byte) (hash uint32, ok bool) {
	const (
		vlan, v4, v6 = 0x8100, 0x0800, 0x86dd // EtherTypes
		tcp, udp     = 6, 17
	)
	at := 14
	if len(data) < at+20 {
		return 0, false
	}
	kind := binary.BigEndian.Uint16(data[12:])
	if kind == vlan {
		at, kind = 18, binary.BigEndian.Uint16(data[16:])
	}
	var addresses, ports []byte
	var protocol byte
	var plain HashProtocols
	switch ip := data[at:]; {
	case kind == v4 && len(ip) >= 20 && ip[0]>>4 == 4:
		plain, addresses = HashIPv4, ip[12:20]
		if header := int(ip[0]&15) * 4; header >= 20 && header < len(ip) && binary.BigEndian.Uint16(ip[6:])&0x3fff == 0 {
			protocol, ports = ip[9], ip[header:] // of a fragment there is no telling
		}
	case kind == v6 && len(ip) >= 40 && ip[0]>>4 == 6:
		plain, addresses = HashIPv6, ip[8:40]
		protocol, ports = ip[6], ip[40:]
	default:
		return 0, false
	}
	// HashTCP4 and HashUDP4 follow HashIPv4, and so with IPv6.
	switch full := plain; {
	case len(ports) < 4:
	case protocol == tcp && t.protocols&(full<<1) != 0, protocol == udp && t.protocols&(full<<2) != 0:
		return t.of(addresses, 0) ^ t.of(ports[:4], len(addresses)), true
	}
	if t.protocols&plain == 0 {
		return 0, false
	}
	return t.of(addresses, 0), true
}

// of is what bytes add that begin at a place of the input.
func (t *Toeplitz) of(b []byte, at int) (hash uint32) {
	for i, v := range b {
		hash ^= t.parts[at+i][v]
	}
	return hash
}
