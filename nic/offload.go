package nic

import (
	"fmt"
	"strings"
)

// Offloads is a set of what cards do for the CPU.
type Offloads uint32

const (
	// RxChecksum: received frames say whether their checksums are right, by packet.IPChecksumGood and its like.
	RxChecksum Offloads = 1 << iota
	// RxPartial: what another machine on the same host sent may come as it was made, with packet.NeedsChecksum. It
	// is for applications that pass frames on.
	RxPartial
	// TxChecksum: the card completes the checksum of frames with packet.NeedsChecksum. Ports without it do so by
	// the CPU; an application need not ask.
	TxChecksum
	// RxHash: received frames come with the hash that spreads them over queues (packet.HasHash).
	RxHash
	// RxVLAN: the card takes VLAN tags out of received frames (packet.HasVLAN).
	RxVLAN
	// TxVLAN: the card puts the tags of frames with packet.HasVLAN in. Ports without it do so by the CPU.
	TxVLAN
	// RxSegment: the port may receive large frames (packet.NeedsSegment), longer than its MTU: what another machine on
	// the same host has not cut, or what was put together. It is for applications that send through a Cutter.
	RxSegment
	// TxSegment: the port sends large frames as they are, those of which its queues say so (Segmenter), for the card cuts
	// them, or whoever receives them does. A Cutter cuts the others.
	TxSegment
	// Timestamps: the card's clock runs, and stamps messages of PTP that arrive (packet.HasTimestamp) and frames with
	// packet.NeedsTimestamp that leave; see Timestamper and ClockOf. Ports that are no Timestampers have the kernel stamp
	// all that arrives, with the system's time.
	Timestamps
	// OuterVLAN: frames carry a service tag (EtherType 0x88a8, IEEE 802.1ad), which the card passes over. RxVLAN, TxVLAN,
	// RxChecksum, RxHash, Config.VLANs and rules (Filterer) are then of what is behind it: the tag that is taken out, put in and
	// filtered by is the inner one, and the outer one stays in the frame. A frame without an outer tag comes as it is, and no
	// filter of VLANs holds it up. Ports without it have both tags in their frames, and are not opened with Config.VLANs,
	// for theirs would be the outer ones. Tags of frames that are sent go behind a service tag at every port.
	OuterVLAN
)

var offloadNames = []string{"rx-checksum", "rx-partial", "tx-checksum", "rx-hash", "rx-vlan", "tx-vlan", "rx-segment", "tx-segment", "timestamps", "outer-vlan"}

// String returns the names, such as "rx-partial,tx-checksum", or "none".
func (o Offloads) String() string {
	var s []string
	for i, name := range offloadNames {
		if o&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ",")
}

// CheckVLANs refuses identifiers that no frame can have: they have 12 bits, and the highest is reserved (IEEE 802.1Q,
// 9.6).
func CheckVLANs(ids []uint16) error {
	for _, id := range ids {
		if id > 4094 {
			return fmt.Errorf("VLAN %d: want 0 to 4094", id)
		}
	}
	return nil
}
