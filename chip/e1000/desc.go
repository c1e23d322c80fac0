package e1000

// A descriptor is two little-endian 64-bit words. "Word 0" is at the lower address.
const (
	DescSize = 16 // bytes

	RingMultiple = 8       // descriptors: RDLEN and TDLEN are multiples of 128 bytes (8254x 13.4.27, 13.4.38)
	RingMin      = 64      // descriptors; the cards' own limit is RingMultiple
	RingMax      = 4096    // descriptors, as in Intel's drivers
	RingAlign    = 128     // bytes, of the base address (I210 8.10.4; 16 on the 8254x)
	BARSize      = 0x20000 // of BAR 0, bytes

	BufMin   = 1024  // bytes, of a receive buffer
	BufMax   = 16384 // bytes (8254x 13.4.22, RCTL.BSIZE with BSEX)
	TxBufMax = 16384 // bytes of one data descriptor; DTALEN has 16 bits or more
)

// Receive descriptor as posted, in each format: word 0 is the address of the packet buffer, and word 1, in which
// the card reports, is cleared (8254x 3.2.3, 82574 7.1, I210 7.1.4.2.1).

// What a receive descriptor reports in word 1. In the 8254x's format (8254x 3.2.3) the length is in bits 15:0, the
// packet checksum in 31:16, status in 39:32, errors in 47:40. In the extended format of the 82574 (82574 7.1)
// and the advanced one of the 82576 (I210 7.1.4.2.2) status and errors are in bits 31:0, the length in 47:32,
// the VLAN tag in 63:48. Rotated left by 32 bits the latter two have length and first status bits where the
// former has them.
const (
	RxLenMask uint64 = 0xFFFF
	RxDD      uint64 = 1 << 32 // descriptor done
	RxEOP     uint64 = 1 << 33 // last buffer of the packet

	RxTurn              = 32      // how far an extended or advanced word 1 is rotated left to look like this
	RxTurnLegacy        = 0       // the same for the 8254x's
	RxRXE        uint64 = 1 << 63 // MAC error: bit 31 of an extended or advanced word 1; only with RCTL.SBP, or by parity
	RxRXE8       uint64 = 1 << 47 // the same in the 8254x's format: bit 7 of the errors
)

// Transmit data descriptor, word 1: word 0 is the buffer address. The 8254x and 82574 (8254x 3.3.7, "TCP/IP data
// descriptor") and the 82576 (I210 7.2.2.3, advanced) differ in the type, and the latter wants the packet's
// length as well.
const (
	TxDTALENMask  uint64 = 0xFFFF  // bytes in this buffer
	TxDTYPData    uint64 = 1 << 20 // 8254x, 82574
	TxDTYPAdvData uint64 = 3 << 20 // 82576
	TxDCMDEOP     uint64 = 1 << 24 // last buffer of the packet
	TxDCMDIFCS    uint64 = 1 << 25 // append the CRC
	TxDCMDRS      uint64 = 1 << 27 // report status: set DD when done
	TxDCMDDEXT    uint64 = 1 << 29 // not the oldest format; always one
	TxDD          uint64 = 1 << 32 // descriptor done, written back
	TxPaylenShift        = 46      // bytes of the whole packet without CRC (I210 7.2.2.3.9); 82576 only

	TxMin = 17 // bytes of the shortest packet that a card pads by itself (I210 8.12.1, TCTL.PSP)
)
