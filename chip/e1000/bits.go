package e1000

// CTRL: device control (8254x 13.4.1, 82574 10.2.2, 82576 8.2.1).
const (
	CtrlFD     uint32 = 1 << 0
	CtrlGIODIS uint32 = 1 << 2 // PCIe master disable: no new DMA requests; STATUS.GIO drops when all are done
	CtrlASDE   uint32 = 1 << 5 // 8254x, 82574: speed by the MAC's own detection
	CtrlSLU    uint32 = 1 << 6 // set link up: the MAC listens to the PHY
	CtrlILOS   uint32 = 1 << 7
	CtrlSPEED  uint32 = 3 << 8
	CtrlFRCSPD uint32 = 1 << 11 // force the speed
	CtrlFRCDPX uint32 = 1 << 12 // force duplex
	CtrlRST    uint32 = 1 << 26 // device reset; clears itself
	CtrlRFCE   uint32 = 1 << 27 // obey pause frames
	CtrlTFCE   uint32 = 1 << 28 // send pause frames
	CtrlVME    uint32 = 1 << 30 // strip VLAN tags
	CtrlPHYRST uint32 = 1 << 31
)

// STATUS: device status (8254x 13.4.2, 82574 10.2.2, 82576 8.2.2).
const (
	StatusFD         uint32 = 1 << 0 // full duplex
	StatusLU         uint32 = 1 << 1 // link up
	StatusLANIDShift        = 2
	StatusLANID      uint32 = 3 << StatusLANIDShift // PCI function of this port
	StatusTXOFF      uint32 = 1 << 4
	StatusSPEEDShift        = 6
	StatusSPEED      uint32 = 3 << StatusSPEEDShift // 0: 10 Mb/s, 1: 100 Mb/s, 2 and 3: 1 Gb/s
	StatusPHYRA      uint32 = 1 << 10               // the PHY was reset
	StatusGIO        uint32 = 1 << 19               // DMA requests are enabled or under way
)

// EEC: EEPROM control; EECD in some documents (8254x 13.4.3, 82574 10.2.2, 82576 8.4.1).
const (
	EecEEPRES uint32 = 1 << 8
	EecAUTORD uint32 = 1 << 9 // auto read done; not on the 8254x
)

// CTRL_EXT: extended device control (82574 10.2.2, 82576 8.2.3).
const (
	CtrlExtLINKMODEShift        = 22
	CtrlExtLINKMODE      uint32 = 3 << CtrlExtLINKMODEShift // 0: the built-in copper PHY
	CtrlExtEIAME         uint32 = 1 << 24
	CtrlExtIAME          uint32 = 1 << 27
	CtrlExtDRVLOAD       uint32 = 1 << 28 // tells firmware that a driver is there
	CtrlExtPBA           uint32 = 1 << 31 // 82574: the pending bits of MSI-X are cleared by the card
)

// EXTCNF_CTRL: who may use MDIC on the 82574 (82574 10.2.2).
const (
	ExtcnfMDIOSW uint32 = 1 << 5 // software owns it; sticks only when firmware does not
	ExtcnfMDIOHW uint32 = 1 << 6
	ExtcnfMDIOMN uint32 = 1 << 7
)

// EEMNGCTL: bit of port n, 0 to 3, that firmware has set its PHY up (82576 8.4).
func EemngctlCFGDONE(port int) uint32 { return 1 << (18 + port) }

// SWSM: software semaphores (82576 8.7.1).
const (
	SwsmSMBI    uint32 = 1 << 0 // set by a read that finds it clear
	SwsmSWESMBI uint32 = 1 << 1 // sticks only when firmware does not hold it
	SwsmDRVLOAD uint32 = 1 << 3
)

// SwFwSyncPHY is the bit of SW_FW_SYNC by which software owns the PHY of port 0 to 3; firmware's is 16 higher
// (82576 8.7.3).
func SwFwSyncPHY(port int) uint32 { return [...]uint32{1 << 1, 1 << 2, 1 << 5, 1 << 6}[port&3] }

// SwFwSyncFWShift leads from software's bits of SW_FW_SYNC to firmware's.
const SwFwSyncFWShift = 16

// PhpmGOLINKD: PHPM holds the link down until a driver lets it go (I210 3.4.1).
const PhpmGOLINKD uint32 = 1 << 5

// LEDs.
const (
	LedModeOn    uint32 = 0xE
	LedModeOff   uint32 = 0xF
	LedGlobBlink uint32 = 1 << 5
)

// LEDCTL: a mode, an invert and a blink bit for each LED, 8 bits apart (8254x 13.4.15, 82576 8.2).
func LedctlMODEMask(led int) uint32 { return 0xF << (8 * led) }

// LedctlMODE is mode for one LED.
func LedctlMODE(led int, mode uint32) uint32 { return mode << (8 * led) }

// LedctlIVRT inverts an LED.
func LedctlIVRT(led int) uint32 { return 1 << (8*led + 6) }

// LedctlBLINK makes an LED blink.
func LedctlBLINK(led int) uint32 { return 1 << (8*led + 7) }
