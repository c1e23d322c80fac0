package ixgbe

import (
	"encoding/binary"
	"hash/crc32"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// shortest is the fewest bytes that make a frame: addresses and type.
const shortest = 14

// maxHeaders is the most bytes of headers that a context can describe.
const maxHeaders = 1 << 10

// txQueue is one transmit ring (7.2.3).
type txQueue struct {
	queue
	threshold uint32   // TXDCTL.WTHRESH
	report    []uint32 // descriptors with RS that were sent and not written back
	done      uint32   // descriptors sent since the last write-back
	wrote     bool     // back, since the last interrupt cause
	contexts  [2]txContext
	segment   int // segments of the frame at the head that are on the wire
	pace      pace
}

func (q *txQueue) init(c *Card, i int) {
	q.index, q.regs, q.base = i, c.regs, chip.TDBAL(i)/4
	q.journal = asJournal(c.regs, journalTx+uint32(i)*64)
}

// load takes over the queue's settings.
func (q *txQueue) load(c *Card) {
	if q.watch(c.hs.reset == 0 && c.txEnabled && Faults(c.faults.Load())&StuckTxEnable == 0) {
		q.journal.begin(q.head, q.head)
		q.report, q.done, q.segment = q.report[:0], 0, 0
		q.contexts, q.journal.contexts = [2]txContext{}, [2]txContext{}
	}
	if q.on && q.report == nil {
		q.report = make([]uint32, 0, 2*batch)
	}
	q.cause = c.allocation(q.index, true)
	q.pace.load(c, q.journal.rate)
	q.threshold = q.reg(atCtl) & chip.TxdctlWTHRESH >> chip.TxdctlWTHRESHShift
}

// send puts up to budget frames on the wire and writes back what asked for it.
func (q *txQueue) send(c *Card, budget int) int {
	moved := 0
	if q.open(c, c.who.txRing, len(q.report) > 0) {
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
	// (7.2.3.5).
	if len(q.report) > 0 && q.left == 0 && !q.stopped {
		q.flush()
	}
	if q.wrote {
		q.wrote = false
		c.irq.queues |= q.cause
	}
	q.show()
	return moved
}

// sendBatch gathers frames and offers them to the wire; more is false when there is nothing to gain
// from another call.
func (q *txQueue) sendBatch(c *Card, budget int) (sent int, more bool) {
	n, fault, stamp := 0, false, false
	at, left, reports := q.head, q.left, len(q.report)
	c.txWork = c.txWork[:0]
	more = true
gather:
	for n < budget && left > 0 {
		d := &q.ring[at]
		hi := d.hi
		size := int(hi & chip.TxDTALENMask)
		const fields = chip.TxDTYPMask | chip.TxDCMDEOP | chip.TxDCMDDEXT | chip.TxDCMDIFCS | chip.TxMACTSTAMP | txOffloads
		const plain = chip.TxDTYPData | chip.TxDCMDEOP | chip.TxDCMDDEXT | chip.TxDCMDIFCS
		if hi&fields == plain && size >= minFrame && size <= wire.MaxFrame && hi>>chip.TxPaylenShift == uint64(size) {
			data := c.space.Flat(d.lo, size)
			if data == nil {
				var ok bool
				if data, ok = c.space.At(c.who.txBuf, d.lo, size, false); !ok {
					fault = true
					break
				}
			}
			if hi&chip.TxDCMDRS != 0 {
				q.report = append(q.report, at)
			}
			if at++; at == q.size {
				at = 0
			}
			left--
			c.txBuf[n] = wire.Frame{Data: data}
			c.txEnd[n] = at
			n++
			continue
		}
		g := q.gather(c, at, left)
		switch {
		case g.kind == refusedDMA:
			fault = true
			break gather
		case g.kind == incomplete:
			more = false
			break gather
		case g.kind == workFull, g.kind != sendable && n > 0:
			break gather // once the frames before it are gone
		case g.kind == segments && !q.sendSegments(c, g.frames):
			more = false
			break gather
		case g.kind == context:
			q.context(&q.ring[at])
		}
		for range g.used {
			if q.ring[at].hi&chip.TxDCMDRS != 0 {
				q.report = append(q.report, at)
			}
			if at++; at == q.size {
				at = 0
			}
		}
		left -= g.used
		switch g.kind {
		case malformed:
			c.stats.total.TxMalformed++
		case unsupported:
			c.stats.total.TxUnsupported++
		case sendable:
			c.txBuf[n] = wire.Frame{Data: g.data, Bad: g.bad}
			c.txEnd[n] = at
			n++
			if g.stamp {
				stamp = true
				break gather // its time is that of the wire's call
			}
			continue
		}
		q.complete(at, g.used)
		reports = len(q.report)
	}
	if n > 0 {
		if sent = q.offer(c, n, reports); stamp && sent == n {
			c.stampTx()
		}
	}
	if fault && sent == n {
		c.stats.total.TxFault++
		q.stopped, q.left = true, 0
	}
	return sent, more && !fault && sent == n
}

// offer gives n gathered frames to the wire and completes what it takes. Reports from the given one
// on are of these frames.
func (q *txQueue) offer(c *Card, n, reports int) int {
	sent := q.transmit(c, n)
	used := uint32(0)
	if sent > 0 {
		used = q.distance(c.txEnd[sent-1])
	}
	if sent < n {
		// The reports of frames that stay are found again with them.
		for reports < len(q.report) && q.distance(q.report[reports]) < used {
			reports++
		}
		q.report = q.report[:reports]
	}
	if sent > 0 {
		q.complete(c.txEnd[sent-1], used)
	}
	return sent
}

// transmit puts up to n gathered frames on the wire, or back into the card (8.2.3.22.8, HLREG0.LPBK), and counts them.
func (q *txQueue) transmit(c *Card, n int) (sent int) {
	if q.pace.on {
		n = q.pace.due(c.txBuf[:n])
	}
	if c.mac.loopback {
		for sent < n && c.fifo.len() < batch {
			c.fifo.push(&c.txBuf[sent])
			sent++
		}
	} else {
		sent = max(0, min(c.wire.Send(c.txBuf[:n]), n))
	}
	if q.pace.on {
		q.pace.sent(c.txBuf[:sent])
	}
	var t txTally
	for i := range c.txBuf[:sent] {
		b := c.txBuf[i].Data
		t.count(len(b))
		if b[0]&1 != 0 {
			c.stats.groupSent(b)
		}
	}
	c.stats.sent(&t, q.set)
	return sent
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
	q.wrote = q.wrote || len(q.report) > 0
	q.report, q.done = q.report[:0], 0
	store32(&q.journal.current, q.head)
}

type gatherKind uint8

const (
	sendable    gatherKind = iota
	context                // a context descriptor, consumed
	malformed              // descriptors that make no frame, to drop
	unsupported            // what is not modelled, to drop
	incomplete             // EOP is still to come
	segments               // frames made of one
	workFull               // no room to gather it in this batch
	refusedDMA             // the IOMMU refused a buffer
)

type gathered struct {
	kind   gatherKind
	used   uint32 // descriptors
	data   []byte
	frames [][]byte // segments
	bad    bool     // with a wrong CRC of its own
	stamp  bool     // wants its time noted (7.2.3.2.4, MAC.TSTAMP)
}

// gather puts one frame together from the descriptors from index at on. It changes and counts nothing.
func (q *txQueue) gather(c *Card, at, left uint32) gathered {
	first := q.ring[at].hi
	switch {
	case first&chip.TxDCMDDEXT == 0: // legacy descriptors (7.2.3.2.1)
		return gathered{kind: unsupported, used: 1}
	case first&chip.TxDTYPMask == chip.TxDTYPContext:
		return gathered{kind: context, used: 1}
	case first&chip.TxDTYPMask != chip.TxDTYPData:
		return gathered{kind: malformed, used: 1}
	}
	start := len(c.txWork)
	longest := wire.MaxFrame
	if first&chip.TxDCMDTSE != 0 {
		longest = chip.TxPaylenMax + maxHeaders
	}
	if cap(c.txWork)-start < longest+minFrame {
		if start > 0 {
			return gathered{kind: workFull}
		}
		c.txWork = make([]byte, 0, 2*(chip.TxPaylenMax+maxHeaders+minFrame))
	}
	work := c.txWork
	total, ok := 0, true
	for used := uint32(1); used <= left; used++ {
		d := &q.ring[at]
		hi := d.hi
		size := int(hi & chip.TxDTALENMask)
		total += size
		if hi&chip.TxDCMDDEXT == 0 || hi&chip.TxDTYPMask != chip.TxDTYPData || total > longest || used > chip.TxDescMax {
			ok = false
		}
		if ok && size > 0 {
			b, mapped := c.space.At(c.who.txBuf, d.lo, size, false)
			if !mapped {
				return gathered{kind: refusedDMA}
			}
			work = append(work, b...)
		}
		// A ring full of descriptors without EOP would never get on.
		if hi&chip.TxDCMDEOP != 0 || used > chip.TxDescMax {
			return c.finish(q, work[start:], used, first, ok)
		}
		if at++; at == q.size {
			at = 0
		}
	}
	return gathered{kind: incomplete}
}

// finish checks the bytes of a gathered frame against its first descriptor, pads it, and takes off a
// CRC that software has put there.
func (c *Card) finish(q *txQueue, data []byte, used uint32, first uint64, ok bool) gathered {
	g := gathered{used: used, stamp: first&chip.TxMACTSTAMP != 0}
	x := q.contexts[first>>chip.TxIDXShift&1]
	switch {
	case ok && first&chip.TxDCMDTSE != 0:
		if g.kind, g.frames = segments, c.segment(data, first, x); g.frames == nil {
			g.kind = malformed
		}
		return g
	case !ok || len(data) < shortest || first>>chip.TxPaylenShift != uint64(len(data)):
		g.kind = malformed
		return g
	case first&chip.TxDCMDVLE != 0 && c.insertAt(data) == 0:
		g.kind = malformed
		return g
	case first&txOffloads != 0 && c.insertAt(data) > 0 && !insertChecksums(data, first, x):
		g.kind = malformed
		return g
	case first&chip.TxDCMDIFCS == 0 && len(data) >= shortest+fcs:
		body := data[:len(data)-fcs]
		g.bad = crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(data[len(body):])
		data = body
	case c.get(chip.HLREG0)&chip.Hlreg0TXPADEN != 0:
		for len(data) < minFrame {
			data = append(data, 0)
		}
	}
	data = c.insertTag(data, first, x)
	c.txWork = c.txWork[:len(c.txWork)+len(data)]
	g.data = data
	return g
}
