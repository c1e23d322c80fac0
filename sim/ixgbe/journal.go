package ixgbe

import chip "glassnic/chip/ixgbe"

// The journal is what lets another process go on where this one was killed, between any two stores:
// head registers are written once per batch, descriptors one by one. It lies in offsets of BAR0 that
// the datasheet leaves unused, a cache line per queue that no driver touches, and costs a few stores
// per frame.
const (
	journalRx    = 0x1C000
	journalTx    = 0x1E000
	journalValid = 0x1BFC0
	journalMagic = 0x82599001
)

const (
	none    = ^uint32(0)
	partial = uint32(1) << 31 // in next: the frame under way has descriptors without EOP behind it
)

// journal belongs to one queue.
type journal struct {
	next     uint32       // receive: head, and partial; transmit: head
	current  uint32       // receive: descriptor being written back; transmit: first that may lack its write-back
	addr     uint64       // receive: buffer that current pointed to
	lo       uint64       // receive: word 0 of current's write-back
	rate     uint32       // transmit: RTTBCNRC of the queue
	open     uint32       // receive: the first of those before next that a coalescing holds (7.11)
	contexts [2]txContext // transmit: those of the frame at next
}

func (j *journal) begin(head, current uint32) {
	store32(&j.open, none)
	store32(&j.current, current)
	store32(&j.next, head)
}

func (c *Card) markValid()   { c.put(journalValid, journalMagic) }
func (c *Card) unmarkValid() { c.put(journalValid, 0) }

// resume takes the register file as it is. It reports false where there is nothing to go on with.
func (c *Card) resume() bool {
	ctrl := c.get(chip.CTRL)
	if c.get(journalValid) != journalMagic || ctrl == ^uint32(0) || ctrl&(chip.CtrlRST|chip.CtrlLRST) != 0 {
		return false
	}
	c.ctrl = ctrl
	c.stats.resume(c)
	c.shown = c.get(chip.EIMS)
	now := c.now()
	if c.get(chip.EEC)&chip.EecARD == 0 {
		c.hs.ard, c.hs.pending = now+ardTime, true
	}
	if c.get(chip.RDRXCTL)&chip.RdrxctlDMAIDONE == 0 {
		c.hs.dma, c.hs.pending = now+dmaTime, true
	}
	c.link = c.get(chip.LINKS)&chip.LinksUP != 0
	c.watchWire()
	c.control()
	for i := range c.rxq {
		c.rxq[i].resume(c)
		c.txq[i].resume(c)
	}
	c.refresh()
	c.resumeInterrupts()
	return true
}

// attach takes a queue that runs over with the head that the journal has.
func (q *queue) attach(c *Card, who string) bool {
	addr, size := q.ringAddress()
	head := q.journal.next &^ partial
	if q.reg(atCtl)&enable == 0 || head >= size {
		return false
	}
	mem, ok := c.space.At(who, addr, int(size)*chip.DescSize, true)
	if !ok {
		return false
	}
	if q.ring = asDescriptors(mem); q.ring == nil {
		return false
	}
	q.on, q.addr, q.size, q.head = true, addr, size, head
	return true
}

func (q *rxQueue) resume(c *Card) {
	if !q.attach(c, c.who.rxRing) {
		return
	}
	j := q.journal
	q.cut = j.next&partial != 0
	switch d := &q.ring[q.head]; {
	case j.current == q.head:
		d.lo = j.addr // begun, but not handed over
	case j.current < q.size && (j.current+1)%q.size == q.head:
		// Handed over, unless DD was not written any more. Word 0 tells that from a descriptor that the
		// driver has posted again.
		if d = &q.ring[j.current]; d.hi&chip.RxDD == 0 && d.lo == j.lo {
			d.lo = j.addr
			q.head = j.current
		}
	}
	q.abandon()
	next := q.head
	if q.cut {
		next |= partial
	}
	j.begin(next, none)
	q.shown = ^q.head
	q.show()
}

func (q *txQueue) resume(c *Card) {
	if !q.attach(c, c.who.txRing) {
		return
	}
	// Descriptors up to the head were sent; some may lack their DD, which replaces RS. Those that the
	// driver has handed over again are left alone.
	if tail := q.reg(atTail); tail < q.size {
		left := (tail + q.size - q.head) % q.size
		for i := q.journal.current; i < q.size && i != q.head; i = (i + 1) % q.size {
			if d := &q.ring[i]; (i+q.size-q.head)%q.size >= left && d.hi&chip.TxDCMDRS != 0 {
				store64(&d.hi, chip.TxDD)
			}
		}
	}
	store32(&q.journal.current, q.head)
	q.contexts = q.journal.contexts
	q.shown = ^q.head
	q.show()
}
