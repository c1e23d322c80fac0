package ixgbe

import (
	"encoding/binary"

	"glassnic/nic"
	"glassnic/packet"
)

// Double VLAN (7.4.5): frames carry an outer tag, which the card passes over. It inserts, strips and filters by the tag
// behind it. The outer tag is always in the frame, both ways.

// outerType is the EtherType of an outer tag, a service tag (IEEE 802.1Q, 9.6).
const outerType = 0x88a8

// outer tells whether the port's frames carry an outer tag.
func (d *Device) outer() bool { return d.cfg.Offloads&nic.OuterVLAN != 0 }

// hasOuter tells whether a frame begins with an outer tag.
func hasOuter(b *packet.Buf) bool {
	data := b.Bytes()
	return len(data) >= ethernet+4 && binary.BigEndian.Uint16(data[12:]) == outerType
}

// header returns the bytes of the Ethernet header with its tags (7.2.3.2.3, MACLEN), and the EtherType at its end, of a first
// buffer of 18 bytes or more. Of a frame without an outer tag where there should be one it is 0: the card does nothing for what
// it holds.
func (q *txQueue) header(data []byte) (size int, kind uint16) {
	size, kind = ethernet, binary.BigEndian.Uint16(data[12:])
	if q.outer {
		if kind != outerType {
			return size, 0
		}
		size, kind = size+4, binary.BigEndian.Uint16(data[16:])
	}
	if kind == tagType && len(data) >= size+4 {
		size, kind = size+4, binary.BigEndian.Uint16(data[size+2:])
	}
	return size, kind
}
