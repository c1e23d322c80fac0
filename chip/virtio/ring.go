package virtio

// DescSize is the size in bytes of a descriptor, two 64-bit words: the buffer's address, and its length in bits 0–31
// of the second. A split ring's has flags in bits 32–47 and the next descriptor in 48–63 (2.7.5), a packed ring's
// the buffer's ID in 32–47 and flags in 48–63 (2.8.13).
const DescSize = 16

// Flags of descriptors (2.7.5, 2.8.1).
const (
	DescNext     uint16 = 1 << 0  // the buffer goes on in another descriptor
	DescWrite    uint16 = 1 << 1  // the device writes
	DescIndirect uint16 = 1 << 2  // a table of descriptors (2.7.5.3, 2.8.7)
	DescAvail    uint16 = 1 << 7  // packed: equals the driver's wrap counter when the descriptor is available
	DescUsed     uint16 = 1 << 15 // packed: equals AVAIL when it is used, differs when it is available
)

// Shifts of the second word.
const (
	SplitFlagsShift  = 32
	SplitNextShift   = 48
	PackedIDShift    = 32
	PackedFlagsShift = 48
)

// The available ring of n descriptors: flags and index of 16 bits each, n of 16 bits, and one of 16 bits for the
// event index (2.7.6). The used ring: flags and index, n elements of 64 bits, ID in bits 0–31 and length in 32–63,
// and the event index (2.7.8).
const (
	AvailNoInterrupt uint16 = 1 // flag of the available ring (2.7.7)
	UsedNoNotify     uint16 = 1 // flag of the used ring (2.7.10)
)

// AvailSize and UsedSize are the sizes in bytes of the two rings.
func AvailSize(n int) int { return 6 + 2*n }

// UsedSize is the size in bytes of a used ring.
func UsedSize(n int) int { return 6 + 8*n }

// A packed ring's event suppression structure is a word of 32 bits: in bits 0–14 the descriptor and in bit 15 the
// wrap counter from which on notifications are wanted, in bits 16–17 the flags (2.8.14).
const (
	EventSize              = 4 // bytes
	EventFlagsShift        = 16
	EventEnable     uint32 = 0 << EventFlagsShift
	EventDisable    uint32 = 1 << EventFlagsShift
	EventDesc       uint32 = 2 << EventFlagsShift // with F_EVENT_IDX
	EventMask       uint32 = 3 << EventFlagsShift
	EventWrap       uint32 = 1 << 15
)
