package nic

import (
	"fmt"
	"strings"
)

// Offloads is a set of what cards do for the CPU.
type Offloads uint32

const (
	// RxChecksum: received frames say whether their checksums are right, by packet.IPChecksumGood and its like,
	// and what a virtual machine on the same host sent may come with packet.NeedsChecksum.
	RxChecksum Offloads = 1 << iota
	// TxChecksum: the card completes the checksum of frames with packet.NeedsChecksum. Ports without it do so by
	// the CPU; an application need not ask.
	TxChecksum
)

var offloadNames = []string{"rx-checksum", "tx-checksum"}

// String returns the names, such as "rx-checksum,tx-checksum", or "none".
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
