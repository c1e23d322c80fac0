package ixgbe

// FCRTL, FCRTH, FCCFG, MFLCN: flow control (8.2.3.3).
const (
	FcrtlXONE     uint32 = 1 << 31
	FcrthFCEN     uint32 = 1 << 31
	FccfgTFCE     uint32 = 3 << 3
	FccfgTFCELink uint32 = 1 << 3 // link flow control
	FccfgTFCEPrio uint32 = 2 << 3 // priority flow control
	MflcnPMCF     uint32 = 1 << 0
	MflcnDPF      uint32 = 1 << 1
	MflcnRPFCE    uint32 = 1 << 2
	MflcnRFCE     uint32 = 1 << 3
)

// FCTRL: filter control (8.2.3.7.1).
const (
	FctrlSBP uint32 = 1 << 1  // store bad packets
	FctrlMPE uint32 = 1 << 8  // multicast promiscuous
	FctrlUPE uint32 = 1 << 9  // unicast promiscuous
	FctrlBAM uint32 = 1 << 10 // accept broadcast
)

// VLNCTRL: VLAN control (8.2.3.7.2).
const (
	VlnctrlVET   uint32 = 0xFFFF
	VlnctrlCFI   uint32 = 1 << 28
	VlnctrlCFIEN uint32 = 1 << 29
	VlnctrlVFE   uint32 = 1 << 30 // VLAN filter enable
)

// MCSTCTRL: multicast control (8.2.3.7.3).
const (
	McstctrlMO  uint32 = 3 << 0 // which 12 bits of the address index MTA: 47:36, 46:35, 45:34, 43:32
	McstctrlMFE uint32 = 1 << 2 // use MTA
)

// RXCSUM: receive checksum control (8.2.3.7.5).
const (
	RxcsumIPPCSE uint32 = 1 << 12
	RxcsumPCSD   uint32 = 1 << 13 // write back the RSS hash instead of the fragment checksum
)

// RFCTL: receive filter control (8.2.3.7.6).
const (
	RfctlRSCDIS  uint32 = 1 << 5
	RfctlNFSWDIS uint32 = 1 << 6
	RfctlNFSRDIS uint32 = 1 << 7
)

// RAH: receive address high (8.2.3.7.9).
const (
	RahRAH uint32 = 0xFFFF  // bytes 4 and 5 of the address
	RahAV  uint32 = 1 << 31 // address valid
)

// MRQC: multiple receive queues command (8.2.3.7.12).
const (
	MrqcMRQE    uint32 = 0xF
	MrqcRSS     uint32 = 0x1
	MrqcTCPIPv4 uint32 = 1 << 16
	MrqcIPv4    uint32 = 1 << 17
	MrqcIPv6    uint32 = 1 << 20
	MrqcTCPIPv6 uint32 = 1 << 21
	MrqcUDPIPv4 uint32 = 1 << 22
	MrqcUDPIPv6 uint32 = 1 << 23
)

// RXDCTL: receive descriptor control (8.2.3.8.6).
const (
	RxdctlENABLE uint32 = 1 << 25 // reads back as one when the queue runs
	RxdctlVME    uint32 = 1 << 30 // strip the VLAN tag
)

// SRRCTL: split receive control (8.2.3.8.7).
const (
	SrrctlBSIZEPACKET            uint32 = 0x1F // packet buffer size in units of 1 KiB, 1 to 16
	SrrctlBSIZEPACKETUnit               = 1024
	SrrctlBSIZEHEADERShift              = 8
	SrrctlBSIZEHEADER            uint32 = 0x3F << SrrctlBSIZEHEADERShift // header buffer size in units of 64 bytes, 1 to 16
	SrrctlRDMTSShift                    = 22
	SrrctlRDMTS                  uint32 = 7 << SrrctlRDMTSShift
	SrrctlDESCTYPE               uint32 = 7 << 25
	SrrctlDESCTYPELegacy         uint32 = 0 << 25
	SrrctlDESCTYPEAdvOneBuf      uint32 = 1 << 25
	SrrctlDESCTYPEAdvSplit       uint32 = 2 << 25
	SrrctlDESCTYPEAdvSplitAlways uint32 = 5 << 25
	SrrctlDropEN                 uint32 = 1 << 28 // drop instead of holding the packet buffer when no descriptor is free
)

// DCA_RXCTRL: Rx DCA control (8.2.3.11.1).
const (
	DcaRxctrlDescDCAEN   uint32 = 1 << 5
	DcaRxctrlHeadDCAEN   uint32 = 1 << 6
	DcaRxctrlDataDCAEN   uint32 = 1 << 7
	DcaRxctrlDescReadRO  uint32 = 1 << 9
	DcaRxctrlDescWriteRO uint32 = 1 << 11
	DcaRxctrlReserved12  uint32 = 1 << 12 // set after reset; software clears it (4.6.7)
	DcaRxctrlDataWriteRO uint32 = 1 << 13
	DcaRxctrlHeadWriteRO uint32 = 1 << 15
	DcaRxctrlCPUIDShift         = 24
)

// DCA_TXCTRL: Tx DCA control (8.2.3.11.2).
const (
	DcaTxctrlDescDCAEN   uint32 = 1 << 5
	DcaTxctrlDescReadRO  uint32 = 1 << 9
	DcaTxctrlDescWriteRO uint32 = 1 << 11
	DcaTxctrlDataReadRO  uint32 = 1 << 13
	DcaTxctrlCPUIDShift         = 24
)

// RSCCTL: receive side coalescing control (8.2.3.8.13).
const (
	RscctlRSCEN        uint32 = 1 << 0
	RscctlMAXDESCShift        = 2
	RscctlMAXDESC      uint32 = 3 << RscctlMAXDESCShift // descriptors of a large frame at most: 1, 4, 8, 16
	RscctlMAXDESC1     uint32 = 0 << RscctlMAXDESCShift
	RscctlMAXDESC4     uint32 = 1 << RscctlMAXDESCShift
	RscctlMAXDESC8     uint32 = 2 << RscctlMAXDESCShift
	RscctlMAXDESC16    uint32 = 3 << RscctlMAXDESCShift
)

// PSRTYPE: packet split receive type (8.2.3.7.4).
const PsrtypePSRTYPE4 uint32 = 1 << 4 // TCP headers are told apart, which receive side coalescing needs (4.6.7.2)

// RDRXCTL: receive DMA control (8.2.3.8.8).
const (
	RdrxctlCRCSTRIP         uint32 = 1 << 1 // must equal HLREG0.RXCRCSTRP
	RdrxctlDMAIDONE         uint32 = 1 << 3 // DMA initialisation done
	RdrxctlRSCFRSTSIZEShift        = 17
	RdrxctlRSCFRSTSIZE      uint32 = 0x1F << RdrxctlRSCFRSTSIZEShift // software writes 0 (4.6.7)
	RdrxctlRSCACKC          uint32 = 1 << 25                         // software writes 1 (8.2.3.8.8)
	RdrxctlFCOEWRFIX        uint32 = 1 << 26                         // software writes 1 (8.2.3.8.8)
)

// RXPBSIZE, TXPBSIZE, TXPBTHRESH: packet buffers (8.2.3.8.9, 8.2.3.9.13, 8.2.3.9.16).
const (
	RxpbsizeSIZEShift        = 10
	RxpbsizeSIZE      uint32 = 0x3FF << RxpbsizeSIZEShift // KiB
	RxpbsizeMax       uint32 = 512 << RxpbsizeSIZEShift
	TxpbsizeSIZEShift        = 10
	TxpbsizeSIZE      uint32 = 0x3FF << TxpbsizeSIZEShift // KiB
	TxpbsizeMax       uint32 = 160 << TxpbsizeSIZEShift
	TxpbthreshMax     uint32 = 0xA0 // KiB, with one packet buffer
	PacketBuffers            = 8
)

// RXCTRL: receive control (8.2.3.8.10).
const RxctrlRXEN uint32 = 1 << 0

// DMATXCTL: DMA Tx control (8.2.3.9.2).
const (
	DmatxctlTE      uint32 = 1 << 0
	DmatxctlGDV     uint32 = 1 << 3
	DmatxctlVTShift        = 16
)

// DTXMXSZRQ: DMA Tx TCP max allow size requests (8.2.3.9.1).
const (
	DtxmxszrqMAXBYTES    uint32 = 0xFFF // in units of 256 bytes
	DtxmxszrqMAXBYTESMax uint32 = 0xFFF // with DCB and VT off (4.6.11.3.4)
)

// TXDCTL: transmit descriptor control (8.2.3.9.10).
const (
	TxdctlPTHRESHShift        = 0
	TxdctlHTHRESHShift        = 8
	TxdctlWTHRESHShift        = 16
	TxdctlPTHRESH      uint32 = 0x7F << TxdctlPTHRESHShift
	TxdctlHTHRESH      uint32 = 0x7F << TxdctlHTHRESHShift
	TxdctlWTHRESH      uint32 = 0x7F << TxdctlWTHRESHShift
	TxdctlENABLE       uint32 = 1 << 25 // reads back as one when the queue runs
	TxdctlSWFLSH       uint32 = 1 << 26
)

// TDWBAL: head write-back (8.2.3.9.11).
const TdwbalHeadWBEn uint32 = 1 << 0

// MTQC: multiple transmit queues command (8.2.3.9.15).
const (
	MtqcRTEna    uint32 = 1 << 0
	MtqcVTEna    uint32 = 1 << 1
	MtqcNumTCOrQ uint32 = 3 << 2
)

// RTTDCS: DCB transmit descriptor plane control (8.2.3.10.2).
const RttdcsARBDIS uint32 = 1 << 6 // set while MTQC and the Tx packet buffers change

// RTTDQSEL, RTTBCNRC, RTTBCNRM: the transmit rate scheduler (7.7.2.2, 8.2.3.10.13, 8.2.3.10.16).
const (
	RttdqselTXDQ uint32 = 0x7F // queue whose RTTBCNRC is to be seen

	// The rate factor is the link's rate over that of the queue, with 14 bits of fraction.
	RttbcnrcRFFraction        = 14
	RttbcnrcRF         uint32 = 0xFFFFFF // RF_INT and RF_DEC
	RttbcnrcRSENA      uint32 = 1 << 31

	// How much of the time that a queue has missed it may catch up with, in KiB of what it sends.
	RttbcnrmMMWSIZE  uint32 = 0x7FF
	RttbcnrmStandard uint32 = 0x4  // as drivers set it for frames of up to 1518 bytes
	RttbcnrmJumbo    uint32 = 0x14 // and for longer ones
)

// SECTXCTRL, SECRXCTRL and their status (8.2.3.12).
const (
	SectxctrlSECTXDIS uint32 = 1 << 0
	SectxctrlTXDIS    uint32 = 1 << 1
	SectxctrlSTOREFWD uint32 = 1 << 2
	SectxstatRDY      uint32 = 1 << 0
	SecrxctrlSECRXDIS uint32 = 1 << 0
	SecrxctrlRXDIS    uint32 = 1 << 1
	SecrxstatRDY      uint32 = 1 << 0
)
