package ixgbe

// Facts are the sizes in which the models differ.
type Facts struct {
	RxBufferKiB int   // of all Rx packet buffers together; RXPBSIZE[0] without DCB
	TxBufferKiB int   // of all Tx packet buffers together
	RSSQueues   int   // queues that RETA can name
	RETAEntries int   // RETA, and ERETA where there is one
	Speeds      []int // that LINKS can report, Mb/s
}

// Facts returns the sizes of a model (datasheets of the 82599, X540 and X550, section 1.3).
func (m Model) Facts() Facts {
	switch m {
	case MX540:
		return Facts{384, 160, 16, 128, []int{100, 1000, 10000}}
	case MX550, MX550EMx:
		return Facts{384, 160, 64, 512, []int{100, 1000, 2500, 5000, 10000}}
	case MX550EMa:
		return Facts{384, 160, 64, 512, []int{10, 100, 1000, 2500, 5000, 10000}}
	}
	return Facts{512, 160, 16, 128, []int{100, 1000, 10000}}
}

// What differs in registers that all models have.
const (
	// LINKS of the X550 and later: LinksNonStd with LinksSPEED10G is 2.5 Gb/s, and with
	// LinksSPEED100M 5 Gb/s. LinksSPEED10M exists on the X553 only.
	LinksNonStd   uint32 = 1 << 27
	LinksSPEED10M uint32 = 0 << 28

	// EICR of the X540 and later: the SDP causes are one bit higher.
	EicrTSX540      uint32 = 1 << 23 // thermal sensor
	EicrTIMESYNC    uint32 = 1 << 24
	EicrGPISDP0X540 uint32 = 1 << 25
	EicrGPISDP1X540 uint32 = 1 << 26
	EicrGPISDP2X540 uint32 = 1 << 27

	// GPIE of the X540 and later, likewise.
	GpieSDP0X540 uint32 = 1 << 1
	GpieSDP1X540 uint32 = 1 << 2
	GpieSDP2X540 uint32 = 1 << 3

	// SW_FW_SYNC of the X540 and later takes the place of SWSM.SWESMBI.
	SwFwSyncREGSMP uint32 = 1 << 31

	// RXDCTL of the X540 and later: drop frames that are longer than RLPML.
	RxdctlRLPML   uint32 = 0x3FFF
	RxdctlRLPMLEN uint32 = 1 << 15

	// MACC of the X540 and later.
	MaccFLU    uint32 = 1 << 0
	MaccFSV10G uint32 = 3 << 16
	MaccFS     uint32 = 1 << 18
)

// Counters of the X540's PCS, read by MDIO at device MdioPCS, not in BAR0.
const (
	MdioPMAPMD = 1
	MdioPCS    = 3
	MdioPHYXS  = 4
	MdioAN     = 7

	MdioPCRC8ECL = 0xE810 // CRC-8 errors, low 16 bits
	MdioPCRC8ECH = 0xE811 // CRC-8 errors, high 5 bits
	MdioLDPCECL  = 0xE820 // uncorrected LDPC errors, low 16 bits
	MdioLDPCECH  = 0xE821 // uncorrected LDPC errors, high bits
)
