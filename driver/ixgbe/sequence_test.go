package ixgbe_test

import (
	"fmt"
	"strings"

	facts "glassnic/chip/ixgbe"
	model "glassnic/sim/ixgbe"
)

// access is one line of a sequence that the datasheet prescribes. A register is named as there;
// [0-7] stands for all of an array in order, [i] for that of the queue in each.
type access struct {
	section, verb, reg string
	bits, cleared      uint32
}

func write(section, reg string, v uint32) access {
	return access{section, "write", reg, v, 0}
}

// place writes an address or a size, whatever it is.
func place(section, reg string) access { return access{section, "place", reg, 0, 0} }

// modify sets and clears bits and leaves the others.
func modify(section, reg string, set, cleared uint32) access {
	return access{section, "modify", reg, set, cleared}
}

// until polls a register until all bits are set, untilNot until all are clear.
func until(section, reg string, bits uint32) access {
	return access{section, "until", reg, bits, 0}
}
func untilNot(section, reg string, bits uint32) access {
	return access{section, "until", reg, 0, bits}
}

// read reads a counter, which clears it.
func read(section, reg string) access { return access{section, "read", reg, 0, 0} }

// each repeats lines for elements 0 to n-1.
func each(n int, lines ...access) (all []access) {
	for i := range n {
		for _, l := range lines {
			l.reg = strings.Replace(l.reg, "[i]", fmt.Sprintf("[%d]", i), 1)
			all = append(all, l)
		}
	}
	return all
}

func sequence(parts ...[]access) (all []access) {
	for _, part := range parts {
		for _, l := range part {
			var from, to int
			base, index, _ := strings.Cut(l.reg, "[")
			if n, _ := fmt.Sscanf(index, "%d-%d]", &from, &to); n != 2 {
				all = append(all, l)
				continue
			}
			for i := from; i <= to; i++ {
				l.reg = fmt.Sprintf("%s[%d]", base, i)
				all = append(all, l)
			}
		}
	}
	return all
}

const (
	startQueues = 2
	startRing   = 128
	startMTU    = 9000
)

// startUp is the datasheet's sequence 4.6.3: reset, link, statistics (4.6.5), reception (4.6.7),
// transmission (4.6.8); for two queues each way, of 128 descriptors, MTU 9000 and promiscuous mode.
func startUp() []access {
	return sequence(
		[]access{
			write("4.6.3.1 interrupts are masked before the reset", "EIMC", 0x7fffffff),
			modify("5.2.5.3.2 no DMA under way in a reset", "CTRL", 1<<2, 0),
			untilNot("5.2.5.3.2", "STATUS", 1<<19),
			modify("4.6.3.2 reset: CTRL.RST and CTRL.LRST", "CTRL", 1<<26|1<<3, 0),
			untilNot("4.2.1 RST clears itself", "CTRL", 1<<26),
			modify("8.2.3.1.1 LRST and GIO_DIS do not", "CTRL", 0, 1<<3|1<<2),
			write("4.6.3.1 and again after it", "EIMC", 0x7fffffff),

			until("4.6.3 EEPROM read: EEC.ARD", "EEC", 1<<9),
			until("4.6.3 DMA initialised: RDRXCTL.DMAIDONE", "RDRXCTL", 1<<3),
			modify("8.2.3.1.3 CTRL_EXT.DRV_LOAD", "CTRL_EXT", 1<<28, 0),
			place("4.6.7 own address", "RAL[0]"),
			place("4.6.7, 8.2.3.7.9 with RAH.AV", "RAH[0]"),

			modify("4.6.4 link: AUTOC.RESTART_AN", "AUTOC", 1<<12, 0),
		},
		each(16,
			place("8.2.3.23.71 statistics: a set for each receive queue", "RQSMR[i]"),
			place("8.2.3.23.73 and for each transmit queue", "TQSM[i]"),
		),
		[]access{
			read("4.6.5 counters are cleared by reading them", "CRCERRS"),
			read("4.6.5", "RXMPC[0-7]"),
			read("4.6.5", "GPTC"),
			read("4.6.5", "QPRC[0-15]"),
			read("4.6.5", "QPTC[0-15]"),

			modify("4.6.7 reception is off while it is set up", "RXCTRL", 0, 1),
			write("4.6.3.2 high water mark", "FCRTH[0]", 512<<10-0x6000),
			write("4.6.11.3.4 one packet buffer", "RXPBSIZE[0]", 512<<10),
			write("4.6.11.3.4", "RXPBSIZE[1-7]", 0),
			modify("4.6.7, 4.6.8 HLREG0: strip and add CRC, pad", "HLREG0", 1<<0|1<<1|1<<10, 0),
			modify("4.6.7, 8.2.3.8.8 RDRXCTL: CRCSTRIP, RSCACKC, FCOE_WRFIX, RSCFRSTSIZE 0", "RDRXCTL", 1<<1|1<<25|1<<26, 0x1f<<17),
			modify("4.6.7 HLREG0.JUMBOEN", "HLREG0", 1<<2, 0),
			write("8.2.3.22.13 longest frame with CRC and one tag", "MAXFRS", (startMTU+14+4+4)<<16),
			write("4.6.7 multicast table", "MTA[0-127]", 0),
			write("8.2.3.7.1 FCTRL: MPE, UPE, BAM", "FCTRL", 1<<8|1<<9|1<<10),
			place("7.1.2.8 RSS key", "RSSRK[0-9]"),
			place("7.1.2.8 redirection table", "RETA[0-31]"),
			modify("8.2.3.7.5 RXCSUM.PCSD, for the hash", "RXCSUM", 1<<13, 0),
			write("8.2.3.7.12 MRQC: RSS over addresses and ports", "MRQC", 1|1<<16|1<<17|1<<20|1<<21|1<<22|1<<23),
			modify("4.6.7 CTRL_EXT.NS_DIS", "CTRL_EXT", 1<<16, 0),

			modify("4.6.8 RTTDCS.ARBDIS while packet buffers change", "RTTDCS", 1<<6, 0),
			write("4.6.11.3.4 without DCB and VT", "DTXMXSZRQ", 0xfff),
			write("4.6.11.3.4 one packet buffer", "TXPBSIZE[0]", 160<<10),
			write("4.6.11.3.4 less the longest frame", "TXPBTHRESH[0]", 0xa0-10),
		},
		each(8,
			write("4.6.11.3.4", "TXPBSIZE[i]", 0),
			write("4.6.11.3.4", "TXPBTHRESH[i]", 0),
		)[2:],
		[]access{
			write("4.6.11.3.4 MTQC: no DCB, no VT", "MTQC", 0),
			modify("4.6.8", "RTTDCS", 0, 1<<6),
		},
		each(startQueues,
			place("4.6.7.1 receive ring", "RDBAL[i]"),
			place("4.6.7.1", "RDBAH[i]"),
			write("4.6.7.1", "RDLEN[i]", startRing*16),
			write("4.6.7.1, 8.2.3.8.7 SRRCTL: 2 KiB, advanced, DROP_EN", "SRRCTL[i]", 2|1<<25|1<<28),
			modify("4.6.7 reserved bit 12", "DCA_RXCTRL[i]", 0, 1<<12),
			write("8.2.3.8.4", "RDH[i]", 0),
			write("8.2.3.8.5", "RDT[i]", 0),
			modify("4.6.7.1 RXDCTL.ENABLE after all that", "RXDCTL[i]", 1<<25, 0),
			until("4.6.7.1 wait until it is", "RXDCTL[i]", 1<<25),
			write("4.6.7.1 only then the tail", "RDT[i]", startRing-1),
		),
		[]access{
			modify("4.6.7 halt the data path: SECRXCTRL.RX_DIS", "SECRXCTRL", 1<<1, 0),
			until("4.6.7 wait until it is empty: SECRXSTAT.SECRX_RDY", "SECRXSTAT", 1),
			modify("4.6.7 RXCTRL.RXEN last", "RXCTRL", 1, 0),
			modify("4.6.7 and open the data path", "SECRXCTRL", 0, 1<<1),
		},
		each(startQueues,
			place("4.6.8.1 transmit ring", "TDBAL[i]"),
			place("4.6.8.1", "TDBAH[i]"),
			write("4.6.8.1", "TDLEN[i]", startRing*16),
			write("8.2.3.9.8", "TDH[i]", 0),
			write("8.2.3.9.9", "TDT[i]", 0),
			write("4.6.8.1, 7.2.3.4.1 thresholds", "TXDCTL[i]", 36|8<<8),
			modify("4.6.8.1 DMATXCTL.TE, for the first queue", "DMATXCTL", 1, 0),
			modify("4.6.8.1 TXDCTL.ENABLE after it", "TXDCTL[i]", 1<<25, 0),
			until("4.6.8.1 wait until it is", "TXDCTL[i]", 1<<25),
		),
		[]access{until("4.6.4, 8.2.3.22.20 LINKS.UP", "LINKS", 1<<30)},
	)
}

// shutDown is the sequence of Close: 4.6.7.1.2, 4.6.8.2, 5.2.5.3.2.
func shutDown() []access {
	return sequence(
		[]access{
			write("4.6.3.1", "EIMC", 0x7fffffff),
			modify("4.6.7.1.2 no more frames come in", "RXCTRL", 0, 1),
		},
		each(startQueues,
			modify("4.6.7.1.2", "RXDCTL[i]", 0, 1<<25),
			untilNot("4.6.7.1.2 wait until it is off", "RXDCTL[i]", 1<<25),
		),
		each(startQueues,
			read("4.6.8.2 wait until all is sent", "TDH[i]"),
			modify("4.6.8.2", "TXDCTL[i]", 0, 1<<25),
			untilNot("4.6.8.2 wait until it is off", "TXDCTL[i]", 1<<25),
		),
		[]access{
			modify("4.6.8.2", "DMATXCTL", 0, 1),
			modify("8.2.3.1.3 CTRL_EXT.DRV_LOAD", "CTRL_EXT", 0, 1<<28),
			modify("5.2.5.3.2 master disable: CTRL.GIO_DIS", "CTRL", 1<<2, 0),
			untilNot("5.2.5.3.2 wait until no DMA is under way", "STATUS", 1<<19),
		},
	)
}

// named is an access to a register with its name.
type named struct {
	model.Event
	reg string
}

func name(e model.Event) named {
	row, i := facts.Registers.Find(e.Off)
	if row == nil {
		return named{e, e.String()}
	}
	return named{e, row.Label(i)}
}

// matches compares a trace with a sequence: all writes in this order and no others, every poll between
// the writes before and behind it until it has what it polls for.
func matches(trace []named, want []access) error {
	last := map[string]uint32{} // what software knows of a register
	at := 0
	te := false
	for n, w := range want {
		if w.reg == "DMATXCTL" && w.bits != 0 {
			if te {
				continue // for the first queue only
			}
			te = true
		}
		found := false
		for ; at < len(trace) && !found; at++ {
			e, reg := trace[at].Event, trace[at].reg
			if !e.Write {
				last[reg] = e.Value
				found = reg == w.reg && (w.verb == "read" || w.verb == "until" && e.Value&(w.bits|w.cleared) == w.bits)
				continue
			}
			before, known := last[reg]
			last[reg] = e.Value
			ok := reg == w.reg
			switch w.verb {
			case "write":
				ok = ok && e.Value == w.bits
			case "modify":
				ok = ok && known && e.Value == before&^w.cleared|w.bits
			case "read", "until":
				ok = false
			}
			if !ok {
				return fmt.Errorf("access %d: %v (%#x before), want line %d: %s %s set %#x clear %#x (%s)", at, e, before, n, w.verb, w.reg, w.bits, w.cleared, w.section)
			}
			found = true
		}
		if !found {
			return fmt.Errorf("no access for line %d: %s %s set %#x clear %#x (%s)", n, w.verb, w.reg, w.bits, w.cleared, w.section)
		}
	}
	for ; at < len(trace); at++ {
		if trace[at].Write {
			return fmt.Errorf("access %d: %v after the end of the sequence", at, trace[at].Event)
		}
	}
	return nil
}
