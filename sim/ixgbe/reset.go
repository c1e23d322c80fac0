package ixgbe

import (
	"time"

	chip "glassnic/chip/ixgbe"
)

// How long the card takes, in model time, after a reset (4.2, 4.6.3); the datasheet gives only limits.
const (
	resetTime = 1 * time.Microsecond // until CTRL.RST clears: Linux's driver looks for 10 µs
	ardTime   = 2 * time.Millisecond // until EEC.ARD is set
	dmaTime   = 3 * time.Millisecond // until RDRXCTL.DMAIDONE is set
	linkTime  = 5 * time.Millisecond // until LINKS.UP is set, also after AUTOC.RESTART_AN
	tickTime  = time.Millisecond     // of the default clock
)

// handshakes are the things that the card does by itself some time after it was told to.
type handshakes struct {
	pending               bool
	ticks                 time.Duration
	reset, ard, dma, link time.Duration // when, 0 for not pending
}

func (c *Card) now() time.Duration {
	if c.cfg.Clock != nil {
		return c.cfg.Clock()
	}
	return c.hs.ticks
}

// tick lets model time pass.
func (c *Card) tick() {
	c.hs.ticks += tickTime
	if f := Faults(c.faults.Load()); f != c.seen {
		c.faultsChanged(f)
	}
	if c.hs.pending {
		c.advance()
	}
}

// Reset is a power-on reset, which a function level reset also is to software (4.2.1): every
// register has its initial value, rings stop, and the handshakes of 4.6.3 begin.
func (c *Card) Reset() {
	c.clearState()
	c.hs = handshakes{ticks: c.hs.ticks}
	now := c.now()
	c.hs.ard, c.hs.dma, c.hs.link = now+ardTime, now+dmaTime, now+linkTime
	c.hs.pending = true
	c.control()
}

// softwareReset begins what CTRL.RST and CTRL.LRST ask for (4.2.1.6); advance ends it.
func (c *Card) softwareReset(bits uint32) {
	c.clearState()
	c.put(chip.CTRL, c.get(chip.CTRL)|bits)
	c.ctrl = c.get(chip.CTRL)
	c.hs = handshakes{ticks: c.hs.ticks, reset: c.now() + resetTime, pending: true}
}

// clearState gives every register its reset value and stops all queues.
func (c *Card) clearState() {
	c.unmarkValid()
	for word := range c.rows {
		c.put(uint32(word)*4, c.rows[word].reset)
	}
	c.resetInterrupts()
	c.clock = ptpClock{}
	c.shown = 0
	c.loadAddress()
	// The security blocks are always idle (8.2.3.12).
	c.put(chip.SECTXSTAT, chip.SectxstatRDY)
	c.put(chip.SECRXSTAT, chip.SecrxstatRDY)
	c.put(chip.STATUS, c.get(chip.STATUS)|chip.StatusGIO)
	c.put(chip.FWSM, chip.FwsmFWVAL) // firmware is there, and well (8.2.3.4.10)
	c.plugModule()
	c.link = false
	c.setLinks()
	c.rsc = coalescings{}
	for i := range c.rxq {
		c.rxq[i].stop()
		c.txq[i].stop()
		c.txq[i].journal.rate = 0
	}
	c.stats.total.RxFrames += uint64(c.fifo.len())
	c.stats.total.RxDisabled += uint64(c.fifo.len())
	c.fifo.clear()
	c.stats.clear()
	c.steering = steering{}
	c.ctrl = c.get(chip.CTRL)
	c.dirty = true
	c.markValid()
}

// advance does what has become due.
func (c *Card) advance() {
	now, f := c.now(), Faults(c.faults.Load())
	h := &c.hs
	if h.reset != 0 && now >= h.reset && f&StuckReset == 0 {
		h.reset = 0
		c.ctrl = c.get(chip.CTRL) &^ (chip.CtrlRST | chip.CtrlLRST)
		h.ard, h.dma, h.link = now+ardTime-resetTime, now+dmaTime-resetTime, now+linkTime-resetTime
		c.put(chip.CTRL, c.ctrl)
	}
	if h.ard != 0 && now >= h.ard && f&EEPROMNeverReady == 0 {
		h.ard = 0
		c.put(chip.EEC, c.get(chip.EEC)|chip.EecARD|chip.EecEEPRES)
	}
	if h.dma != 0 && now >= h.dma && f&DMANeverReady == 0 {
		h.dma = 0
		c.put(chip.RDRXCTL, c.get(chip.RDRXCTL)|chip.RdrxctlDMAIDONE)
	}
	if h.link != 0 && now >= h.link {
		h.link = 0
		c.watchWire()
	}
	h.pending = h.reset|h.ard|h.dma|h.link != 0
}

// control reacts to CTRL: reset bits and the PCIe master disable (5.2.5.3.2).
func (c *Card) control() {
	v := c.get(chip.CTRL)
	if bits := v & (chip.CtrlRST | chip.CtrlLRST); bits != 0 && c.hs.reset == 0 {
		c.softwareReset(bits)
		v = c.ctrl
	}
	c.ctrl = v
	c.master = v&chip.CtrlGIODIS == 0 && !c.noMaster.Load()
	// DMA is never under way between two moves, so the status follows at once.
	status := c.get(chip.STATUS)
	want := status | chip.StatusGIO
	if v&chip.CtrlGIODIS != 0 && Faults(c.faults.Load())&StuckMaster == 0 {
		want = status &^ chip.StatusGIO
	}
	if want != status {
		c.put(chip.STATUS, want)
	}
}

// autoc reacts to AUTOC.RESTART_AN: the link goes down and comes up again (4.6.4).
func (c *Card) autoc() {
	v := c.get(chip.AUTOC)
	if v&chip.AutocRestartAN == 0 {
		return
	}
	c.hs.link, c.hs.pending = c.now()+linkTime, true
	c.put(chip.ANLP1, negotiating)
	c.watchWire()
	c.put(chip.AUTOC, v&^chip.AutocRestartAN) // last: whoever sees it cleared sees the link down
}

// negotiating is the state of auto-negotiation in ANLP1 (8.2.3.22.23, bits 19:16): any but zero, as Linux's driver reads
// it; the datasheet has no list.
const negotiating = 1 << 16

// mdio answers MSCA as a bus without a PHY does (8.2.3.22.11).
func (c *Card) mdio() {
	if v := c.get(chip.MSCA); v&chip.MscaMDICMD != 0 {
		c.put(chip.MSRWD, c.get(chip.MSRWD)&0xFFFF|0xFFFF<<chip.MsrwdReadShift)
		c.put(chip.MSCA, v&^chip.MscaMDICMD)
	}
}

// watchWire brings LINKS, STATUS and EICR.LSC up to date with the cable.
func (c *Card) watchWire() {
	c.plugged = c.wire.Up()
	forced := c.get(chip.AUTOC)&chip.AutocFLU != 0 // whatever the cable
	up := (forced || c.plugged && c.hs.link == 0) && c.hs.reset == 0 && Faults(c.faults.Load())&LinkDown == 0
	if up != c.link {
		c.link = up
		c.setLinks()
		c.cause(chip.EicrLSC)
		c.showInterrupts()
	}
}

func (c *Card) setLinks() {
	status := c.get(chip.STATUS) &^ chip.StatusLinkUp
	var links uint32
	if c.link {
		status |= chip.StatusLinkUp
		links = chip.LinksUP | chip.LinksSPEED10G | linksStatus
		switch c.get(chip.AUTOC) & chip.AutocLMS {
		case chip.AutocLMS1G, chip.AutocLMS1GAN:
			links = chip.LinksUP | chip.LinksSPEED1G | linksStatus
		}
	}
	c.put(chip.LINKS, links)
	c.put(chip.STATUS, status)
}

// loadAddress sets the first receive address from the EEPROM (8.2.3.7.8).
func (c *Card) loadAddress() {
	m := c.cfg.MAC
	c.put(chip.RAL(0), uint32(m[0])|uint32(m[1])<<8|uint32(m[2])<<16|uint32(m[3])<<24)
	c.put(chip.RAH(0), uint32(m[4])|uint32(m[5])<<8|chip.RahAV)
}
