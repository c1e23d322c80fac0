package ixgbe

import "glassnic/chip"

// x540Table: registers that the X540 adds; the X550 has them too.
var x540Table = chip.Table{
	reg("MACC", 0x04330, chip.RW, 0, "X540 8.2.4.22", "MAC control",
		f("FLU", 0, 1, "force link up"),
		f("FSV", 16, 2, "forced speed"),
		f("FS", 18, 1, "force speed"),
	),
	reg("EEWR", 0x10018, chip.RWSC, 0, "X540 8.2.4.2", "NVM write"),
	reg("SRAMREL", 0x10210, chip.RWSC, 0, "X540 8.2.4.2", "Shadow RAM reload"),
	reg("FDIRSCTPM", 0x0EE78, chip.RW, 0, "X540 8.2.4.21", "Flow Director filters SCTP mask"),
	reg("B2OSPC", 0x041C0, chip.RC, 0, "X540 8.2.4.23", "Management to host packets sent"),
	reg("O2BGPTC", 0x041C4, chip.RC, 0, "X540 8.2.4.23", "Host to management packets transmitted"),
	reg("O2BSPC", 0x087B0, chip.RC, 0, "X540 8.2.4.23", "Host to management packets sent"),
	reg("B2OGPRC", 0x02F90, chip.RC, 0, "X540 8.2.4.23", "Management to host packets received"),
	reg("BUPRC", 0x04180, chip.RC, 0, "X540 8.2.4.23", "Management unicast packets received"),
	reg("BMPRC", 0x04184, chip.RC, 0, "X540 8.2.4.23", "Management multicast packets received"),
	reg("BBPRC", 0x04188, chip.RC, 0, "X540 8.2.4.23", "Management broadcast packets received"),
	reg("BUPTC", 0x0418C, chip.RC, 0, "X540 8.2.4.23", "Management unicast packets transmitted"),
	reg("BMPTC", 0x04190, chip.RC, 0, "X540 8.2.4.23", "Management multicast packets transmitted"),
	reg("BBPTC", 0x04194, chip.RC, 0, "X540 8.2.4.23", "Management broadcast packets transmitted"),
	reg("BCRCERRS", 0x04198, chip.RC, 0, "X540 8.2.4.23", "Management CRC errors"),
	reg("BXONRXC", 0x0419C, chip.RC, 0, "X540 8.2.4.23", "Management XON received"),
	reg("BXOFFRXC", 0x041E0, chip.RC, 0, "X540 8.2.4.23", "Management XOFF received"),
	reg("BXONTXC", 0x041E4, chip.RC, 0, "X540 8.2.4.23", "Management XON transmitted"),
	reg("BXOFFTXC", 0x041E8, chip.RC, 0, "X540 8.2.4.23", "Management XOFF transmitted"),
	reg("PROXYS", 0x05F60, chip.RW1C, 0, "X540 8.2.4.24", "Proxying status"),
	reg("PROXYFC", 0x05F64, chip.RW, 0, "X540 8.2.4.24", "Proxying filter control"),
}

// x550Table: registers that the X550 family adds.
var x550Table = chip.Table{
	reg("SYSTIMR", 0x08C58, chip.RW, 0, "X550", "System time residue"),
	reg("TSICR", 0x08C60, chip.RW1C, 0, "X550", "TimeSync interrupt cause"),
	reg("TSIM", 0x08C68, chip.RW, 0, "X550", "TimeSync interrupt mask"),
	reg("TSSDP", 0x0003C, chip.RW, 0, "X550", "TimeSync SDP configuration"),
	reg("VXLANCTRL", 0x0507C, chip.RW, 0, "X550", "VXLAN and GENEVE UDP ports",
		f("VXLAN", 0, 16, "UDP port"),
		f("GENEVE", 16, 16, "UDP port"),
	),
	array("ERETA", 0x0EE80, 0, 96, 4, chip.RW, 0, "X550", "Redirection table, entries 128 to 511"),
	array("PFVFMRQC", 0x03400, 0, 64, 4, chip.RW, 0, "X550", "Multiple receive queues command of a pool"),
	reg("TLPIC", 0x041F4, chip.RC, 0, "X550", "Tx low power idle count"),
	reg("RLPIC", 0x041F8, chip.RC, 0, "X550", "Rx low power idle count"),
	reg("EEE_SU", 0x04380, chip.RW, 0, "X550", "Energy efficient Ethernet set-up"),
	reg("EEE_STAT", 0x04398, chip.RO, 0, "X550", "Energy efficient Ethernet status"),
	reg("EEER", 0x043A0, chip.RW, 0, "X550", "Energy efficient Ethernet"),
	reg("DMACR", 0x02400, chip.RW, 0, "X550", "DMA coalescing control"),
	reg("DMCTLX", 0x02404, chip.RW, 0, "X550", "DMA coalescing time to Lx"),
	array("DMCTH", 0x03300, 0, 8, 4, chip.RW, 0, "X550", "DMA coalescing receive threshold"),
	reg("DMCMNGTH", 0x15F20, chip.RW, 0, "X550", "DMA coalescing management threshold"),
	reg("I2CCTL_X550", 0x15F5C, chip.RW, 0, "X550", "I2C control"),
}

// x550emaTable: registers that the X553 (X550EM_a) moves.
var x550emaTable = chip.Table{
	reg("EEC_X550EMA", 0x15FF8, chip.RWSC, 0, "X550EM_a", "EEPROM/Flash control"),
	reg("FLA_X550EMA", 0x15F68, chip.RW, 0, "X550EM_a", "Flash access"),
	reg("GRC_X550EMA", 0x15F64, chip.RW, 0, "X550EM_a", "General receive control"),
	reg("SRAMREL_X550EMA", 0x15F6C, chip.RWSC, 0, "X550EM_a", "Shadow RAM reload"),
	reg("FACTPS_X550EMA", 0x15FEC, chip.RO, 0, "X550EM_a", "Function active and power state"),
	reg("SWSM_X550EMA", 0x15F70, chip.RW, 0, "X550EM_a", "Software semaphore"),
	reg("FWSM_X550EMA", 0x15F74, chip.RO, 0, "X550EM_a", "Firmware semaphore"),
	reg("SW_FW_SYNC_X550EMA", 0x15F78, chip.RW, 0, "X550EM_a", "Software-firmware synchronization"),
}
