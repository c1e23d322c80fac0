package ixgbe

import (
	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// drainBatches bounds how long one step takes frames from a wire that does not wait.
const drainBatches = 16

// rxQueue is one receive ring (7.1.9).
type rxQueue struct {
	queue
	bufSize  int  // SRRCTL.BSIZEPACKET in bytes
	drop     bool // SRRCTL.DROP_EN
	strip    bool // RXDCTL.VME
	advanced bool // SRRCTL.DESCTYPE is not legacy
	cut      bool // a frame that another process began lacks its EOP
	plain    bool // neither cut nor legacy, nor does it strip tags or coalesce
	rsc      int  // buffers of a coalescing at most, 0 for none (RSCCTL)
	longest  int  // bytes of its headers, less one (SRRCTL.BSIZEHEADER)
}

func (q *rxQueue) init(c *Card, i int) {
	q.index, q.regs, q.base = i, c.regs, chip.RDBAL(i)/4
	q.journal = asJournal(c.regs, journalRx+uint32(i)*64)
}

// load takes over the queue's settings.
func (q *rxQueue) load(c *Card) {
	if q.watch(c.hs.reset == 0 && Faults(c.faults.Load())&StuckRxEnable == 0) {
		q.journal.begin(q.head, none)
		q.cut = false
		c.forget(q)
	}
	v := c.get(chip.SRRCTL(q.index))
	size := int(max(v&chip.SrrctlBSIZEPACKET, 1)) * chip.SrrctlBSIZEPACKETUnit
	if size != q.bufSize {
		c.completeAll(q)
		q.bufSize = size
	}
	q.drop = v&chip.SrrctlDropEN != 0
	q.advanced = v&chip.SrrctlDESCTYPE != chip.SrrctlDESCTYPELegacy
	q.strip = q.reg(atCtl)&chip.RxdctlVME != 0
	q.cause = c.allocation(q.index, false)
	q.loadRSC(c)
	q.plain = q.advanced && !q.cut && !q.strip && q.rsc == 0
}

// receive moves frames from the wire into the rings: up to budget per running queue.
func (c *Card) receive(budget int) int {
	if !c.rxEnabled || !c.link || len(c.rxOn) == 0 {
		c.spill()
		return 0
	}
	room := uint32(0)
	for _, i := range c.rxOn {
		q := &c.rxq[i]
		q.open(c, c.who.rxRing, false)
		room = max(room, q.left)
	}
	n := 0
	limit := budget * len(c.rxOn)
	for n < limit && c.fifo.len() > 0 {
		if c.place(c.fifo.front()) == 0 {
			break
		}
		c.fifo.pop()
		n++
	}
	for n < limit && (room > 0 || c.lossy) && c.fifo.len() == 0 && !c.mac.loopback {
		want := min(limit-n, batch)
		if !c.lossy {
			want = min(want, int(room))
		}
		got := c.wire.Receive(c.rxBuf[:want])
		done := c.place(c.rxBuf[:got])
		n += done
		// What found no descriptor waits in the card: the wire's memory is lent for one call only.
		for i := done; i < got; i++ {
			c.store(&c.rxBuf[i])
		}
		if got < want {
			break
		}
		room = 0
		for _, i := range c.rxOn {
			room = max(room, c.rxq[i].left)
		}
	}
	if c.lossy && c.fifo.len() > 0 && !c.mac.loopback {
		c.overrun()
	}
	for _, i := range c.rxOn {
		if q := &c.rxq[i]; q.head != q.shown {
			if q.rsc == 0 {
				c.irq.queues |= q.cause
			}
			q.show()
		}
	}
	return n
}

// overrun takes what arrives while no descriptor is free into the packet buffer, and loses the rest
// (MPC, 8.2.3.23).
func (c *Card) overrun() {
	for range drainBatches {
		got := c.wire.Receive(c.rxBuf[:])
		for i := range got {
			c.store(&c.rxBuf[i])
		}
		if got < len(c.rxBuf) {
			return
		}
	}
}

// spill loses what arrives at a port that does not receive.
func (c *Card) spill() {
	if !c.lossy || !c.plugged {
		return
	}
	for range drainBatches {
		got := c.wire.Receive(c.rxBuf[:])
		c.stats.total.RxFrames += uint64(got)
		c.stats.total.RxDisabled += uint64(got)
		if got < len(c.rxBuf) {
			return
		}
	}
}

// place writes frames to host memory or drops them by the rules, and returns how many it has dealt
// with; it stops at a frame that has to wait for a descriptor.
func (c *Card) place(frames []wire.Frame) int {
	var t rxTally
	m := &c.mac
	q := &c.rxq[0]
	longest, unicast, promiscuous, byVLAN := m.longest, m.first, m.promiscuous, m.byVLAN
	plain := m.strip && c.seen&lies == 0 && !m.double
	if !m.strip {
		t.kept = fcs
	}
	done := len(frames)
	for i := range frames {
		f := &frames[i]
		data := f.Data
		var errors uint64
		if f.Bad || len(data) < minFrame || len(data) > longest {
			var ok bool
			if errors, ok = c.irregular(f); !ok {
				continue
			}
		}
		dst := le64(data) & macMask
		if dst != unicast && !promiscuous || dst&1 != 0 || byVLAN {
			if !c.filter(data, errors) {
				continue
			}
		}
		w0, w1, inner := uint64(0), errors, data
		if m.double {
			var outer uint64
			inner, outer = c.inner(data)
			w1 |= outer
		}
		if c.steering.on {
			if q = c.steer(inner, &w0, &w1); q == nil {
				continue
			}
		}
		if c.clock.stamps && q.left > 0 && inner != nil {
			w1 |= c.stampRx(inner)
		}
		size := len(data)
		if !plain || !q.plain || size > q.bufSize {
			switch c.placeSlowly(q, f, w0, w1) {
			case wait:
				done = i
			case refused:
				continue
			}
			if done == i {
				break
			}
		} else {
			if q.left == 0 {
				if c.noDescriptor(q) {
					continue
				}
				done = i
				break
			}
			p0, p1 := classify(data)
			w0 |= p0
			w1 |= p1 | chip.RxDD | chip.RxEOP | uint64(size)<<chip.RxLenShift
			d := &q.ring[q.head]
			addr := d.lo
			buf := c.space.Flat(addr, size)
			if buf == nil {
				if buf = c.rxBuffer(q, addr, size); buf == nil {
					continue
				}
			}
			copy(buf, data)
			q.writeBack(d, addr, w0, w1, 0)
		}
		if errors != 0 {
			c.stats.erred(size)
		} else {
			t.count(size)
			if dst&1 != 0 {
				c.stats.groupReceived(dst)
			}
		}
		if c.stats.perQueue {
			c.stats.rxQueue(q.set, 1, uint64(size)+t.kept)
		} else {
			t.queued++
			t.octets += uint64(size) + t.kept
		}
	}
	c.stats.received(&t, c.rxq[0].set)
	return done
}

// writeBack hands the descriptor at the head to the driver. The order of the stores is what resume
// relies on, and that DD comes last is what the driver relies on.
func (q *rxQueue) writeBack(d *descriptor, addr, w0, w1 uint64, more uint32) {
	j := q.journal
	j.addr, j.lo = addr, w0
	store32(&j.current, q.head)
	d.lo = w0
	q.head++
	if q.head == q.size {
		q.head = 0
	}
	q.left--
	store32(&j.next, q.head|more)
	store64(&d.hi, w1)
}

// noDescriptor decides about a frame that finds no descriptor: lost where DROP_EN is set or the queue
// cannot get any, else it waits (7.1.2).
func (c *Card) noDescriptor(q *rxQueue) (lost bool) {
	switch {
	case !q.on || q.stopped:
		c.stats.total.RxDisabled++
	case q.drop:
		c.stats.total.RxNoDescriptor++
		c.stats.n[statQPRDC+q.set]++
	default:
		return false
	}
	c.stats.total.RxFrames++
	c.stats.n[statTPR]++
	return true
}

// rxBuffer finds a buffer where the space is not flat; nil stops the queue, as the fault would.
func (c *Card) rxBuffer(q *rxQueue, addr uint64, size int) []byte {
	buf, ok := c.space.At(c.who.rxBuf, addr, size, true)
	if !ok {
		q.stopped, q.left = true, 0
		c.stats.total.RxFrames++
		c.stats.total.RxFault++
		c.stats.n[statTPR]++
		return nil
	}
	return buf
}
