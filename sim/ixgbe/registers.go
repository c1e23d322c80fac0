package ixgbe

import (
	"fmt"

	chiptype "glassnic/chip"
	chip "glassnic/chip/ixgbe"
)

// Event is one trapped register access.
type Event struct {
	Write bool
	Off   uint32 // byte offset in BAR0
	Value uint32 // written, or returned by the read
}

// String names the register as the datasheet does, such as "write RDT[0] 0x1ff".
func (e Event) String() string {
	verb := "read"
	if e.Write {
		verb = "write"
	}
	name := fmt.Sprintf("%#05x", e.Off)
	if r, i := chip.Registers.Find(e.Off); r != nil {
		name = r.Label(i)
	}
	return fmt.Sprintf("%s %s %#x", verb, name, e.Value)
}

// Read32 implements mmio.Hook: a register read that the card sees.
func (c *Card) Read32(off uint32) uint32 {
	c.tick()
	v := c.read(c.canonical(off))
	if c.cfg.Trace != nil {
		c.cfg.Trace(Event{Off: off, Value: v})
	}
	return v
}

// Write32 implements mmio.Hook: a register write that the card sees.
func (c *Card) Write32(off, v uint32) {
	c.write(c.canonical(off), v)
	if c.cfg.Trace != nil {
		c.cfg.Trace(Event{Write: true, Off: off, Value: v})
	}
}

// canonical returns the address under which the table lists a register that has two.
func (c *Card) canonical(off uint32) uint32 {
	off = off &^ 3 % chip.BARSize
	if !c.rows[off/4].known {
		return chip.Canonical(off) % chip.BARSize
	}
	return off
}

func (c *Card) read(off uint32) uint32 {
	f := Faults(c.faults.Load())
	if f&Pulled != 0 {
		return ^uint32(0)
	}
	row := &c.rows[off/4]
	if !row.known {
		return 0
	}
	if v, ok := c.stats.read(off); ok {
		return v
	}
	v := c.get(off)
	switch off {
	case chip.SWSM:
		c.put(off, v|chip.SwsmSMBI) // taken by whoever reads it clear (8.2.3.4.9)
		return v
	case chip.EICR:
		return c.readCauses()
	case chip.I2CCTL:
		return c.i2c.lines(v)
	case chip.SYSTIML, chip.SYSTIMH, chip.RXSTMPH, chip.TXSTMPH:
		return c.readClock(off, v)
	}
	if i, tx, at, ok := queueRegister(off); ok && at == atCtl {
		if c.dirty {
			c.refresh()
		}
		if tx {
			return c.txq[i].echo(v)
		}
		return c.rxq[i].echo(v)
	}
	switch row.access {
	case chiptype.WO:
		return 0
	case chiptype.RC, chiptype.RCW:
		c.put(off, 0)
	}
	return v
}

func (c *Card) write(off, v uint32) {
	if Faults(c.faults.Load())&Pulled != 0 {
		return
	}
	row := &c.rows[off/4]
	if !row.known {
		return
	}
	old := c.get(off)
	if c.writeInterrupt(off, v) {
		return
	}
	i, tx, at, isQueue := queueRegister(off)
	switch row.access {
	case chiptype.RO, chiptype.RC:
		// Heads can be written while their queue is off (8.2.3.9.8).
		if c.dirty {
			c.refresh()
		}
		if !isQueue || at != atHead || tx && c.txq[i].on || !tx && c.rxq[i].on {
			return
		}
	case chiptype.RW1C:
		v = old &^ v
	case chiptype.RW1S:
		v |= old
	}
	v &= row.writable
	switch off {
	case chip.EEC: // the card's own bits stay (8.2.3.2.1)
		const own = chip.EecARD | chip.EecEEPRES | chip.EecEEGNT
		v = v&^own | old&own
		if v&chip.EecEEREQ != 0 {
			v |= chip.EecEEGNT
		} else {
			v &^= chip.EecEEGNT
		}
	case chip.ESDP:
		v = c.pins(v)
	case chip.RDRXCTL:
		v = v&^chip.RdrxctlDMAIDONE | old&chip.RdrxctlDMAIDONE
	case chip.TSYNCRXCTL:
		v = v&^chip.TsyncrxctlRXTT | old&chip.TsyncrxctlRXTT
	case chip.TSYNCTXCTL:
		v = v&^chip.TsynctxctlTXTT | old&chip.TsynctxctlTXTT
	}
	c.put(off, v)
	c.dirty = true
	switch off {
	case chip.CTRL:
		c.control()
	case chip.AUTOC:
		c.autoc()
	case chip.I2CCTL:
		c.i2c.drive(v)
	case chip.MSCA:
		c.mdio()
	case chip.EERD:
		c.readEEPROM()
	case chip.SYSTIML, chip.SYSTIMH, chip.TIMINCA, chip.TIMADJH:
		c.writeClock(off, v)
	case chip.RTTDQSEL:
		c.put(chip.RTTBCNRC, c.selected().journal.rate)
	case chip.RTTBCNRC:
		c.selected().journal.rate = v
	case chip.FDIRCTRL:
		c.fdirControl()
	case chip.FDIRCMD:
		c.fdirCommand()
	}
	if isQueue && at == atCtl {
		c.refresh() // an ENABLE that is cleared and set again is a new start
	}
	if isQueue && at == atTail && c.cfg.Eager {
		c.move(batch)
		c.showInterrupts()
		c.interrupt()
		c.stats.snapshot()
	}
}
