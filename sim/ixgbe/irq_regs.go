package ixgbe

import (
	"sync/atomic"

	chip "glassnic/chip/ixgbe"
)

func (n *interrupts) setMask(v uint32) {
	n.open |= uint64(v & chip.EicrRTxQ)
	n.opened |= v & otherCauses
}

func (n *interrupts) clearMask(v uint32) {
	n.open &^= uint64(v & chip.EicrRTxQ)
	n.opened &^= v & otherCauses
}

// eims is what EIMS reads as.
func (n *interrupts) eims() uint32 { return uint32(n.open)&chip.EicrRTxQ | n.opened }

// eicr is what EICR reads as.
func (n *interrupts) eicr() uint32 { return uint32(n.queues)&chip.EicrRTxQ | n.other }

// writeInterrupt is a trapped write to one of the registers whose rules an access mode cannot say
// (8.2.3.5.1–10). It reports false for others.
func (c *Card) writeInterrupt(off, v uint32) bool {
	n := &c.irq
	auto := uint32(0) // masks that a write to a cause changes without EIAME (8.2.3.5.6)
	if c.get(chip.GPIE)&chip.GpieEIAME == 0 {
		auto = v & uint32(c.autoMask())
	}
	high := 32 * int((off&0xF)/4) // of the registers for 64 causes
	switch off {
	case chip.EICR:
		n.queues &^= uint64(v & chip.EicrRTxQ)
		n.other &^= v
		n.clearMask(auto)
	case chip.EICS:
		n.queues |= uint64(v & chip.EicrRTxQ)
		c.cause(v)
		n.setMask(auto)
	case chip.EIMS:
		n.setMask(v)
	case chip.EIMC:
		n.clearMask(v)
	case chip.EICS_EX(0), chip.EICS_EX(1):
		n.queues |= uint64(v) << high
	case chip.EIMS_EX(0), chip.EIMS_EX(1):
		n.open |= uint64(v) << high
	case chip.EIMC_EX(0), chip.EIMC_EX(1):
		n.open &^= uint64(v) << high
	case chip.EIAM: // its first 16 bits are those of EIAM_EX
		c.put(chip.EIAM_EX(0), c.get(chip.EIAM_EX(0))&^chip.EicrRTxQ|v&chip.EicrRTxQ)
		c.put(chip.EIAM, v)
	case chip.EIAM_EX(0):
		c.put(chip.EIAM, c.get(chip.EIAM)&^chip.EicrRTxQ|v&chip.EicrRTxQ)
		c.put(off, v)
	default:
		return false
	}
	c.showInterrupts()
	c.interrupt()
	return true
}

// readCauses is a trapped read of EICR: it clears them, with GPIE.OCD only those of bits 16 to 29
// (8.2.3.5.1, 8.2.3.5.18).
func (c *Card) readCauses() uint32 {
	n := &c.irq
	v := n.eicr()
	gone := v
	if c.get(chip.GPIE)&chip.GpieOCD != 0 {
		gone &= 0x3FFF0000
	}
	n.queues &^= uint64(gone & chip.EicrRTxQ)
	n.other &^= gone
	if c.get(chip.GPIE)&chip.GpieEIAME == 0 {
		n.clearMask(gone & uint32(c.autoMask()))
	}
	c.showInterrupts()
	c.interrupt()
	return v
}

// showInterrupts brings the registers up to date. A polled driver's write to EIMS since the last look stays for
// the next.
func (c *Card) showInterrupts() {
	n := &c.irq
	if v := n.eicr(); c.get(chip.EICR) != v {
		c.put(chip.EICR, v)
	}
	c.showMask(c.shown)
}

// showMask replaces EIMS, if it still is what it is taken for.
func (c *Card) showMask(is uint32) {
	n := &c.irq
	if v := n.eims(); is == v || c.swap(chip.EIMS, is, v) {
		c.shown = v
	}
	if c.polled {
		return
	}
	c.put(chip.EIMS_EX(0), uint32(n.open))
	c.put(chip.EIMS_EX(1), uint32(n.open>>32))
}

// lookInterrupts notices what a polled driver wrote. EIMC reads as zero and EIMS without its bits once that
// has been done. A driver waits for that before it writes EIMS, and writes all bits to EIMS that it wants to
// be set, since a second write may come before a look. Writes to EICR are not seen: a one that is written
// looks like a one that is shown.
func (c *Card) lookInterrupts() {
	n := &c.irq
	shut := c.get(chip.EIMC) // before EIMS, which was written before
	open := c.get(chip.EIMS)
	if v := c.get(chip.EICS); v != 0 && c.swap(chip.EICS, v, 0) {
		n.queues |= uint64(v & chip.EicrRTxQ)
		c.cause(v)
	}
	if open == c.shown && shut == 0 {
		return
	}
	n.setMask(open)
	if shut != 0 {
		n.clearMask(shut)
		c.swap(chip.EIMC, shut, 0)
	}
	c.showMask(open)
}

// swap writes a register that a polled driver may write at the same time; false if it has.
func (c *Card) swap(off, is, v uint32) bool {
	return atomic.CompareAndSwapUint32(&c.regs[off/4%barWords], is, v)
}
