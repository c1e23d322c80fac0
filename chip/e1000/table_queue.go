package e1000

import (
	"slices"

	"glassnic/chip"
)

// receiveTable: reception but its queues (8254x 13.4, 13.5, 82574 10.2.5, 82576 8.10).
var receiveTable = chip.Table{
	reg("RCTL", 0x00100, chip.RW, 0, "8254x 13.4.22", "Receive control",
		f("EN", 1, 1, "receive enable; RXEN on the 82576"),
		f("SBP", 2, 1, "store bad packets"),
		f("UPE", 3, 1, "unicast promiscuous"),
		f("MPE", 4, 1, "multicast promiscuous"),
		f("LPE", 5, 1, "packets beyond 1522 bytes"),
		f("LBM", 6, 2, "loopback"),
		f("RDMTS", 8, 2, "when few descriptors are left"),
		f("DTYP", 10, 2, "1 is packet split; 82574"),
		f("MO", 12, 2, "which address bits the multicast table is looked up by"),
		f("BAM", 15, 1, "accept broadcasts"),
		f("BSIZE", 16, 2, "buffer size"),
		f("VFE", 18, 1, "VLAN filter"),
		f("CFIEN", 19, 1, "canonical form filter"),
		f("CFI", 20, 1, "canonical form"),
		f("DPF", 22, 1, "discard pause frames"),
		f("PMCF", 23, 1, "pass MAC control frames"),
		f("BSEX", 25, 1, "buffers are 16 times larger"),
		f("SECRC", 26, 1, "strip the CRC"),
		f("FLXBUF", 27, 4, "buffer size in KiB; 82574"),
	),
	reg("RXCSUM", 0x05000, chip.RW, 0, "8254x 13.4", "Receive checksum control",
		f("PCSS", 0, 8, "packet checksum start"),
		f("IPOFLD", 8, 1, "check IPv4 header checksums"),
		f("TUOFLD", 9, 1, "check TCP and UDP checksums"),
		f("PCSD", 13, 1, "the hash instead of the packet checksum"),
	),
	array("MTA", 0x05200, 0, 128, 4, chip.RW, 0, "8254x 13.5.1", "Multicast table"),
	array("RAL", 0x05400, 0, 16, 8, chip.RW, 0, "8254x 13.5.2", "Receive address, low"),
	array("RAH", 0x05404, 0, 16, 8, chip.RW, 0, "8254x 13.5.3", "Receive address, high",
		f("RAH", 0, 16, "bytes 4 and 5"),
		f("AV", 31, 1, "address valid"),
	),
	array("VFTA", 0x05600, 0, 128, 4, chip.RW, 0, "8254x 13.5.4", "VLAN filter table"),
}

// rssTable: several queues of reception (82574 10.2.5, 82576 8.10).
func rssTable(facts Facts) chip.Table {
	return chip.Table{
		reg("RFCTL", 0x05008, chip.RW, 0, "82574 10.2.5", "Receive filter control",
			f("ACKDIS", 12, 1, "no interrupts for TCP acknowledgements"),
			f("EXSTEN", 15, 1, "extended receive descriptors; 82574"),
		),
		reg("MRQC", 0x05818, chip.RW, 0, "82576 8.10", "Multiple receive queues",
			f("MRQE", 0, 3, "how packets are spread over queues"),
			f("TCPIPV4", 16, 1, "hash TCP over IPv4"),
			f("IPV4", 17, 1, "hash IPv4"),
			f("IPV6EX", 19, 1, "hash IPv6 with extensions"),
			f("IPV6", 20, 1, "hash IPv6"),
			f("TCPIPV6", 21, 1, "hash TCP over IPv6"),
			f("UDPIPV4", 22, 1, "hash UDP over IPv4"),
			f("UDPIPV6", 23, 1, "hash UDP over IPv6"),
		),
		array("RETA", 0x05C00, 0, 32, 4, chip.RW, 0, "82576 8.10", "Redirection table, four queues a register",
			f("TAG0", uint8(facts.RETAShift), 2, "queue of the first, lowest two bits"),
			f("TAG1", uint8(facts.RETAShift)+8, 2, "queue of the second, lowest two bits"),
			f("TAG2", uint8(facts.RETAShift)+16, 2, "queue of the third, lowest two bits"),
			f("TAG3", uint8(facts.RETAShift)+24, 2, "queue of the fourth, lowest two bits"),
		),
		array("RSSRK", 0x05C80, 0, 10, 4, chip.RW, 0, "82576 8.10", "RSS key"),
	}
}

// transmitTable: transmission but its queues (8254x 13.4, 82574 10.2.6, 82576 8.12).
var transmitTable = chip.Table{
	reg("TCTL", 0x00400, chip.RW, 0x000000F8, "8254x 13.4.33", "Transmit control",
		f("EN", 1, 1, "transmit enable"),
		f("PSP", 3, 1, "pad short packets"),
		f("CT", 4, 8, "collisions before a packet is given up"),
		f("COLD", 12, 10, "collision distance in bytes"),
		f("SWXOFF", 22, 1, "send a pause frame"),
		f("RTLC", 24, 1, "send again after a late collision"),
		f("MULR", 28, 1, "several requests at a time; 82574"),
	),
	reg("TIPG", 0x00410, chip.RW, 0x00602008, "8254x 13.4.34", "Transmit inter-packet gap",
		f("IPGT", 0, 10, "back to back"),
		f("IPGR1", 10, 10, "part 1"),
		f("IPGR2", 20, 10, "part 2, or after deferral"),
	),
}

// thresholds are the fields of RXDCTL and TXDCTL.
func thresholds(kind Kind, more ...chip.Field) []chip.Field {
	width := uint8(6)
	if kind == Advanced {
		width = 5
	}
	all := []chip.Field{
		f("PTHRESH", 0, width, "prefetch threshold"),
		f("HTHRESH", 8, width, "host threshold"),
		f("WTHRESH", 16, width, "write-back threshold"),
	}
	if kind == Advanced {
		return append(all, f("ENABLE", 25, 1, "the queue is on"))
	}
	return append(append(all, f("GRAN", 24, 1, "thresholds count descriptors")), more...)
}

// queues: the rings.
func queues(facts Facts) chip.Table {
	n, kind := facts.Queues, facts.Kind
	length := f("LEN", 0, 20, "bytes")
	t := slices.Concat(
		rxQueues(n, reg("RDBAL", 0x00, chip.RW, 0, "8254x 13.4.25", "Receive ring address, low")),
		rxQueues(n, reg("RDBAH", 0x04, chip.RW, 0, "8254x 13.4.26", "Receive ring address, high")),
		rxQueues(n, reg("RDLEN", 0x08, chip.RW, 0, "8254x 13.4.27", "Receive ring length", length)),
		rxQueues(n, reg("RDH", 0x10, chip.RW, 0, "8254x 13.4.28", "Receive ring head", f("RDH", 0, 16, "descriptor"))),
		rxQueues(n, reg("RDT", 0x18, chip.RW, 0, "8254x 13.4.29", "Receive ring tail", f("RDT", 0, 16, "descriptor"))),
		rxQueues(n, reg("RXDCTL", 0x28, chip.RW, 0, "82574 10.2.5", "Receive descriptor control", thresholds(kind)...)),
		txQueues(n, reg("TDBAL", 0x00, chip.RW, 0, "8254x 13.4.36", "Transmit ring address, low")),
		txQueues(n, reg("TDBAH", 0x04, chip.RW, 0, "8254x 13.4.37", "Transmit ring address, high")),
		txQueues(n, reg("TDLEN", 0x08, chip.RW, 0, "8254x 13.4.38", "Transmit ring length", length)),
		txQueues(n, reg("TDH", 0x10, chip.RW, 0, "8254x 13.4.39", "Transmit ring head", f("TDH", 0, 16, "descriptor"))),
		txQueues(n, reg("TDT", 0x18, chip.RW, 0, "8254x 13.4.40", "Transmit ring tail", f("TDT", 0, 16, "descriptor"))),
		txQueues(n, reg("TXDCTL", 0x28, chip.RW, 0, "I210 8.12.15", "Transmit descriptor control",
			thresholds(kind, f("COUNT", 22, 1, "has to be set; 82574"))...)),
	)
	if kind != Advanced {
		return t
	}
	return slices.Concat(t,
		rxQueues(n, reg("SRRCTL", 0x0C, chip.RW, 0x00000400, "82576 8.10.2", "Split and replication receive control",
			f("BSIZEPACKET", 0, 7, "buffer size in KiB; 0: as RCTL says"),
			f("BSIZEHEADER", 8, 4, "header buffer size in units of 64 bytes"),
			f("RDMTS", 20, 5, "when few descriptors are left, in units of 16"),
			f("DESCTYPE", 25, 3, "1 is advanced with one buffer"),
			f("DROP_EN", 31, 1, "a full ring drops"),
		)),
		rxQueues(n, reg("RXCTL", 0x14, chip.RW, 0, "82576 8.13", "Receive DCA and ordering")),
		txQueues(n, reg("TXCTL", 0x14, chip.RW, 0, "82576 8.13", "Transmit DCA and ordering")),
		txQueues(n, reg("TDWBAL", 0x38, chip.RW, 0, "82576 8.12", "Transmit head write-back address, low",
			f("HEAD_WB_EN", 0, 1, "write the head back instead of descriptors"),
		)),
		txQueues(n, reg("TDWBAH", 0x3C, chip.RW, 0, "82576 8.12", "Transmit head write-back address, high")),
	)
}
