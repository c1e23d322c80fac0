package ixgbe

import chip "glassnic/chip/ixgbe"

const (
	lookEvery = 256 // polls between two looks at registers that rarely change
	idleEvery = 16  // the same while nothing moves
)

// watched are the control registers that each poll looks at; the rest waits for refresh.
var watched = [4]uint32{chip.RXCTRL, chip.DMATXCTL, chip.FCTRL, chip.EERD}

// Poll looks for what the driver has written to the register file and moves up to budget frames in each
// direction of each queue. It returns the number of frames moved. Heads and counters in the
// register file are up to date after a poll that moved nothing.
func (c *Card) Poll(budget int) int {
	c.polled = true
	c.polls++
	c.tick()
	if c.seen&Pulled != 0 {
		c.spill()
		c.stats.snapshot()
		return 0
	}
	c.look()
	n := c.move(budget)
	c.interrupt()
	if n == 0 && c.polls%idleEvery == 0 || c.polls%lookEvery == 0 {
		c.Sync()
	}
	return n
}

// Sync looks at all registers, whatever Poll would do, and publishes the counters.
func (c *Card) Sync() {
	if c.seen&Pulled != 0 {
		return
	}
	c.autoc()
	c.mdio()
	c.fdirControl()
	c.fdirCommand()
	c.lookInterrupts()
	c.watchWire()
	c.refresh()
	c.showInterrupts()
	c.interrupt()
	c.stats.publish(c)
}

// look notices changes of what matters at once: control registers and queues.
func (c *Card) look() {
	if c.get(chip.CTRL) != c.ctrl {
		c.control()
	}
	for i, off := range watched {
		if v := c.get(off); v != c.watch[i] {
			c.watch[i], c.dirty = v, true
			if off == chip.EERD {
				c.readEEPROM()
				c.watch[i] = c.get(off)
			}
		}
	}
	if c.irq.line.Load() != nil {
		c.lookInterrupts()
	}
	for _, i := range c.rxOn {
		c.dirty = c.dirty || c.rxq[i].changed()
	}
	for _, i := range c.txOn {
		c.dirty = c.dirty || c.txq[i].changed()
	}
}

// refresh takes over every setting from the register file.
func (c *Card) refresh() {
	c.dirty = false
	c.rxEnabled = c.get(chip.RXCTRL)&chip.RxctrlRXEN != 0
	c.txEnabled = c.get(chip.DMATXCTL)&chip.DmatxctlTE != 0
	c.mac.load(c)
	c.rss.load(c)
	c.loadClock()
	c.steering.load(c)
	c.stats.load(c)
	if c.polled {
		c.selected().journal.rate = c.get(chip.RTTBCNRC)
	}
	c.rxOn, c.txOn = c.rxOn[:0], c.txOn[:0]
	for i := range c.rxq {
		if q := &c.rxq[i]; q.on || q.reg(atCtl)&enable != 0 {
			if q.load(c); q.on {
				c.rxOn = append(c.rxOn, i)
			}
		}
		if q := &c.txq[i]; q.on || q.reg(atCtl)&enable != 0 {
			if q.load(c); q.on {
				c.txOn = append(c.txOn, i)
			}
		}
	}
	if c.polled {
		c.unstick()
	}
}

// unstick clears the ENABLE bits that a fault keeps from being set.
func (c *Card) unstick() {
	if c.seen&(StuckRxEnable|StuckTxEnable) == 0 {
		return
	}
	for i := range queues {
		if q := &c.rxq[i]; c.seen&StuckRxEnable != 0 && q.reg(atCtl)&enable != 0 {
			q.setReg(atCtl, q.reg(atCtl)&^enable)
		}
		if q := &c.txq[i]; c.seen&StuckTxEnable != 0 && q.reg(atCtl)&enable != 0 {
			q.setReg(atCtl, q.reg(atCtl)&^enable)
		}
	}
}
