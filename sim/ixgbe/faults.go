package ixgbe

import chip "glassnic/chip/ixgbe"

// Faults is a set of ways in which the card misbehaves.
type Faults uint32

// What can be switched on at any time, also together.
const (
	StuckReset       Faults = 1 << iota // CTRL.RST never clears
	EEPROMNeverReady                    // EEC.ARD is never set
	DMANeverReady                       // RDRXCTL.DMAIDONE is never set
	StuckMaster                         // STATUS.GIO stays set after CTRL.GIODIS
	StuckRxEnable                       // RXDCTL.ENABLE never reads as one
	StuckTxEnable                       // TXDCTL.ENABLE never reads as one
	Pulled                              // every register reads as all ones; healing it resets the card
	LinkDown                            // the cable is cut
	LieRxLength                         // received lengths are larger than the buffer
	LieRxUnposted                       // DD on a descriptor that was never posted, before each frame
	LieRxEarly                          // DD although the data was not written
	LieRxNoEOP                          // received frames never end
	LieTxEarly                          // DD on transmit descriptors before the frame is sent

	lies = LieRxLength | LieRxUnposted | LieRxEarly | LieRxNoEOP
)

// Inject switches faults on. It is safe for concurrent use.
func (c *Card) Inject(f Faults) { c.faults.Or(uint32(f)) }

// Heal switches faults off. It is safe for concurrent use.
func (c *Card) Heal(f Faults) { c.faults.And(^uint32(f)) }

// Faults returns the faults that are on. It is safe for concurrent use.
func (c *Card) Faults() Faults { return Faults(c.faults.Load()) }

// faultsChanged acts on a change, in the goroutine that steps the card.
func (c *Card) faultsChanged(f Faults) {
	was := c.seen
	c.seen = f
	c.dirty = true
	c.hs.pending = true
	switch {
	case f&^was&Pulled != 0:
		if c.polled {
			c.drown()
		}
	case was&^f&Pulled != 0:
		c.Reset()
	}
	if f&Pulled == 0 {
		c.control()
		c.watchWire()
	}
}

// drown makes the register file of a polled card what a bus without a card reads as.
func (c *Card) drown() {
	for i := range c.regs {
		store32(&c.regs[i], ^uint32(0))
	}
}

// lieBefore puts DD on a descriptor behind the tail, which the card does not own.
func (c *Card) lieBefore(q *rxQueue) {
	if c.seen&LieRxUnposted == 0 {
		return
	}
	d := &q.ring[q.reg(atTail)%q.size]
	store64(&d.hi, chip.RxDD|chip.RxEOP|minFrame<<chip.RxLenShift)
}

// lie falsifies the status and the length of a write-back.
func (c *Card) lie(q *rxQueue, status uint64, size int) (uint64, int) {
	if c.seen&LieRxLength != 0 {
		size = min(q.bufSize+1000, 0xFFFF)
	}
	if c.seen&LieRxNoEOP != 0 {
		status &^= chip.RxEOP
	}
	return status, size
}

// lieEarly reports all that is in the ring as sent.
func (q *txQueue) lieEarly() {
	for i, n := q.head, q.left; n > 0; n-- {
		if d := &q.ring[i]; d.hi&chip.TxDCMDRS != 0 {
			store64(&d.hi, d.hi|chip.TxDD)
		}
		if i++; i == q.size {
			i = 0
		}
	}
}
