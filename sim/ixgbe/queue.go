package ixgbe

import (
	"sync/atomic"

	chip "glassnic/chip/ixgbe"
)

// Places of the registers that both directions have, from the queue's RDBAL or TDBAL on (8.2.3.8,
// 8.2.3.9).
const (
	atBAL  = 0x00
	atBAH  = 0x04
	atLEN  = 0x08
	atHead = 0x10
	atTail = 0x18
	atCtl  = 0x28
)

const enable = chip.RxdctlENABLE // TXDCTL has it in the same place

// ringLength is the valid part of RDLEN and TDLEN in bytes (8.2.3.8.3).
const ringLength = 0xFFF80

// queue is what the rings of both directions have in common.
type queue struct {
	index   int
	regs    *registerFile
	base    uint32 // word of BAL
	on      bool   // ENABLE was seen and acted upon
	stopped bool   // a DMA fault stopped the queue until it is enabled anew
	addr    uint64 // IOVA of the ring
	size    uint32 // descriptors
	head    uint32
	shown   uint32 // what the head register was last set to
	set     int    // statistics counters that the queue is mapped to
	cause   uint64 // what the queue adds to interrupts.queues
	journal *journal

	// For the batch under way.
	ring []descriptor
	left uint32 // descriptors that the card may use
}

func (q *queue) reg(at uint32) uint32 { return atomic.LoadUint32(&q.regs[(q.base+at/4)%barWords]) }

func (q *queue) setReg(at, v uint32) { store32(&q.regs[(q.base+at/4)%barWords], v) }

// ringAddress returns where the registers say that the ring is.
func (q *queue) ringAddress() (addr uint64, size uint32) {
	addr = uint64(q.reg(atBAL)&^(chip.RingAlign-1)) | uint64(q.reg(atBAH))<<32
	return addr, q.reg(atLEN) & ringLength / chip.DescSize
}

// watch compares the queue's registers with what is known of them. It reports whether the queue came
// on or was set up anew.
func (q *queue) watch(allowed bool) bool {
	if !allowed || q.reg(atCtl)&enable == 0 {
		q.stop()
		return false
	}
	addr, size := q.ringAddress()
	head := q.reg(atHead)
	if size == 0 {
		q.stop()
		return false
	}
	if q.on && head == q.shown && addr == q.addr && size == q.size {
		return false
	}
	q.on, q.stopped = true, false
	q.addr, q.size, q.head = addr, size, head%size
	q.show()
	return true
}

// changed is the part of watch that is cheap enough for each poll: these registers share the cache
// line of the tail.
func (q *queue) changed() bool {
	return q.reg(atCtl)&enable == 0 || q.reg(atHead) != q.shown
}

func (q *queue) stop() {
	q.on, q.left = false, 0
}

// show publishes the head.
func (q *queue) show() {
	if q.shown != q.head || !q.on {
		q.shown = q.head
		q.setReg(atHead, q.head)
	}
}

// open reads the tail and, if there is a descriptor to use or always is set, finds the ring in memory. It
// reports whether there is a descriptor to use.
func (q *queue) open(c *Card, who string, always bool) bool {
	q.left = 0
	tail := q.reg(atTail)
	if q.stopped || tail >= q.size || tail == q.head && !always {
		return false
	}
	if !q.find(c, who) {
		return false
	}
	q.left = tail - q.head
	if tail < q.head {
		q.left += q.size
	}
	return q.left > 0
}

// find looks up the ring in memory; where there is none, the queue stops.
func (q *queue) find(c *Card, who string) bool {
	mem, ok := c.space.At(who, q.addr, int(q.size)*chip.DescSize, true)
	if ok {
		q.ring = asDescriptors(mem)
	}
	if !ok || q.ring == nil {
		q.stopped = true
		return false
	}
	return true
}

// echo is what reading RXDCTL or TXDCTL says: ENABLE is one only while the queue runs (4.6.7, 4.6.8).
func (q *queue) echo(v uint32) uint32 {
	if !q.on {
		return v &^ enable
	}
	return v
}

// queueRegister splits a byte offset within the ring registers: the queue, whether it is a transmit
// queue, and the place within the queue's block.
func queueRegister(off uint32) (i int, tx bool, at uint32, ok bool) {
	at = off & 0x3F
	switch off >> 12 {
	case 0x1:
		return int(off & 0xFFF / 0x40), false, at, true
	case 0xD:
		return 64 + int(off&0xFFF/0x40), false, at, true
	case 0x6, 0x7:
		return int((off - 0x6000) / 0x40), true, at, true
	}
	return 0, false, 0, false
}
