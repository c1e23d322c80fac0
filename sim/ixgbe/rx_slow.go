package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

type placement uint8

const (
	placed  placement = iota
	refused           // and counted
	wait
)

// placeSlowly is place for what is rare: several descriptors, a kept CRC, legacy descriptors, lies. What is known of the
// frame comes in hash, for write-back word 0, and known, for word 1.
func (c *Card) placeSlowly(q *rxQueue, f *wire.Frame, hash, known uint64) placement {
	if q.left == 0 {
		c.completeAll(q) // for the driver to give its descriptors back
		if c.noDescriptor(q) {
			return refused
		}
		return wait
	}
	if q.cut && !c.endCut(q) {
		return wait
	}
	data := f.Data
	inner, _ := c.inner(data)
	w0, w1 := classify(inner)
	w0 |= hash
	if q.strip {
		data, w1 = c.stripTag(data, w1)
	}
	if !c.mac.strip {
		data = c.withFCS(data, f.Bad)
	}
	if q.rsc > 0 && c.mac.strip && c.seen&lies == 0 && !c.mac.double {
		if p, ok := c.gather(q, data, w0, w1|known); ok {
			return p
		}
	}
	need := uint32((len(data) + q.bufSize - 1) / q.bufSize)
	if need >= q.size {
		c.stats.total.RxFrames++
		c.stats.total.RxNoDescriptor++
		c.stats.n[statQPRDC+q.set]++
		return refused
	}
	if q.left < need {
		c.completeAll(q)
		if c.noDescriptor(q) {
			return refused
		}
		return wait
	}
	c.lieBefore(q)
	for len(data) > 0 {
		part := data[:min(len(data), q.bufSize)]
		data = data[len(part):]
		d := &q.ring[q.head]
		addr := d.lo
		buf := c.rxBuffer(q, addr, len(part))
		if buf == nil {
			return refused
		}
		if c.seen&LieRxEarly == 0 {
			copy(buf, part)
		}
		status := chip.RxDD | w1&^chip.RxErrMask
		more := partial
		if len(data) == 0 {
			status, more = chip.RxDD|chip.RxEOP|w1|known, 0
		}
		size := len(part)
		status, size = c.lie(q, status, size)
		if q.advanced {
			q.writeBack(d, addr, w0, status|uint64(size)<<chip.RxLenShift, more)
		} else {
			q.writeBack(d, addr, addr, legacy(status, size), more)
		}
	}
	if q.rsc > 0 {
		c.irq.queues |= q.cause
	}
	return placed
}

// stripTag takes the VLAN tag out of a frame, into the descriptor's second word (7.4.2).
func (c *Card) stripTag(data []byte, w1 uint64) ([]byte, uint64) {
	at := c.mac.tagAt(data)
	if len(data) < minFrame || at == 0 || binary.BigEndian.Uint16(data[at:]) != uint16(c.get(chip.VLNCTRL)&chip.VlnctrlVET) {
		return data, w1
	}
	tag := uint64(binary.BigEndian.Uint16(data[at+2:]))
	c.rxTag = append(append(c.rxTag[:0], data[:at]...), data[at+4:]...)
	return c.rxTag, w1 | chip.RxVP | tag<<chip.RxVLANShift
}

// endCut gives a frame that another process left without EOP an end that says it is bad.
func (c *Card) endCut(q *rxQueue) bool {
	d := &q.ring[q.head]
	q.writeBack(d, d.lo, 0, chip.RxDD|chip.RxEOP|chip.RxRXE, 0)
	q.cut, q.plain = false, q.advanced && !q.strip && q.rsc == 0
	return q.left > 0
}

// legacy is the write-back of a legacy receive descriptor (7.1.5): length, status, errors.
func legacy(w1 uint64, size int) uint64 {
	const (
		legacyDD, legacyEOP = 1 << 0, 1 << 1
		legacyRXE           = 1 << 0
	)
	v := uint64(size) | legacyDD<<32
	if w1&chip.RxEOP != 0 {
		v |= legacyEOP << 32
	}
	if w1&chip.RxRXE != 0 {
		v |= legacyRXE << 40
	}
	return v
}
