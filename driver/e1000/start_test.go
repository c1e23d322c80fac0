package e1000_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	facts "glassnic/chip/e1000"
	"glassnic/driver/e1000"
	"glassnic/nic"
)

// access is one line of a sequence that the documents prescribe. A register is named as there; [0-7] stands for all
// of an array in order, [i] for that of the queue in each.
type access struct {
	section, verb, reg string
	bits, cleared      uint32
}

func write(section, reg string, v uint32) access { return access{section, "write", reg, v, 0} }

// place writes an address or a size, whatever it is.
func place(section, reg string) access { return access{section, "place", reg, 0, 0} }

// modify sets and clears bits and leaves the others.
func modify(section, reg string, set, cleared uint32) access {
	return access{section, "modify", reg, set, cleared}
}

// until polls a register until all bits are set, untilNot until all are clear.
func until(section, reg string, bits uint32) access    { return access{section, "until", reg, bits, 0} }
func untilNot(section, reg string, bits uint32) access { return access{section, "until", reg, 0, bits} }

// read reads a register once.
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

// the settings of a start
const (
	startRing = 128
	startMTU  = 9000
)

// when leaves lines out where a condition does not hold.
func when(cond bool, lines ...access) []access {
	if cond {
		return lines
	}
	return nil
}

// mdio is one access to the PHY at address 1, in which n is what is put into MDIC and what has come out of it.
func mdio(section string, op, reg uint32, data uint16) []access {
	return []access{
		write(section, "MDIC", op<<26|1<<21|reg<<16|uint32(data)),
		until("8254x 13.4.7 MDIC.R", "MDIC", 1<<28),
	}
}

// startUp is the sequence of 8254x 14.3 to 14.5, 82574 4.6 and I210 4.5: reset, EEPROM, address, link, statistics,
// reception, transmission, for as many queues, rings of 128 descriptors, MTU 9000 and promiscuous mode.
func startUp(kind facts.Kind, queues int) []access {
	legacy, extended, advanced := kind == facts.Legacy, kind == facts.Extended, kind == facts.Advanced
	mask := append([]access{write("8254x 13.4.21 all masked", "IMC", 0xffffffff)},
		when(advanced, write("I210 8.8.6 and the extended ones", "EIMC", 0xffffffff))...)
	semaphore := func(lines ...access) []access {
		return sequence(
			[]access{
				untilNot("82576 8.7.1 SWSM.SMBI by reading", "SWSM", 1),
				modify("82576 8.7.1 SWSM.SWESMBI by writing", "SWSM", 1<<1, 0),
				until("82576 8.7.1 until it sticks", "SWSM", 1<<1),
			},
			lines,
			[]access{modify("82576 8.7.1 both given back", "SWSM", 0, 3)},
		)
	}
	ownMDIO := when(extended,
		modify("82574 10.2.2 EXTCNF_CTRL.MDIO_SW", "EXTCNF_CTRL", 1<<5, 0),
		until("82574 10.2.2 until it sticks", "EXTCNF_CTRL", 1<<5),
	)
	giveMDIO := when(extended, modify("82574 10.2.2", "EXTCNF_CTRL", 0, 1<<5))
	var ownPHY, givePHY []access
	if advanced {
		ownPHY = semaphore(modify("82576 8.7.3 SW_FW_SYNC.SW_PHY_SM0", "SW_FW_SYNC", 1<<1, 0))
		givePHY = semaphore(modify("82576 8.7.3", "SW_FW_SYNC", 0, 1<<1))
	}
	gran, prefetch, host := uint32(1<<24), uint32(32), uint32(4)
	txPrefetch, txHost := uint32(31), uint32(1)
	if advanced {
		gran, prefetch, host, txPrefetch, txHost = 0, 8, 8, 8, 1
	}
	longest := uint32(startMTU + 14 + 8 + 4)
	rctl := uint32(1<<15 | 1<<26 | 1<<3 | 1<<4 | 1<<5) // BAM, SECRC, UPE, MPE, LPE; buffers of 2 KiB
	count := uint32(0)
	if extended {
		count = 1 << 22
	}
	gio := func(to uint32) []access {
		if to == 0 {
			return when(!legacy, modify("I210 5.2.3 and DMA is allowed again", "CTRL", 0, 1<<2))
		}
		return when(!legacy,
			modify("I210 5.2.3 master disable: CTRL.GIO_DIS", "CTRL", 1<<2, 0),
			untilNot("I210 5.2.3 wait until no DMA is under way", "STATUS", 1<<19))
	}
	counters := []access{
		read("I210 4.5.8 counters are cleared by reading them", "CRCERRS"),
		read("I210 4.5.8", "GPRC"),
		read("I210 8.18.30 low before high", "GORCL"),
		read("I210 8.18.30", "GORCH"),
	}
	asde := uint32(0)
	if legacy {
		asde = 1 << 5
	}
	return sequence(
		mask,
		[]access{
			write("8254x 13.4.22 no more frames come in", "RCTL", 0),
			write("8254x 13.4.33 or go out", "TCTL", 1<<3),
		},
		gio(1),
		ownMDIO,
		[]access{
			modify("8254x 13.4.1 reset: CTRL.RST", "CTRL", 1<<26, 0),
			untilNot("8254x 13.4.1 RST clears itself", "CTRL", 1<<26),
		},
		giveMDIO,
		gio(0),
		mask,
		when(!legacy, until("82576 8.4.1 EEPROM read: EEC.AUTO_RD", "EEC", 1<<9)),
		when(advanced, until("82576 8.4 PHY set up: EEMNGCTL.CFG_DONE0", "EEMNGCTL", 1<<18)),
		when(!legacy, modify("82576 8.2.3 CTRL_EXT.DRV_LOAD", "CTRL_EXT", 1<<28, 0)),
		when(extended,
			modify("82574 errata", "CTRL", 0, 1<<29),
			modify("82574 errata", "CTRL_EXT", 1<<22, 1<<23),
			modify("82574 errata", "GCR", 1<<22, 0),
			modify("82574 errata", "GCR2", 1, 0),
		),
		[]access{
			place("8254x 13.5.2 own address", "RAL[0]"),
			place("8254x 13.5.3 with RAH.AV, after the low half", "RAH[0]"),
			modify("8254x 14.3 link: CTRL.SLU, speed and duplex from the PHY, no flow control", "CTRL", 1<<6|asde, 1<<7|1<<11|1<<12|1<<27|1<<28),
			write("8254x 13.4.23 no XON and XOFF", "FCRTL", 0),
			write("8254x 13.4.24", "FCRTH", 0),
		},
		ownMDIO, ownPHY,
		mdio("IEEE 802.3 28.2.4.1.3 what is advertised", 2, 4, 0),
		mdio("IEEE 802.3 28.2.4.1.3 10 and 100 Mb/s, no pause", 1, 4, 0x01e1),
		mdio("IEEE 802.3 40.5.1.1", 2, 9, 0),
		mdio("IEEE 802.3 40.5.1.1 1 Gb/s", 1, 9, 1<<9),
		mdio("IEEE 802.3 22.2.4.1", 2, 0, 0),
		mdio("IEEE 802.3 22.2.4.1 powered up, auto-negotiation restarted", 1, 0, 1<<12|1<<9),
		giveMDIO, givePHY,
		counters,
		[]access{
			write("8254x 14.4 multicast table", "MTA[0-127]", 0),
			write("8254x 14.4 VLAN table", "VFTA[0-127]", 0),
			write("I210 4.5.9 RCTL with EN off", "RCTL", rctl),
		},
		when(extended, modify("82574 7.1 RFCTL.EXSTEN", "RFCTL", 1<<15, 0)),
		when(advanced, write("I210 7.1.1.4 RLPML", "RLPML", longest)),
		when(queues > 1,
			place("82576 8.10 RSS key", "RSSRK[0-9]"),
			place("82576 8.10 redirection table", "RETA[0-31]"),
			modify("82576 8.10 RXCSUM.PCSD, for the hash", "RXCSUM", 1<<13, 0),
			write("82576 8.10 MRQC: RSS over addresses and ports", "MRQC", 2|1<<16|1<<17|1<<20|1<<21|1<<22|1<<23),
		),
		each(queues, sequence(
			when(advanced,
				modify("I210 8.10.4 addresses are for queues that are off", "RXDCTL[i]", 0, 1<<25),
				untilNot("I210 4.5.9", "RXDCTL[i]", 1<<25)),
			[]access{
				place("8254x 14.4 receive ring", "RDBAL[i]"),
				place("8254x 14.4", "RDBAH[i]"),
				write("8254x 14.4", "RDLEN[i]", startRing*16),
			},
			when(advanced, write("82576 8.10.2 SRRCTL: 2 KiB, advanced, DROP_EN", "SRRCTL[i]", 2|1<<25|1<<31)),
			[]access{
				write("8254x 14.4", "RDH[i]", 0),
				write("8254x 14.4", "RDT[i]", 0),
				write("82574 10.2.5 thresholds", "RXDCTL[i]", prefetch|host<<8|1<<16|gran),
			},
			when(advanced,
				modify("I210 4.5.9 RXDCTL.ENABLE after all that", "RXDCTL[i]", 1<<25, 0),
				until("I210 4.5.9 wait until it is", "RXDCTL[i]", 1<<25)),
			[]access{write("I210 8.10.8 only then the tail", "RDT[i]", startRing-1)},
		)...),
		[]access{
			write("8254x 14.4 RCTL.EN last", "RCTL", rctl|1<<1),
			modify("8254x 14.5 TCTL: PSP, RTLC, CT 15, COLD 63", "TCTL", 1<<3|1<<24|15<<4|63<<12, 1<<1|0xf0<<4|0x3c0<<12),
		},
		when(!advanced, write("8254x 14.5 TIPG", "TIPG", 8|8<<10|6<<20)),
		when(extended, modify("82574 errata", "TARC[0]", 1<<26, 0xf<<27)),
		each(queues, sequence(
			when(advanced,
				modify("I210 4.5.10", "TXDCTL[i]", 0, 1<<25),
				untilNot("I210 4.5.10", "TXDCTL[i]", 1<<25)),
			[]access{
				place("8254x 14.5 transmit ring", "TDBAL[i]"),
				place("8254x 14.5", "TDBAH[i]"),
				write("8254x 14.5", "TDLEN[i]", startRing*16),
				write("8254x 14.5", "TDH[i]", 0),
				write("8254x 14.5", "TDT[i]", 0),
				write("I210 8.12.15 thresholds", "TXDCTL[i]", txPrefetch|txHost<<8|gran|count),
			},
			when(advanced,
				modify("I210 4.5.10 TXDCTL.ENABLE after all that", "TXDCTL[i]", 1<<25, 0),
				until("I210 4.5.10 wait until it is", "TXDCTL[i]", 1<<25)),
		)...),
		[]access{
			modify("I210 4.5.10 TCTL.EN last", "TCTL", 1<<1, 0),
			until("8254x 13.4.2 STATUS.LU", "STATUS", 1<<1),
		},
	)
}

// shutDown is the sequence of Close: I210 4.5.9, 4.5.10, 5.2.3.
func shutDown(kind facts.Kind, queues int) []access {
	legacy, advanced := kind == facts.Legacy, kind == facts.Advanced
	mask := append([]access{write("8254x 13.4.21", "IMC", 0xffffffff)},
		when(advanced, write("I210 8.8.6", "EIMC", 0xffffffff))...)
	return sequence(
		mask,
		[]access{modify("I210 4.5.9 no more frames come in", "RCTL", 0, 1<<1)},
		each(queues, when(advanced,
			modify("I210 4.5.9", "RXDCTL[i]", 0, 1<<25),
			untilNot("I210 4.5.9 wait until it is off", "RXDCTL[i]", 1<<25),
		)...),
		each(queues, append([]access{read("I210 4.5.10 wait until all is sent", "TDH[i]")}, when(advanced,
			modify("I210 4.5.10", "TXDCTL[i]", 0, 1<<25),
			untilNot("I210 4.5.10 wait until it is off", "TXDCTL[i]", 1<<25),
		)...)...),
		[]access{modify("I210 4.5.10 after all queues", "TCTL", 0, 1<<1)},
		when(!legacy,
			modify("82576 8.2.3 CTRL_EXT.DRV_LOAD", "CTRL_EXT", 0, 1<<28),
			modify("I210 5.2.3 master disable: CTRL.GIO_DIS", "CTRL", 1<<2, 0),
			untilNot("I210 5.2.3 wait until no DMA is under way", "STATUS", 1<<19),
		),
		[]access{
			modify("8254x 13.4.1 reset", "CTRL", 1<<26, 0),
			untilNot("8254x 13.4.1", "CTRL", 1<<26),
		},
		mask,
	)
}

// matches compares a trace with a sequence: all writes in this order and no others, every poll between
// the writes before and behind it until it has what it polls for.
func (c *card) matches(trace []event, want []access) error {
	last := map[string]uint32{} // what software knows of a register
	at := 0
	for n, w := range want {
		found := false
		for ; at < len(trace) && !found; at++ {
			e := trace[at]
			reg := c.label(e.off)
			if !e.write {
				last[reg] = e.value
				found = reg == w.reg && (w.verb == "read" || w.verb == "until" && e.value&(w.bits|w.cleared) == w.bits)
				continue
			}
			before, known := last[reg]
			last[reg] = e.value
			ok := reg == w.reg
			switch w.verb {
			case "write":
				ok = ok && e.value == w.bits
			case "modify":
				ok = ok && known && e.value == before&^w.cleared|w.bits
			case "read", "until":
				ok = false
			}
			if !ok {
				return fmt.Errorf("access %d: %s write %#x (%#x before), want line %d: %s %s set %#x clear %#x (%s)", at, reg, e.value, before, n, w.verb, w.reg, w.bits, w.cleared, w.section)
			}
			found = true
		}
		if !found {
			return fmt.Errorf("no access for line %d: %s %s set %#x clear %#x (%s)", n, w.verb, w.reg, w.bits, w.cleared, w.section)
		}
	}
	for ; at < len(trace); at++ {
		if trace[at].write {
			return fmt.Errorf("access %d: %s write %#x after the end of the sequence", at, c.label(trace[at].off), trace[at].value)
		}
	}
	return nil
}

func TestStartAndCloseOrder(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		queues := 1
		if c.Kind == facts.Advanced {
			queues = 2
		}
		r := open(t, c, nic.Config{RxQueues: queues, TxQueues: queues, RxRing: startRing, TxRing: startRing, MTU: startMTU, Promiscuous: true})
		full := startUp(c.Kind, queues)
		if err := c.matches(c.trace, full); err != nil {
			t.Error("open:", err)
		}
		// Each single line counts: without it the same trace does not match.
		for i := range full {
			less := append(append([]access(nil), full[:i]...), full[i+1:]...)
			if full[i].verb != "until" && full[i].verb != "read" && c.matches(c.trace, less) == nil {
				t.Errorf("the sequence also matches without line %d, %s %s", i, full[i].verb, full[i].reg)
			}
		}
		c.trace = nil
		if err := r.dev.Close(); err != nil {
			t.Fatal(err)
		}
		if err := c.matches(c.trace, shutDown(c.Kind, queues)); err != nil {
			t.Error("close:", err)
		}
	})
	if e1000.ResetPause < 20*time.Millisecond {
		t.Errorf("the driver waits %v after a reset, want 20ms for the EEPROM", e1000.ResetPause)
	}
}

// All models start and work; what some have besides is set up.
func TestModels(t *testing.T) {
	for name, device := range others {
		t.Run(name, func(t *testing.T) {
			c := newCard(device)
			c.regs[facts.PHPM] |= 1 << 5
			page := false
			c.onAccess = func(e event) {
				page = page || e.write && e.off == facts.MDIC && e.value == 1<<26|1<<21|22<<16
				if e.write && e.off == facts.MDIC && e.value>>16&31 == 0 && c.Pages && !page {
					t.Error("the PHY is accessed before its page is chosen")
				}
			}
			r := open(t, c, small)
			if page != strings.HasPrefix(name, "I21") {
				t.Errorf("the PHY's page was chosen: %v", page)
			}
			r.put(frame(60, 1))
			r.step()
			same(t, "received", r.receive(0, 4), [][]byte{frame(60, 1)})
			r.send(0, frame(60, 2), 30)
			r.step()
			same(t, "sent", c.out, [][]byte{frame(60, 2)})
		})
	}
	c := newCard(0x1521)
	c.onAccess = func(e event) {
		if e.write && e.off == facts.CTRL && e.value&(1<<26) == 0 && e.value&(1<<6) != 0 {
			c.regs[facts.PHPM] |= 1 << 5 // as an EEPROM may have it
			c.onAccess = nil
		}
	}
	open(t, c, small)
	if c.regs[facts.PHPM] != 0 {
		t.Error("the link stays disconnected")
	}
}
