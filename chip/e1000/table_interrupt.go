package e1000

import "glassnic/chip"

// causes are the fields of ICR, ICS, IMS and IMC.
var causes = []chip.Field{
	f("TXDW", 0, 1, "a transmit descriptor was written back"),
	f("TXQE", 1, 1, "a transmit queue is empty"),
	f("LSC", 2, 1, "link status change"),
	f("RXDMT", 4, 1, "few receive descriptors are left"),
	f("RXO", 6, 1, "overrun"),
	f("RXT", 7, 1, "a packet was received"),
	f("MDAC", 9, 1, "PHY access complete"),
	f("RXQ0", 20, 1, "82574 with MSI-X: receive queue 0"),
	f("RXQ1", 21, 1, "82574 with MSI-X: receive queue 1"),
	f("TXQ0", 22, 1, "82574 with MSI-X: transmit queue 0"),
	f("TXQ1", 23, 1, "82574 with MSI-X: transmit queue 1"),
	f("OTHER", 24, 1, "82574 with MSI-X: another cause"),
	f("INTA", 31, 1, "the interrupt is asserted"),
}

// interruptTable: interrupts that all have (8254x 13.4, 82574 10.2.4).
var interruptTable = chip.Table{
	reg("ICR", 0x000C0, chip.RCW, 0, "8254x 13.4.17", "Interrupt cause", causes...),
	reg("ICS", 0x000C8, chip.WO, 0, "8254x 13.4.19", "Interrupt cause set", causes...),
	reg("IMS", 0x000D0, chip.RW1S, 0, "8254x 13.4.20", "Interrupt mask set", causes...),
	reg("IMC", 0x000D8, chip.WO, 0, "8254x 13.4.21", "Interrupt mask clear", causes...),
}

// table82574: what only the 82574 has.
var table82574 = chip.Table{
	reg("EIAC_82574", 0x000DC, chip.RW, 0, "82574 10.2.4", "Extended interrupt auto clear",
		f("EIAC", 20, 5, "causes that a message clears: RXQ0, RXQ1, TXQ0, TXQ1, OTHER"),
	),
	reg("IVAR_82574", 0x000E4, chip.RW, 0, "82574 10.2.4", "Interrupt vector allocation",
		f("INT_ALLOC0", 0, 3, "vector of receive queue 0"), f("VALID0", 3, 1, "it has one"),
		f("INT_ALLOC1", 4, 3, "vector of receive queue 1"), f("VALID1", 7, 1, "it has one"),
		f("INT_ALLOC2", 8, 3, "vector of transmit queue 0"), f("VALID2", 11, 1, "it has one"),
		f("INT_ALLOC3", 12, 3, "vector of transmit queue 1"), f("VALID3", 15, 1, "it has one"),
		f("INT_ALLOC4", 16, 3, "vector of the other causes"), f("VALID4", 19, 1, "they have one"),
		f("TX_WB", 31, 1, "every transmit write-back is a cause"),
	),
	array("EITR_82574", 0x000E8, 0, 5, 4, chip.RW, 0, "82574 10.2.4", "Extended interrupt throttle",
		f("INTERVAL", 0, 16, "least time between interrupts in units of 256 ns"),
	),
	reg("EXTCNF_CTRL", 0x00F00, chip.RW, 0, "82574 10.2.2", "Extended configuration control",
		f("MDIO_SW", 5, 1, "software owns MDIC"),
		f("MDIO_HW", 6, 1, "the card owns MDIC"),
		f("MDIO_MNG", 7, 1, "management owns MDIC"),
	),
	reg("EXTCNF_SIZE", 0x00F08, chip.RW, 0, "82574 10.2.2", "Extended configuration size"),
	reg("GCR2", 0x05B64, chip.RW, 0, "82574 10.2.3", "PCIe control 2"),
	reg("PSRCTL", 0x02170, chip.RW, 0x00040402, "82574 10.2.5", "Packet split receive control"),
	reg("RAID", 0x02C08, chip.RW, 0, "82574 10.2.5", "Receive acknowledgement interrupt delay"),
	array("TARC", 0x03840, 0, 2, 0x100, chip.RW, 0x00000403, "82574 10.2.6", "Transmit arbitration",
		f("COUNT", 0, 7, "packets per turn"),
		f("ENABLE", 10, 1, "the queue is on"),
	),
}

// table82576: what only the 82576 family has (82576 8.3, 8.7, 8.8, 8.10, 8.12).
var table82576 = chip.Table{
	reg("CONNSW", 0x00034, chip.RW, 0, "82576 8.2", "Copper and fiber switch"),
	reg("MDICNFG", 0x00E04, chip.RW, 0, "I210 8.2", "PHY access configuration; 82580 and later"),
	reg("FRTIMER", 0x01048, chip.RO, 0, "82576 8.15", "Free running timer"),
	reg("FCRTV", 0x02460, chip.RW, 0, "82576 8.5", "Flow control refresh timer"),
	reg("SW_FW_SYNC", 0x05B5C, chip.RW, 0, "82576 8.7.3", "Software and firmware synchronization",
		f("SW_EEP_SM", 0, 1, "software owns the EEPROM"),
		f("SW_PHY_SM0", 1, 1, "software owns the PHY of port 0"),
		f("SW_PHY_SM1", 2, 1, "the same for port 1"),
		f("SW_MAC_CSR_SM", 3, 1, "software owns shared registers"),
		f("SW_FLASH_SM", 4, 1, "software owns the flash"),
		f("SW_PHY_SM2", 5, 1, "software owns the PHY of port 2"),
		f("SW_PHY_SM3", 6, 1, "the same for port 3"),
		f("FW_EEP_SM", 16, 1, "firmware owns the EEPROM"),
		f("FW_PHY_SM0", 17, 1, "firmware owns the PHY of port 0"),
		f("FW_PHY_SM1", 18, 1, "the same for port 1"),
		f("FW_MAC_CSR_SM", 19, 1, "firmware owns shared registers"),
		f("FW_FLASH_SM", 20, 1, "firmware owns the flash"),
		f("FW_PHY_SM2", 21, 1, "firmware owns the PHY of port 2"),
		f("FW_PHY_SM3", 22, 1, "the same for port 3"),
	),
	reg("GPIE", 0x01514, chip.RW, 0, "I210 8.8.17", "General purpose interrupt enable",
		f("NSICR", 0, 1, "every read of ICR clears it"),
		f("MULTIPLE_MSIX", 4, 1, "EICR has a bit for each vector of MSI-X"),
		f("EIAME", 30, 1, "a message masks what EIAM says"),
		f("PBA_SUPPORT", 31, 1, "the card clears pending bits of MSI-X"),
	),
	reg("EICS", 0x01520, chip.WO, 0, "I210 8.8.4", "Extended interrupt cause set"),
	reg("EIMS", 0x01524, chip.RW1S, 0, "82576 8.8", "Extended interrupt mask set",
		f("VECTORS", 0, 25, "with MSI-X, by vector"),
	),
	reg("EIMC", 0x01528, chip.WO, 0, "82576 8.8", "Extended interrupt mask clear"),
	reg("EIAC", 0x0152C, chip.RW, 0, "I210 8.8.7", "Extended interrupt auto clear",
		f("VECTORS", 0, 25, "whose cause a message clears"),
	),
	reg("EIAM", 0x01530, chip.RW, 0, "I210 8.8.8", "Extended interrupt auto mask",
		f("VECTORS", 0, 25, "whose mask a message sets"),
	),
	reg("EICR", 0x01580, chip.RCW, 0, "82576 8.8", "Extended interrupt cause"),
	array("EITR", 0x01680, 0, 10, 4, chip.RW, 0, "82576 8.8", "Extended interrupt throttle",
		f("INTERVAL", 2, 13, "least time between interrupts in units of 1 µs"),
	),
	reg("RXPBS", 0x02404, chip.RW, 0, "82576 8.3", "Receive packet buffer size"),
	reg("TXPBS", 0x03404, chip.RW, 0, "82576 8.3", "Transmit packet buffer size"),
	reg("DTXCTL", 0x03590, chip.RW, 0, "I210 8.12.5", "DMA transmit control"),
	reg("TCTL_EXT", 0x00404, chip.RW, 0, "82576 8.12", "Transmit control, extended"),
	reg("RLPML", 0x05004, chip.RW, 0, "82576 8.10", "Longest packet that is received with RCTL.LPE",
		f("RLPML", 0, 14, "bytes with CRC"),
	),
	array("PSRTYPE", 0x05480, 0, 4, 4, chip.RW, 0, "I210 8.10.3", "Packet split receive type"),
	reg("VT_CTL", 0x0581C, chip.RW, 0, "82576 8.14", "VMDq control"),
}

// phyTable: the PHY's power from the 82580 on.
var phyTable = chip.Table{
	reg("PHPM", 0x00E14, chip.RW, 0, "I210 8.2", "PHY power management",
		f("GO_LINKD", 5, 1, "go link disconnect"),
	),
}

// tableI210: what only the I210 and I211 have.
var tableI210 = chip.Table{
	reg("EEMNGCTL_I210", 0x12030, chip.RWSC, 0, "I210 8.4", "Firmware's flash control",
		f("CFG_DONE", 18, 1, "firmware has set the PHY up"),
	),
}

// msixTable: vectors of the 82575, by bit map.
var msixTable = chip.Table{
	array("MSIXBM", 0x01600, 0, 10, 4, chip.RW, 0, "82576 8.8", "Causes of a vector; 82575 only"),
}

// ivars: vectors of the others.
func ivars(facts Facts) chip.Table {
	rows := max(facts.Queues/2, 1)
	low, high, upper := "receive queue 2i", "transmit queue 2i", "receive queue 2i+1"
	last := "transmit queue 2i+1"
	if facts.VectorsBy == IVARHalves {
		low, high, upper, last = "receive queue i", "transmit queue i", "receive queue i+8", "transmit queue i+8"
	}
	return chip.Table{
		array("IVAR", 0x01700, 0, rows, 4, chip.RW, 0, "I210 8.8.15", "Interrupt vector allocation",
			f("INT_ALLOC0", 0, 5, "vector of "+low), f("VALID0", 7, 1, "it has one"),
			f("INT_ALLOC1", 8, 5, "vector of "+high), f("VALID1", 15, 1, "it has one"),
			f("INT_ALLOC2", 16, 5, "vector of "+upper), f("VALID2", 23, 1, "it has one"),
			f("INT_ALLOC3", 24, 5, "vector of "+last), f("VALID3", 31, 1, "it has one"),
		),
		reg("IVAR_MISC", 0x01740, chip.RW, 0, "I210 8.8.16", "Interrupt vector allocation of other causes",
			f("INT_ALLOC8", 0, 5, "vector of the TCP timer"), f("VALID8", 7, 1, "it has one"),
			f("INT_ALLOC9", 8, 5, "vector of the other causes"), f("VALID9", 15, 1, "they have one"),
		),
	}
}
