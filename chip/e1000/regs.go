// Package e1000 is what Intel's documents say about the Gigabit Ethernet controllers of the 8254x, 82574 and
// 82576 families: register offsets, tables and bits, descriptor formats and PCI ids. They share most registers
// and differ in descriptors, queues and interrupts, which models.go tells in one table.
//
// Sections are those of "PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual" where
// they begin with 8254x, of "82574 GbE Controller Family Datasheet" (82574), of "82576EB Gigabit Ethernet
// Controller Datasheet" (82576), and of "Ethernet Controller I210 Datasheet" (I210), which keeps the register
// sections of the 82576. A section of two or three numbers stands where only the chapter is known.
// Offsets are bytes from the start of BAR 0.
package e1000

// Offsets of general registers (8254x 13.4, 82574 10.2.2, 82576 8.2).
const (
	CTRL     uint32 = 0x00000
	STATUS   uint32 = 0x00008
	EEC      uint32 = 0x00010
	EERD     uint32 = 0x00014
	CTRL_EXT uint32 = 0x00018
	FLA      uint32 = 0x0001C
	MDIC     uint32 = 0x00020
	FCAL     uint32 = 0x00028
	FCAH     uint32 = 0x0002C
	FCT      uint32 = 0x00030
	CONNSW   uint32 = 0x00034
	VET      uint32 = 0x00038
	FCTTV    uint32 = 0x00170
	LEDCTL   uint32 = 0x00E00
	MDICNFG  uint32 = 0x00E04
	PHPM     uint32 = 0x00E14
	PBA      uint32 = 0x01000
	FRTIMER  uint32 = 0x01048
	FCRTL    uint32 = 0x02160
	FCRTH    uint32 = 0x02168
	FCRTV    uint32 = 0x02460
)

// Offsets of registers about EEPROM, PCIe and who owns what (82574 10.2.3, 82576 8.4, 8.6, 8.7).
const (
	EXTCNF_CTRL   uint32 = 0x00F00
	EXTCNF_SIZE   uint32 = 0x00F08
	EEMNGCTL      uint32 = 0x01010
	EEMNGCTL_I210 uint32 = 0x12030
	MANC          uint32 = 0x05820
	GCR           uint32 = 0x05B00
	GSCL_1        uint32 = 0x05B10
	GSCL_2        uint32 = 0x05B14
	FACTPS        uint32 = 0x05B30
	SWSM          uint32 = 0x05B50
	FWSM          uint32 = 0x05B54
	SW_FW_SYNC    uint32 = 0x05B5C
	GCR2          uint32 = 0x05B64
	PBACLR        uint32 = 0x05B68
)

// Offsets of interrupt registers (8254x 13.4.17, 82574 10.2.4). The 82576 has those up to IMC at 0x1500, too.
const (
	ICR        uint32 = 0x000C0
	ITR        uint32 = 0x000C4
	ICS        uint32 = 0x000C8
	IMS        uint32 = 0x000D0
	IMC        uint32 = 0x000D8
	EIAC_82574 uint32 = 0x000DC
	IAM        uint32 = 0x000E0
	IVAR_82574 uint32 = 0x000E4
)

// Offsets of interrupt registers of the 82576 family (I210 8.8).
const (
	GPIE      uint32 = 0x01514
	EICS      uint32 = 0x01520
	EIMS      uint32 = 0x01524
	EIMC      uint32 = 0x01528
	EIAC      uint32 = 0x0152C
	EIAM      uint32 = 0x01530
	EICR      uint32 = 0x01580
	IVAR_MISC uint32 = 0x01740
)

// Offsets of receive registers (8254x 13.4.22, 82574 10.2.5, 82576 8.10).
const (
	RCTL   uint32 = 0x00100
	PSRCTL uint32 = 0x02170
	RXPBS  uint32 = 0x02404
	RDTR   uint32 = 0x02820
	RADV   uint32 = 0x0282C
	RSRPD  uint32 = 0x02C00
	RAID   uint32 = 0x02C08
	RXCSUM uint32 = 0x05000
	RLPML  uint32 = 0x05004
	RFCTL  uint32 = 0x05008
	MRQC   uint32 = 0x05818
	VT_CTL uint32 = 0x0581C
	WUC    uint32 = 0x05800
	WUFC   uint32 = 0x05808
	WUS    uint32 = 0x05810
)

// Offsets of transmit registers (8254x 13.4.33, 82574 10.2.6, 82576 8.12).
const (
	TCTL     uint32 = 0x00400
	TCTL_EXT uint32 = 0x00404
	TIPG     uint32 = 0x00410
	AIT      uint32 = 0x00458
	TXPBS    uint32 = 0x03404
	DTXCTL   uint32 = 0x03590
	TIDV     uint32 = 0x03820
	TADV     uint32 = 0x0382C
)
