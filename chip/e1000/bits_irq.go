package e1000

// ICR, ICS, IMS, IMC: interrupt causes (8254x 13.4.17, 82574 10.2.4).
const (
	IcrTXDW  uint32 = 1 << 0
	IcrTXQE  uint32 = 1 << 1
	IcrLSC   uint32 = 1 << 2 // link status change
	IcrRXDMT uint32 = 1 << 4
	IcrRXO   uint32 = 1 << 6  // overrun
	IcrRXT   uint32 = 1 << 7  // a packet was received: RXT0, on the 82576 RXDW
	IcrRXQ0  uint32 = 1 << 20 // 82574 with MSI-X
	IcrRXQ1  uint32 = 1 << 21
	IcrTXQ0  uint32 = 1 << 22
	IcrTXQ1  uint32 = 1 << 23
	IcrOTHER uint32 = 1 << 24
	IcrINTA  uint32 = 1 << 31

	ImcAll uint32 = 0xFFFFFFFF
)

// IVAR of the 82574: 4 bits for a cause, receive queue 0 first (82574 10.2.4).
const (
	Ivar4Valid uint32 = 1 << 3
	Ivar4Rx0          = 0 // shift
	Ivar4Rx1          = 4 // shift
	Ivar4Mask  uint32 = 0xF
)

// IVAR of the 82576: 8 bits for a cause (I210 8.8.15).
const (
	IvarMask  uint32 = 0xFF
	IvarValid uint32 = 1 << 7
)

// GPIE: how interrupts work (I210 8.8.17).
const (
	GpieNSICR uint32 = 1 << 0  // every read of ICR clears it
	GpieMSIX  uint32 = 1 << 4  // EICR has a bit for each vector of MSI-X
	GpieEIAME uint32 = 1 << 30 // a message masks what EIAM says
	GpiePBA   uint32 = 1 << 31
)

// EimcAll is every cause that EIMC masks, whatever the mode (I210 8.8.6).
const EimcAll uint32 = 0xFFFFFFFF
