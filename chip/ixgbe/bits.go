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

// ESDP: software-definable pins (8.2.3.1.4).
const EsdpSDP2 uint32 = 1 << 2 // on cards with a cage, high while a module is in it (practice of Linux's driver)

// I2CCTL: the two lines of the bus to the SFP+ module (8.2.3.1.5).
const (
	I2cctlClkIn   uint32 = 1 << 0 // SCL as seen
	I2cctlClk     uint32 = 1 << 1 // drives SCL; 0 pulls it down
	I2cctlDataIn  uint32 = 1 << 2 // SDA as seen
	I2cctlDataOut uint32 = 1 << 3 // drives SDA; 0 pulls it down
)

// EXVET: EtherType of the outer VLAN tag (8.2.3.1.7).
const (
	ExvetVETEXTShift        = 16
	ExvetVETEXT      uint32 = 0xFFFF << ExvetVETEXTShift
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

// EEMNGCTL: manageability EEPROM control (8.2.3.2.4).
const (
	EemngctlCFGDONE0 uint32 = 1 << 18 // configuration of port 0 done; a shift by the port gives its bit
	EemngctlCFGDONE1 uint32 = 1 << 19
)

// SWSM, FWSM, SW_FW_SYNC: semaphores between drivers and with firmware (8.2.3.4.9–11, 10.5.4).
const (
	SwsmSMBI    uint32 = 1 << 0 // set by a read that finds it clear
	SwsmSWESMBI uint32 = 1 << 1 // sticks only when firmware does not hold it

	FwsmMODE   uint32 = 7 << 1
	FwsmFWVAL  uint32 = 1 << 15
	FwsmERRIND uint32 = 0x3F << 19

	SwFwSyncSWEEP    uint32 = 1 << 0
	SwFwSyncSWPHY0   uint32 = 1 << 1
	SwFwSyncSWPHY1   uint32 = 1 << 2
	SwFwSyncSWMACCSR uint32 = 1 << 3
	SwFwSyncSWFLASH  uint32 = 1 << 4
	SwFwSyncFWEEP    uint32 = 1 << 5
	SwFwSyncFWPHY0   uint32 = 1 << 6
	SwFwSyncFWPHY1   uint32 = 1 << 7
	SwFwSyncFWMACCSR uint32 = 1 << 8
	SwFwSyncFWFLASH  uint32 = 1 << 9
)

// GCR_EXT: PCIe control extended (8.2.3.4.12).
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
	GpieOCD             uint32 = 1 << 5 // a read of EICR clears only bits 16 to 29
	GpieEIMEN           uint32 = 1 << 6
	GpieLLIntervalShift        = 7
	GpieRSCDelayShift          = 11
	GpieRSCDelay        uint32 = 7 << GpieRSCDelayShift // units of 4 µs, less one
	GpieVTMode          uint32 = 3 << 14
	GpieEIAME           uint32 = 1 << 30
	GpiePBASupport      uint32 = 1 << 31
)
