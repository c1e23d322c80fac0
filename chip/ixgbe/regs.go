// Package ixgbe is what the datasheets say about the Intel 82599 family (82599, X520, X540, X550,
// X552, X553): register offsets, tables and bits, descriptor formats and PCI ids. Names are those
// of the datasheet ("Intel 82599 10 GbE Controller Datasheet", whose sections the comments cite).
// Offsets are bytes from the start of BAR0; Registers says what each register does.
package ixgbe

// Offsets of general, EEPROM and PCIe registers (8.2.3.1, 8.2.3.2, 8.2.3.4).
const (
	CTRL       uint32 = 0x00000
	STATUS     uint32 = 0x00008
	CTRL_EXT   uint32 = 0x00018
	ESDP       uint32 = 0x00020
	I2CCTL     uint32 = 0x00028
	LEDCTL     uint32 = 0x00200
	EXVET      uint32 = 0x05078
	FRTIMER    uint32 = 0x00048
	TCPTIMER   uint32 = 0x0004C
	EEC        uint32 = 0x10010
	EERD       uint32 = 0x10014
	FLA        uint32 = 0x1001C
	EEMNGCTL   uint32 = 0x10110
	EEMNGDATA  uint32 = 0x10114
	FLMNGCTL   uint32 = 0x10118
	FLMNGDATA  uint32 = 0x1011C
	FLOP       uint32 = 0x1013C
	GRC        uint32 = 0x10200
	GCR        uint32 = 0x11000
	GSCL_1     uint32 = 0x11010
	GSCL_2     uint32 = 0x11014
	FACTPS     uint32 = 0x10150
	PCIEPHYADR uint32 = 0x11040
	PCIEPHYDAT uint32 = 0x11044
	SWSM       uint32 = 0x10140
	FWSM       uint32 = 0x10148
	SW_FW_SYNC uint32 = 0x10160
	GCR_EXT    uint32 = 0x11050
	MREVID     uint32 = 0x11064
	PICAUSE    uint32 = 0x110B0
	PIENA      uint32 = 0x110B8
)

// Offsets of interrupt registers (8.2.3.5, 8.2.3.6).
const (
	EICR      uint32 = 0x00800
	EICS      uint32 = 0x00808
	EIMS      uint32 = 0x00880
	EIMC      uint32 = 0x00888
	EIAC      uint32 = 0x00810
	EIAM      uint32 = 0x00890
	EITRSEL   uint32 = 0x00894
	LLITHRESH uint32 = 0x0EC90
	IMIRVP    uint32 = 0x0EC60
	IVAR_MISC uint32 = 0x00A00
	GPIE      uint32 = 0x00898
)

// Offsets of receive filter registers (8.2.3.7).
const (
	FCTRL      uint32 = 0x05080
	VLNCTRL    uint32 = 0x05088
	MCSTCTRL   uint32 = 0x05090
	RXCSUM     uint32 = 0x05000
	RFCTL      uint32 = 0x05008
	MRQC       uint32 = 0x05818
	RQTC       uint32 = 0x0EC70
	SYNQF      uint32 = 0x0EC30
	RXFECCERR0 uint32 = 0x051B8
)

// Offsets of receive DMA registers (8.2.3.8).
const (
	RDRXCTL   uint32 = 0x02F00
	RXCTRL    uint32 = 0x03000
	RXMEMWRAP uint32 = 0x03190
	RSCDBU    uint32 = 0x03028
)

// Offsets of flow control registers (8.2.3.3).
const (
	PFCTOP uint32 = 0x03008
	FCRTV  uint32 = 0x032A0
	TFCS   uint32 = 0x0CE00
	FCCFG  uint32 = 0x03D00
)

// Offsets of transmit registers (8.2.3.9).
const (
	DTXMXSZRQ  uint32 = 0x08100
	DMATXCTL   uint32 = 0x04A80
	DTXTCPFLGL uint32 = 0x04A88
	DTXTCPFLGH uint32 = 0x04A8C
	MNGTXMAP   uint32 = 0x0CD10
	MTQC       uint32 = 0x08120
)

// Offsets of DCB and DCA registers (8.2.3.10, 8.2.3.11).
const (
	RTRPCS   uint32 = 0x02430
	RTTDCS   uint32 = 0x04900
	RTTPCS   uint32 = 0x0CD00
	RTRUP2TC uint32 = 0x03020
	RTTUP2TC uint32 = 0x0C800
	RTTDQSEL uint32 = 0x04904
	RTTDT1C  uint32 = 0x04908
	RTTDT1S  uint32 = 0x0490C
	RTTBCNRC uint32 = 0x04984
	RTTBCNRS uint32 = 0x04988
	RTTBCNRM uint32 = 0x04980
	RTTBCNRD uint32 = 0x0498C
	DCA_ID   uint32 = 0x11070
	DCA_CTRL uint32 = 0x11074
)
