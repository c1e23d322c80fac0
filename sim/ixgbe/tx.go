package ixgbe

import (
	"encoding/binary"
	"hash/crc32"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// shortest is the fewest bytes that make a frame: addresses and type.
const shortest = 14

// txQueue is one transmit ring (7.2.3).
type txQueue struct {
	queue
	threshold uint32   // TXDCTL.WTHRESH
	report    []uint32 // descriptors with RS that were sent and not written back
	done      uint32   // descriptors sent since the last write-back
}

func (q *txQueue) init(c *Card, i int) {
	q.index, q.regs, q.base = i, c.regs, chip.TDBAL(i)/4
	q.journal = asJournal(c.regs, journalTx+uint32(i)*64)
}

// load takes over the queue's settings.
func (q *txQueue) load(c *Card) {
	if q.watch(c.hs.reset == 0 && c.txEnabled && Faults(c.faults.Load())&StuckTxEnable == 0) {
		q.journal.begin(q.head, q.head)
		q.report, q.done = q.report[:0], 0
	}
	if q.on && q.report == nil {
		q.report = make([]uint32, 0, 2*batch)
	}
	q.threshold = q.reg(atCtl) & chip.TxdctlWTHRESH >> chip.TxdctlWTHRESHShift
}

// send puts up to budget frames on the wire and writes back what asked for it.
func (q *txQueue) send(c *Card, budget int) int {
	moved := 0
	if q.open(c, c.who.txRing) {
		if c.seen&LieTxEarly != 0 {
			q.lieEarly()
		}
		for moved < budget && q.left > 0 {
			n, more := q.sendBatch(c, min(budget-moved, batch))
			moved += n
			if !more {
				break
			}
		}
	}
	// A write-back that waits for WTHRESH is flushed when the ring runs dry, as EITR's timer would
	// (7.2.3.5.1).
	if len(q.report) > 0 && (q.done >= q.threshold || q.left == 0) {
		q.flush()
	}
	q.show()
	return moved
}

// sendBatch gathers frames until the wire or the ring has no more; more is false when there is
// nothing to gain from another call.
func (q *txQueue) sendBatch(c *Card, budget int) (moved int, more bool) {
	var t txTally
	n, octets := 0, uint64(0)
	at, left, firstReport := q.head, q.left, len(q.report)
	c.txWork = c.txWork[:0]
	more = true
gather:
	for n < budget && left > 0 {
		d := &q.ring[at]
		hi := d.hi
		size := int(hi & chip.TxDTALENMask)
		next := at + 1
		if next == q.size {
			next = 0
		}
		var data []byte
		const plain = chip.TxDTYPMask | chip.TxDCMDEOP | chip.TxDCMDDEXT | chip.TxDCMDTSE | chip.TxDCMDIFCS
		const wanted = chip.TxDTYPData | chip.TxDCMDEOP | chip.TxDCMDDEXT | chip.TxDCMDIFCS
		used := uint32(1)
		if hi&plain == wanted && size >= minFrame && size <= wire.MaxFrame && hi>>chip.TxPaylenShift == uint64(size) {
			if data = c.space.Flat(d.lo, size); data == nil {
				var ok bool
				if data, ok = c.space.At(c.who.txBuf, d.lo, size, false); !ok {
					if n == 0 {
						c.stats.total.TxFault++
						q.stopped, more = true, false
					}
					break
				}
			}
			if hi&chip.TxDCMDRS != 0 {
				q.report = append(q.report, at)
			}
		} else {
			g := q.gather(c, at, left)
			if g.kind != sendable && n > 0 {
				break // settled once the frames before it are gone
			}
			switch g.kind {
			case incomplete, fault:
				more = false
				break gather
			case again:
				break gather
			}
			for i, p := uint32(0), at; i < g.used; i++ {
				if q.ring[p].hi&chip.TxDCMDRS != 0 {
					q.report = append(q.report, p)
				}
				if p++; p == q.size {
					p = 0
				}
			}
			used, next = g.used, (at+g.used)%q.size
			if g.kind == consumed {
				q.complete(next, used)
				at, left, firstReport = next, q.left, len(q.report)
				continue
			}
			data = g.data
			c.txBuf[n].Bad = g.bad
		}
		c.txBuf[n].Data = data
		at = next
		left -= used
		c.txEnd[n] = next
		n++
	}
	if n == 0 {
		return 0, more
	}
	sent := c.wire.Send(c.txBuf[:n])
	sent = max(0, min(sent, n))
	for i := range c.txBuf[:sent] {
		b := c.txBuf[i].Data
		t.count(len(b))
		octets += uint64(len(b)) + fcs
		if len(b) > 0 && b[0]&1 != 0 {
			c.stats.groupSent(b)
		}
	}
	for i := range c.txBuf[:n] {
		c.txBuf[i].Bad = false
	}
	c.stats.sent(&t, q.set)
	if sent < n {
		// The reports of frames that stay are found again with them.
		end := q.head
		if sent > 0 {
			end = c.txEnd[sent-1]
		}
		keep := firstReport
		for keep < len(q.report) && q.distance(q.report[keep]) < q.distance(end) {
			keep++
		}
		q.report = q.report[:keep]
	}
	if sent > 0 {
		end := c.txEnd[sent-1]
		used := q.distance(end)
		if used == 0 {
			used = q.size
		}
		q.complete(end, used)
	}
	return sent, more && sent == n
}

// distance is how many descriptors lie from the head to i.
func (q *txQueue) distance(i uint32) uint32 {
	if i >= q.head {
		return i - q.head
	}
	return i + q.size - q.head
}

// complete moves the head over descriptors that are dealt with.
func (q *txQueue) complete(head, used uint32) {
	q.head = head
	q.left -= used
	q.done += used
	store32(&q.journal.next, head)
	if q.threshold == 0 || q.done >= q.threshold {
		q.flush()
	}
}

// flush writes back the descriptors that asked for it (7.2.3.5).
func (q *txQueue) flush() {
	for _, i := range q.report {
		store64(&q.ring[i].hi, chip.TxDD)
	}
	q.report, q.done = q.report[:0], 0
	store32(&q.journal.current, q.head)
}

type gatherKind uint8

const (
	sendable   gatherKind = iota
	consumed              // context descriptor, or a frame that was dropped and counted
	incomplete            // EOP is still to come
	again                 // the work buffer is full
	fault
)

type gathered struct {
	kind gatherKind
	used uint32 // descriptors
	data []byte
	bad  bool
}

// gather puts one frame together from any descriptors from index at on.
func (q *txQueue) gather(c *Card, at, left uint32) gathered {
	first := q.ring[at].hi
	switch {
	case first&chip.TxDCMDDEXT == 0: // legacy descriptors (7.2.3.2.1) are not modelled
		c.stats.total.TxUnsupported++
		return gathered{kind: consumed, used: 1}
	case first&chip.TxDTYPMask == chip.TxDTYPContext:
		return gathered{kind: consumed, used: 1}
	case first&chip.TxDTYPMask != chip.TxDTYPData:
		c.stats.total.TxMalformed++
		return gathered{kind: consumed, used: 1}
	}
	start := len(c.txWork)
	if cap(c.txWork)-start < wire.MaxFrame {
		if start > 0 {
			return gathered{kind: again}
		}
		c.txWork = make([]byte, 0, 4*wire.MaxFrame)
	}
	total, ok := 0, true
	for used := uint32(1); used <= left; used++ {
		d := &q.ring[at]
		hi := d.hi
		size := int(hi & chip.TxDTALENMask)
		total += size
		if hi&chip.TxDCMDDEXT == 0 || hi&chip.TxDTYPMask != chip.TxDTYPData || total > wire.MaxFrame || used > chip.TxDescMax {
			ok = false
		}
		if ok && size > 0 {
			b, mapped := c.space.At(c.who.txBuf, d.lo, size, false)
			if !mapped {
				c.txWork = c.txWork[:start]
				c.stats.total.TxFault++
				q.stopped, q.left = true, 0
				return gathered{kind: fault}
			}
			c.txWork = append(c.txWork, b...)
		}
		if hi&chip.TxDCMDEOP != 0 || used > chip.TxDescMax {
			return c.finish(gathered{used: used}, start, first, ok)
		}
		if at++; at == q.size {
			at = 0
		}
	}
	c.txWork = c.txWork[:start]
	return gathered{kind: incomplete}
}

// finish checks a gathered frame against its first descriptor, pads it, and takes off a CRC that
// software has put there.
func (c *Card) finish(g gathered, start int, first uint64, ok bool) gathered {
	data := c.txWork[start:]
	switch {
	case first&chip.TxDCMDTSE != 0:
		c.stats.total.TxUnsupported++
		g.kind = consumed
	case !ok || len(data) < shortest || first>>chip.TxPaylenShift != uint64(len(data)):
		c.stats.total.TxMalformed++
		g.kind = consumed
	}
	if g.kind == consumed {
		c.txWork = c.txWork[:start]
		return g
	}
	if first&chip.TxDCMDIFCS == 0 && len(data) >= shortest+fcs {
		body := data[:len(data)-fcs]
		g.bad = crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(data[len(body):])
		data = body
	} else if c.get(chip.HLREG0)&chip.Hlreg0TXPADEN != 0 {
		for len(data) < minFrame {
			data = append(data, 0)
		}
	}
	c.txWork = c.txWork[:start+len(data)]
	g.data = data
	return g
}
