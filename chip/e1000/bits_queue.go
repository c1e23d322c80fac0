package e1000

// RCTL: receive control (8254x 13.4.22, 82574 10.2.5, 82576 8.10.1).
const (
	RctlEN    uint32 = 1 << 1
	RctlSBP   uint32 = 1 << 2 // store bad packets
	RctlUPE   uint32 = 1 << 3 // unicast promiscuous
	RctlMPE   uint32 = 1 << 4 // multicast promiscuous
	RctlLPE   uint32 = 1 << 5 // packets beyond 1522 bytes
	RctlMO    uint32 = 3 << 12
	RctlBAM   uint32 = 1 << 15 // accept broadcasts
	RctlVFE   uint32 = 1 << 18 // VLAN filter
	RctlBSEX  uint32 = 1 << 25 // buffer sizes are 16 times larger; 8254x, 82574
	RctlSECRC uint32 = 1 << 26 // strip the CRC

	RctlBSIZEShift        = 16
	RctlBSIZE      uint32 = 3 << RctlBSIZEShift // 2048, 1024, 512 or 256 bytes; with BSEX 16 times as many
)

// RctlBuffer returns the bits of RCTL for receive buffers of a size in bytes: 1, 2, 4, 8 or 16 KiB.
func RctlBuffer(size int) uint32 {
	switch size {
	case 16384:
		return RctlBSEX | 1<<RctlBSIZEShift
	case 8192:
		return RctlBSEX | 2<<RctlBSIZEShift
	case 4096:
		return RctlBSEX | 3<<RctlBSIZEShift
	case 1024:
		return 1 << RctlBSIZEShift
	}
	return 0 // 2048
}

// RFCTL: receive filter control (82574 10.2.5).
const (
	RfctlACKDIS uint32 = 1 << 12 // no interrupts for TCP acknowledgements
	RfctlEXSTEN uint32 = 1 << 15 // extended receive descriptors
)

// RXCSUM: receive checksums (82574 10.2.5, 82576 8.10).
const (
	RxcsumIPOFLD uint32 = 1 << 8
	RxcsumTUOFLD uint32 = 1 << 9
	RxcsumPCSD   uint32 = 1 << 13 // the hash instead of the packet checksum
)

// RAH: receive address high (8254x 13.5.3).
const RahAV uint32 = 1 << 31

// SRRCTL: receive buffers of a queue (82576 8.10.2).
const (
	SrrctlBSIZEPACKET       uint32 = 0x7F // in units of 1 KiB
	SrrctlBSIZEPACKETUnit          = 1024
	SrrctlDESCTYPEAdvOneBuf uint32 = 1 << 25
	SrrctlDropEN            uint32 = 1 << 31 // a full ring drops
)

// RXDCTL and TXDCTL: thresholds of a queue's descriptors (8254x 13.4, 82574 10.2.5, I210 8.12.15).
const (
	DctlPTHRESHShift        = 0
	DctlHTHRESHShift        = 8
	DctlWTHRESHShift        = 16
	DctlMax                 = 31      // of each, on the 82576; others have a bit more
	TxdctlCOUNT      uint32 = 1 << 22 // 82574: has to be set
	DctlGRAN         uint32 = 1 << 24 // 8254x, 82574: thresholds count descriptors, not cache lines
	DctlENABLE       uint32 = 1 << 25 // 82576: the queue is on
)

// MRQC: receive side scaling (82574 10.2.5, 82576 8.10).
const (
	MrqcRSS      uint32 = 2 // 82576; 1 on the 82574
	MrqcTCPIPv4  uint32 = 1 << 16
	MrqcIPv4     uint32 = 1 << 17
	MrqcIPv6     uint32 = 1 << 20
	MrqcTCPIPv6  uint32 = 1 << 21
	MrqcUDPIPv4  uint32 = 1 << 22
	MrqcUDPIPv6  uint32 = 1 << 23
	RETAEntries         = 128 // of a byte each, four to a register
	RSSKeyLength        = 40  // bytes
)

// TCTL: transmit control (8254x 13.4.33, 82574 10.2.6, I210 8.12.1).
const (
	TctlEN        uint32 = 1 << 1
	TctlPSP       uint32 = 1 << 3 // pad short packets
	TctlCTShift          = 4
	TctlCT        uint32 = 0xFF << TctlCTShift // collisions before a packet is given up
	TctlCOLDShift        = 12
	TctlCOLD      uint32 = 0x3FF << TctlCOLDShift // collision distance in bytes
	TctlRTLC      uint32 = 1 << 24                // send again after a late collision

	TctlCT16   = 15 << TctlCTShift   // 16 attempts, as IEEE 802.3 has it (I210 8.12.1)
	TctlCOLD64 = 63 << TctlCOLDShift // as Intel's drivers have it; full duplex has no collisions
)

// TIPG: inter-packet gap for copper (8254x 13.4.34, 82574 10.2.6). The 82576 comes with good values.
const TipgCopper uint32 = 8 | 8<<10 | 6<<20

// TARC: transmit arbitration of a queue of the 82574 (82574 10.2.6).
const TarcENABLE uint32 = 1 << 10

// What the 82574's errata ask for. The datasheet calls these bits reserved; Intel's Linux driver sets and clears
// them at every start.
const (
	ErrataTarcSet      uint32 = 1 << 26
	ErrataTarcClear    uint32 = 0xF << 27
	ErrataCtrlClear    uint32 = 1 << 29
	ErrataCtrlExtSet   uint32 = 1 << 22
	ErrataCtrlExtClear uint32 = 1 << 23
	ErrataGcrSet       uint32 = 1 << 22
	ErrataGcr2Set      uint32 = 1 << 0
)
