package e1000

import "glassnic/chip"

// statsTable: statistics that all have (8254x 13.7, I210 8.18): a read clears, a full counter stays full.
var statsTable = chip.Table{
	reg("CRCERRS", 0x04000, chip.RC, 0, "8254x 13.7.1", "CRC errors, packets of 64 bytes and more"),
	reg("ALGNERRC", 0x04004, chip.RC, 0, "8254x 13.7.2", "Alignment errors, at 10 and 100 Mb/s"),
	reg("SYMERRS", 0x04008, chip.RC, 0, "8254x 13.7.3", "Symbol errors"),
	reg("RXERRC", 0x0400C, chip.RC, 0, "8254x 13.7.4", "Packets with errors that the PHY saw"),
	reg("MPC", 0x04010, chip.RC, 0, "8254x 13.7.5", "Missed packets: the packet buffer was full"),
	reg("SCC", 0x04014, chip.RC, 0, "8254x 13.7.6", "Single collisions"),
	reg("ECOL", 0x04018, chip.RC, 0, "8254x 13.7.7", "Excessive collisions"),
	reg("MCC", 0x0401C, chip.RC, 0, "8254x 13.7.8", "Multiple collisions"),
	reg("LATECOL", 0x04020, chip.RC, 0, "8254x 13.7.9", "Late collisions"),
	reg("COLC", 0x04028, chip.RC, 0, "8254x 13.7.10", "Collisions"),
	reg("DC", 0x04030, chip.RC, 0, "8254x 13.7.11", "Deferrals"),
	reg("TNCRS", 0x04034, chip.RC, 0, "8254x 13.7.12", "Transmissions without carrier"),
	reg("SEC", 0x04038, chip.RC, 0, "8254x 13.7.13", "Sequence errors"),
	reg("CEXTERR", 0x0403C, chip.RC, 0, "8254x 13.7.14", "Carrier extension errors; on the I210 packets the MAC discarded"),
	reg("RLEC", 0x04040, chip.RC, 0, "8254x 13.7.15", "Receive length errors"),
	reg("XONRXC", 0x04048, chip.RC, 0, "8254x 13.7.16", "XON received"),
	reg("XONTXC", 0x0404C, chip.RC, 0, "8254x 13.7.17", "XON transmitted"),
	reg("XOFFRXC", 0x04050, chip.RC, 0, "8254x 13.7.18", "XOFF received"),
	reg("XOFFTXC", 0x04054, chip.RC, 0, "8254x 13.7.19", "XOFF transmitted"),
	reg("FCRUC", 0x04058, chip.RC, 0, "8254x 13.7.20", "Unsupported flow control received"),
	reg("PRC64", 0x0405C, chip.RC, 0, "8254x 13.7.21", "Packets received, 64 bytes"),
	reg("PRC127", 0x04060, chip.RC, 0, "8254x 13.7.22", "Packets received, 65 to 127 bytes"),
	reg("PRC255", 0x04064, chip.RC, 0, "8254x 13.7.23", "Packets received, 128 to 255 bytes"),
	reg("PRC511", 0x04068, chip.RC, 0, "8254x 13.7.24", "Packets received, 256 to 511 bytes"),
	reg("PRC1023", 0x0406C, chip.RC, 0, "8254x 13.7.25", "Packets received, 512 to 1023 bytes"),
	reg("PRC1522", 0x04070, chip.RC, 0, "8254x 13.7.26", "Packets received, 1024 bytes to max"),
	reg("GPRC", 0x04074, chip.RC, 0, "8254x 13.7.27", "Good packets received"),
	reg("BPRC", 0x04078, chip.RC, 0, "8254x 13.7.28", "Broadcast packets received"),
	reg("MPRC", 0x0407C, chip.RC, 0, "8254x 13.7.29", "Multicast packets received"),
	reg("GPTC", 0x04080, chip.RC, 0, "8254x 13.7.30", "Good packets transmitted"),
	reg("GORCL", 0x04088, chip.RC, 0, "8254x 13.7.31", "Good octets received, low 32 bits"),
	reg("GORCH", 0x0408C, chip.RC, 0, "8254x 13.7.31", "Good octets received, high 32 bits"),
	reg("GOTCL", 0x04090, chip.RC, 0, "8254x 13.7.32", "Good octets transmitted, low 32 bits"),
	reg("GOTCH", 0x04094, chip.RC, 0, "8254x 13.7.32", "Good octets transmitted, high 32 bits"),
	reg("RNBC", 0x040A0, chip.RC, 0, "8254x 13.7.33", "Packets that found no descriptor, and waited"),
	reg("RUC", 0x040A4, chip.RC, 0, "8254x 13.7.34", "Receive undersize"),
	reg("RFC", 0x040A8, chip.RC, 0, "8254x 13.7.35", "Receive fragments"),
	reg("ROC", 0x040AC, chip.RC, 0, "8254x 13.7.36", "Receive oversize"),
	reg("RJC", 0x040B0, chip.RC, 0, "8254x 13.7.37", "Receive jabber"),
	reg("MGTPRC", 0x040B4, chip.RC, 0, "8254x 13.7.38", "Management packets received"),
	reg("MGTPDC", 0x040B8, chip.RC, 0, "8254x 13.7.39", "Management packets dropped"),
	reg("MGTPTC", 0x040BC, chip.RC, 0, "8254x 13.7.40", "Management packets transmitted"),
	reg("TORL", 0x040C0, chip.RC, 0, "8254x 13.7.41", "Total octets received, low 32 bits"),
	reg("TORH", 0x040C4, chip.RC, 0, "8254x 13.7.41", "Total octets received, high 32 bits"),
	reg("TOTL", 0x040C8, chip.RC, 0, "8254x 13.7.42", "Total octets transmitted, low 32 bits"),
	reg("TOTH", 0x040CC, chip.RC, 0, "8254x 13.7.42", "Total octets transmitted, high 32 bits"),
	reg("TPR", 0x040D0, chip.RC, 0, "8254x 13.7.43", "Total packets received"),
	reg("TPT", 0x040D4, chip.RC, 0, "8254x 13.7.44", "Total packets transmitted"),
	reg("PTC64", 0x040D8, chip.RC, 0, "8254x 13.7.45", "Packets transmitted, 64 bytes"),
	reg("PTC127", 0x040DC, chip.RC, 0, "8254x 13.7.46", "Packets transmitted, 65 to 127 bytes"),
	reg("PTC255", 0x040E0, chip.RC, 0, "8254x 13.7.47", "Packets transmitted, 128 to 255 bytes"),
	reg("PTC511", 0x040E4, chip.RC, 0, "8254x 13.7.48", "Packets transmitted, 256 to 511 bytes"),
	reg("PTC1023", 0x040E8, chip.RC, 0, "8254x 13.7.49", "Packets transmitted, 512 to 1023 bytes"),
	reg("PTC1522", 0x040EC, chip.RC, 0, "8254x 13.7.50", "Packets transmitted, 1024 bytes and more"),
	reg("MPTC", 0x040F0, chip.RC, 0, "8254x 13.7.51", "Multicast packets transmitted"),
	reg("BPTC", 0x040F4, chip.RC, 0, "8254x 13.7.52", "Broadcast packets transmitted"),
	reg("TSCTC", 0x040F8, chip.RC, 0, "8254x 13.7.53", "TCP segmentation contexts transmitted"),
	reg("TSCTFC", 0x040FC, chip.RC, 0, "8254x 13.7.54", "TCP segmentation contexts that failed"),
}

// stats82574: interrupts that the 82574 counts (82574 10.2.7).
var stats82574 = chip.Table{
	reg("IAC", 0x04100, chip.RC, 0, "82574 10.2.7", "Interrupts asserted"),
	reg("ICRXPTC", 0x04104, chip.RC, 0, "82574 10.2.7", "Interrupts by the receive packet timer"),
	reg("ICRXATC", 0x04108, chip.RC, 0, "82574 10.2.7", "Interrupts by the receive absolute timer"),
	reg("ICTXPTC", 0x0410C, chip.RC, 0, "82574 10.2.7", "Interrupts by the transmit packet timer"),
	reg("ICTXATC", 0x04110, chip.RC, 0, "82574 10.2.7", "Interrupts by the transmit absolute timer"),
	reg("ICTXQEC", 0x04118, chip.RC, 0, "82574 10.2.7", "Interrupts by an empty transmit queue"),
	reg("ICTXQMTC", 0x0411C, chip.RC, 0, "82574 10.2.7", "Interrupts by a transmit queue at its threshold"),
	reg("ICRXDMTC", 0x04120, chip.RC, 0, "82574 10.2.7", "Interrupts by few receive descriptors"),
	reg("ICRXOC", 0x04124, chip.RC, 0, "82574 10.2.7", "Interrupts by receiver overrun"),
}

// stats82576: what the 82576 family counts at the host's side (I210 8.18).
var stats82576 = chip.Table{
	reg("IAC", 0x04100, chip.RC, 0, "I210 8.18", "Interrupts asserted"),
	reg("RPTHC", 0x04104, chip.RC, 0, "I210 8.18", "Received packets that went to the host"),
	reg("HGPTC", 0x04118, chip.RC, 0, "I210 8.18.64", "Good packets transmitted by the host"),
	reg("RXDMTC", 0x04120, chip.RC, 0, "I210 8.18.65", "Times that few receive descriptors were left"),
	reg("HTCBDPC", 0x04124, chip.RC, 0, "82576 8.18", "Packets of the host that the circuit breaker dropped"),
	reg("HGORCL", 0x04128, chip.RC, 0, "I210 8.18.66", "Good octets received by the host, low 32 bits"),
	reg("HGORCH", 0x0412C, chip.RC, 0, "I210 8.18.67", "Good octets received by the host, high 32 bits"),
	reg("HGOTCL", 0x04130, chip.RC, 0, "I210 8.18", "Good octets transmitted by the host, low 32 bits"),
	reg("HGOTCH", 0x04134, chip.RC, 0, "I210 8.18", "Good octets transmitted by the host, high 32 bits"),
	reg("LENERRS", 0x04138, chip.RC, 0, "I210 8.18", "Packets whose length field was wrong"),
}

// drops: packets that found no descriptor, by queue.
func drops(queues int) chip.Table {
	return rxQueues(queues, reg("RQDPC", 0x30, chip.RC, 0, "82576 8.10", "Packets that a queue dropped because its ring was full"))
}
