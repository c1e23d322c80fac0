package e1000

// MDIC: one access to the PHY (8254x 13.4.7, 82574 10.2.2, 82576 8.2.4).
const (
	MdicDATA      uint32 = 0xFFFF
	MdicREGShift         = 16
	MdicPHYShift         = 21
	MdicOPWrite   uint32 = 1 << 26
	MdicOPRead    uint32 = 2 << 26
	MdicREADY     uint32 = 1 << 28
	MdicI         uint32 = 1 << 29
	MdicERROR     uint32 = 1 << 30
	MdicPHYInside        = 1 // address of the built-in PHY
)

// Registers of the PHY (IEEE 802.3 clause 22.2.4, table 22-6).
const (
	PhyControl      = 0
	PhyStatus       = 1
	PhyID1          = 2
	PhyID2          = 3
	PhyAdvertise    = 4
	PhyGigAdvertise = 9
	PhyPageI210     = 22 // which page registers 0 to 21 belong to
)

// Control register of the PHY (IEEE 802.3, 22.2.4.1).
const (
	PhyControlRestart  uint16 = 1 << 9 // restart auto-negotiation
	PhyControlIsolate  uint16 = 1 << 10
	PhyControlPowerDn  uint16 = 1 << 11
	PhyControlAuto     uint16 = 1 << 12 // auto-negotiate
	PhyControlLoopback uint16 = 1 << 14
	PhyControlReset    uint16 = 1 << 15
)

// Advertisement (IEEE 802.3, 28.2.4.1.3 and 40.5.1.1).
const (
	PhyAdvertise802  uint16 = 1        // selector: IEEE 802.3
	PhyAdvertiseAll  uint16 = 0xF << 5 // 10 and 100 Mb/s, half and full duplex
	PhyAdvertiseStop uint16 = 3 << 10  // pause frames
	PhyGigFull       uint16 = 1 << 9   // 1 Gb/s, full duplex
)
