package ixgbe

// CTRL: device control (8.2.3.1.1).
const (
	CtrlGIODIS uint32 = 1 << 2  // PCIe master disable: no new DMA requests; STATUS.GIO drops when all are done
	CtrlLRST   uint32 = 1 << 3  // link reset: MAC, PCS and auto-negotiation
	CtrlRST    uint32 = 1 << 26 // device reset; clears itself
)

// STATUS: device status (8.2.3.1.2).
const (
	StatusLANIDShift        = 2
	StatusLANID      uint32 = 3 << StatusLANIDShift // PCI function of this port
	StatusLinkUp     uint32 = 1 << 7
	StatusNumVFs     uint32 = 0xFF << 10
	StatusIOV        uint32 = 1 << 18
	StatusGIO        uint32 = 1 << 19 // PCIe master enable status: requests are allowed or outstanding
)

// CTRL_EXT: extended device control (8.2.3.1.3).
const (
	CtrlExtPFRSTD  uint32 = 1 << 14 // PF reset done, tells the VFs
	CtrlExtNSDIS   uint32 = 1 << 16 // no-snoop disable
	CtrlExtRODIS   uint32 = 1 << 17 // relaxed ordering disable
	CtrlExtEXTVLAN uint32 = 1 << 26
	CtrlExtDRVLOAD uint32 = 1 << 28 // tells firmware that a driver is loaded
)

// LEDCTL: LED control, a byte per LED (8.2.3.1.6).
const (
	LEDs = 4

	LedModeMask  uint32 = 0xF    // MODE of LED 0
	LedGlobBlink uint32 = 1 << 5 // GLOBAL_BLINK_MODE, LED 0 only: 1 blinks every 83 ms instead of 200 ms
	LedIVRT      uint32 = 1 << 6 // inverts LED 0
	LedBLINK     uint32 = 1 << 7 // blinks LED 0

	LedModeLinkUp       uint32 = 0x0
	LedModeLink10G      uint32 = 0x1
	LedModeMACActivity  uint32 = 0x2
	LedModeFilterActive uint32 = 0x3
	LedModeLinkActivity uint32 = 0x4
	LedModeLink1G       uint32 = 0x5
	LedModeLink100M     uint32 = 0x6
	LedModeOn           uint32 = 0xE
	LedModeOff          uint32 = 0xF
)

// LedctlMODE places a LedMode value for LED n, n < LEDs.
func LedctlMODE(n int, mode uint32) uint32 { return mode << (8 * n) }

// LedctlMODEMask is the MODE field of LED n, n < LEDs.
func LedctlMODEMask(n int) uint32 { return LedModeMask << (8 * n) }

// LedctlIVRT is the invert bit of LED n, n < LEDs.
func LedctlIVRT(n int) uint32 { return LedIVRT << (8 * n) }

// LedctlBLINK is the blink bit of LED n, n < LEDs: bits 7, 15, 23 and 31.
func LedctlBLINK(n int) uint32 { return LedBLINK << (8 * n) }

// EEC: EEPROM/Flash control (8.2.3.2.1).
const (
	EecSK     uint32 = 1 << 0
	EecCS     uint32 = 1 << 1
	EecDI     uint32 = 1 << 2
	EecDO     uint32 = 1 << 3
	EecEEREQ  uint32 = 1 << 6
	EecEEGNT  uint32 = 1 << 7
	EecEEPRES uint32 = 1 << 8 // EEPROM present with a valid signature
	EecARD    uint32 = 1 << 9 // auto read by hardware done
)

// EERD: EEPROM read (8.2.3.2.2).
const (
	EerdSTART     uint32 = 1 << 0
	EerdDONE      uint32 = 1 << 1
	EerdADDRShift        = 2 // word address, 14 bits
	EerdDATAShift        = 16
)

// SWSM, FWSM, SW_FW_SYNC: semaphores between drivers and with firmware (8.2.3.4.14–16, 10.5.4).
const (
	SwsmSMBI    uint32 = 1 << 0 // set by a read that finds it clear
	SwsmSWESMBI uint32 = 1 << 1 // sticks only when firmware does not hold it

	FwsmMODE   uint32 = 7 << 1
	FwsmFWVAL  uint32 = 1 << 15
	FwsmERRIND uint32 = 0x3F << 19

	SwFwSyncSWEEP      uint32 = 1 << 0
	SwFwSyncSWPHY0     uint32 = 1 << 1
	SwFwSyncSWPHY1     uint32 = 1 << 2
	SwFwSyncSWMACCSR   uint32 = 1 << 3
	SwFwSyncSWFLASH    uint32 = 1 << 4
	SwFwSyncFWEEP      uint32 = 1 << 5
	SwFwSyncFWPHY0     uint32 = 1 << 6
	SwFwSyncFWPHY1     uint32 = 1 << 7
	SwFwSyncFWMACCSR   uint32 = 1 << 8
	SwFwSyncREGSMPX540 uint32 = 1 << 31 // X540 and X550: register semaphore
)

// GCR_EXT: PCIe control extended (8.2.3.4.17).
const (
	GcrExtVTMode       uint32 = 3 << 0
	GcrExtBuffersClear uint32 = 1 << 30 // clears PCIe buffers that a stuck master disable left behind
)

// EICR, EICS, EIMS, EIMC, EIAM: interrupt causes (8.2.3.5.1).
const (
	EicrRTxQ    uint32 = 0xFFFF // queue causes, as mapped by IVAR
	EicrFDIR    uint32 = 1 << 16
	EicrRXMISS  uint32 = 1 << 17
	EicrPCI     uint32 = 1 << 18
	EicrMAILBOX uint32 = 1 << 19
	EicrLSC     uint32 = 1 << 20 // link status change
	EicrLINKSEC uint32 = 1 << 21
	EicrMNG     uint32 = 1 << 22
	EicrGPISDP0 uint32 = 1 << 24
	EicrGPISDP1 uint32 = 1 << 25
	EicrGPISDP2 uint32 = 1 << 26
	EicrGPISDP3 uint32 = 1 << 27
	EicrECC     uint32 = 1 << 28
	EicrTIMER   uint32 = 1 << 30
	EicrOTHER   uint32 = 1 << 31

	EimcAll uint32 = 0x7FFFFFFF // every cause that EIMC can mask
)

// EITR: interrupt throttle (8.2.3.5.12).
const (
	EitrITRIntervalShift        = 3
	EitrITRInterval      uint32 = 0x1FF << EitrITRIntervalShift // units of 2 µs at 10 and 1 Gb/s, 20 µs at 100 Mb/s
	EitrLLIMod           uint32 = 1 << 15
	EitrCNTWDIS          uint32 = 1 << 31 // keep the counters on this write
)

// IVAR: a byte per cause; IVAR(n) holds Rx 2n, Tx 2n, Rx 2n+1, Tx 2n+1 (8.2.3.5.16).
const (
	IvarAlloc    uint32 = 0x3F
	IvarAllocVal uint32 = 1 << 7
)

// GPIE: general purpose interrupt enable (8.2.3.5.18).
const (
	GpieSDP0GPIEN       uint32 = 1 << 0
	GpieSDP1GPIEN       uint32 = 1 << 1
	GpieSDP2GPIEN       uint32 = 1 << 2
	GpieSDP3GPIEN       uint32 = 1 << 3
	GpieMultipleMSIX    uint32 = 1 << 4
	GpieOCD             uint32 = 1 << 5 // a read of EICR clears only the causes that EIMS enables
	GpieEIMEN           uint32 = 1 << 6
	GpieLLIntervalShift        = 7
	GpieRSCDelayShift          = 11
	GpieVTMode          uint32 = 3 << 14
	GpieEIAME           uint32 = 1 << 30
	GpiePBASupport      uint32 = 1 << 31
)

// FCRTL, FCRTH, FCCFG, MFLCN: flow control (8.2.3.3).
const (
	FcrtlXONE     uint32 = 1 << 31
	FcrthFCEN     uint32 = 1 << 31
	FccfgTFCE     uint32 = 3 << 3
	FccfgTFCELink uint32 = 1 << 3 // link flow control
	FccfgTFCEPrio uint32 = 2 << 3 // priority flow control
	MflcnPMCF     uint32 = 1 << 0
	MflcnDPF      uint32 = 1 << 1
	MflcnRPFCM    uint32 = 1 << 2
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
	RscctlRSCEN   uint32 = 1 << 0
	RscctlMAXDESC uint32 = 3 << 2
)

// RDRXCTL: receive DMA control (8.2.3.8.8).
const (
	RdrxctlCRCSTRIP         uint32 = 1 << 1 // must equal HLREG0.RXCRCSTRP
	RdrxctlDMAIDONE         uint32 = 1 << 3 // DMA initialisation done
	RdrxctlRSCFRSTSIZEShift        = 17
	RdrxctlRSCFRSTSIZE      uint32 = 0x1F << RdrxctlRSCFRSTSIZEShift // software writes 0 (4.6.7)
	RdrxctlRSCACKC          uint32 = 1 << 25                         // software writes 1 with RSC (4.6.7.2)
	RdrxctlFCOEWRFIX        uint32 = 1 << 26                         // software writes 1 with RSC (4.6.7.2)
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

// DTXMXSZRQ: DMA Tx map allow size requests (8.2.3.9.5).
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

// MTQC: multiple transmit queues command (8.2.3.7.16).
const (
	MtqcRTEna    uint32 = 1 << 0
	MtqcVTEna    uint32 = 1 << 1
	MtqcNumTCOrQ uint32 = 3 << 2
)

// RTTDCS: DCB transmit descriptor plane control (8.2.3.10.2).
const RttdcsARBDIS uint32 = 1 << 6 // set while MTQC and the Tx packet buffers change

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

// HLREG0: MAC core control 0 (8.2.3.22.8).
const (
	Hlreg0TXCRCEN      uint32 = 1 << 0
	Hlreg0RXCRCSTRP    uint32 = 1 << 1
	Hlreg0JUMBOEN      uint32 = 1 << 2
	Hlreg0TXPADEN      uint32 = 1 << 10
	Hlreg0LPBK         uint32 = 1 << 15
	Hlreg0MDCSPD       uint32 = 1 << 16
	Hlreg0CONTMDC      uint32 = 1 << 17
	Hlreg0RXLNGTHERREN uint32 = 1 << 27
	Hlreg0RXPADSTRIPEN uint32 = 1 << 28
)

// MSCA, MSRWD: MDIO (8.2.3.22.11–12).
const (
	MscaDEVADDShift        = 16
	MscaPHYADDShift        = 21
	MscaOPAddress   uint32 = 0 << 26
	MscaOPWrite     uint32 = 1 << 26
	MscaOPReadInc   uint32 = 2 << 26
	MscaOPRead      uint32 = 3 << 26
	MscaSTOld       uint32 = 1 << 28
	MscaMDICMD      uint32 = 1 << 30 // starts the command; clears itself when done
	MscaMDIINPROGEN uint32 = 1 << 31
	MsrwdReadShift         = 16
)

// MAXFRS: largest frame with CRC and without VLAN tag, where HLREG0.JUMBOEN is set (8.2.3.22.13).
const (
	MaxfrsMFSShift        = 16
	MaxfrsMFS      uint32 = 0xFFFF << MaxfrsMFSShift
)

// AUTOC: auto-negotiation control (8.2.3.22.19).
const (
	AutocFLU             uint32 = 1 << 0 // force link up
	Autoc10GPMDShift            = 7
	Autoc10GPMD          uint32 = 3 << Autoc10GPMDShift
	Autoc10GXAUI         uint32 = 0 << Autoc10GPMDShift
	Autoc10GKX4          uint32 = 1 << Autoc10GPMDShift
	Autoc10GCX4          uint32 = 2 << Autoc10GPMDShift
	Autoc1GPMD           uint32 = 1 << 9
	AutocRestartAN       uint32 = 1 << 12 // restarts the link; clears itself
	AutocLMSShift               = 13
	AutocLMS             uint32 = 7 << AutocLMSShift
	AutocLMS1G           uint32 = 0 << AutocLMSShift // 1 Gb/s without auto-negotiation
	AutocLMS10G          uint32 = 1 << AutocLMSShift // 10 Gb/s parallel (XAUI, KX4, CX4) without auto-negotiation
	AutocLMS1GAN         uint32 = 2 << AutocLMSShift // 1 Gb/s with clause 37
	AutocLMS10GSerial    uint32 = 3 << AutocLMSShift // 10 Gb/s SFI/KR without backplane auto-negotiation
	AutocLMSKX4KXKR      uint32 = 4 << AutocLMSShift
	AutocLMSSGMII        uint32 = 5 << AutocLMSShift
	AutocLMSKX4KXKR1GAN  uint32 = 6 << AutocLMSShift
	AutocLMSKX4KXKRSGMII uint32 = 7 << AutocLMSShift
	AutocKRSupport       uint32 = 1 << 16
	AutocKXSupport       uint32 = 1 << 30
	AutocKX4Support      uint32 = 1 << 31
)

// AUTOC2 (8.2.3.22.22).
const (
	Autoc2SerialPMDShift        = 16
	Autoc2SerialPMD      uint32 = 3 << Autoc2SerialPMDShift
	Autoc2SerialKR       uint32 = 0 << Autoc2SerialPMDShift
	Autoc2SerialXFI      uint32 = 1 << Autoc2SerialPMDShift
	Autoc2SerialSFI      uint32 = 2 << Autoc2SerialPMDShift
)

// LINKS: link status (8.2.3.22.20).
const (
	LinksUP        uint32 = 1 << 30
	LinksSPEED     uint32 = 3 << 28
	LinksSPEED100M uint32 = 1 << 28
	LinksSPEED1G   uint32 = 2 << 28
	LinksSPEED10G  uint32 = 3 << 28
	LinksKXANCOMP  uint32 = 1 << 31

	// X550 and later: with LinksNonStd set, SPEED10G means 2.5 Gb/s and SPEED100M means 5 Gb/s.
	LinksNonStd uint32 = 1 << 27
)

// MACC: MAC control.
const (
	MaccFLU    uint32 = 1 << 0
	MaccFSV10G uint32 = 3 << 16
	MaccFS     uint32 = 1 << 18
)
