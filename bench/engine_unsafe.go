package bench

import (
	"fmt"
	"unsafe"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
)

// engine is the data path of an 82599 and nothing else, for mode cross: with no filters, checksums and
// statistics to attend to, it keeps a descriptor waiting for every driver. It takes queue 0 over from
// a card that was started, and hands it back.
type engine struct {
	regs   mmio.Region
	mem    []byte
	end    *end
	rx, tx engineRing
	// buffers are where the frames of a turn go.
	buffers [engineBatch]uint64
	looked  uint32 // sent frames whose bytes were not looked at since the last one that was
}

type engineRing struct {
	ring []engineDesc
	head uint32
}

// engineDesc is a descriptor, two little-endian words.
type engineDesc struct{ lo, hi uint64 }

const (
	// engineBatch is how many frames move at most before the other direction or card has its turn: with each turn the
	// engine waits for a tail, which the driver's CPU has.
	engineBatch = 256
	// lookEvery is how many sent frames there are to one whose bytes are looked at: each look takes
	// a cache line away from the driver, though not one that it needs again.
	lookEvery = 64
)

// received is the write-back word 1 of a whole frame without errors (datasheet 7.1.6.2).
var received = chip.RxDD | chip.RxEOP | uint64(len(frame))<<chip.RxLenShift

// takeOver begins where the card stopped. Nobody else may poll the card until handBack.
func (e *engine) takeOver() error {
	for _, q := range []struct {
		r                  *engineRing
		low, high, n, head uint32
	}{
		{&e.rx, chip.RDBAL(0), chip.RDBAH(0), chip.RDLEN(0), chip.RDH(0)},
		{&e.tx, chip.TDBAL(0), chip.TDBAH(0), chip.TDLEN(0), chip.TDH(0)},
	} {
		at := uint64(e.regs.Read32(q.low)) | uint64(e.regs.Read32(q.high))<<32
		size := uint64(e.regs.Read32(q.n))
		if size == 0 || at%chip.RingAlign != 0 || at > uint64(len(e.mem)) || size > uint64(len(e.mem))-at {
			return fmt.Errorf("a ring of %d bytes at IOVA %#x is not in the shared memory", size, at)
		}
		first := (*engineDesc)(unsafe.Pointer(&e.mem[at]))
		q.r.ring = unsafe.Slice(first, size/chip.DescSize)
		if q.r.head = e.regs.Read32(q.head); q.r.head >= uint32(len(q.r.ring)) {
			return fmt.Errorf("head %d of a ring of %d", q.r.head, len(q.r.ring))
		}
	}
	return nil
}

// handBack publishes where the engine stopped: the card goes on from there.
func (e *engine) handBack() {
	e.regs.Write32(chip.RDH(0), e.rx.head)
	e.regs.Write32(chip.TDH(0), e.tx.head)
}

// until returns how many descriptors from the head on belong to the card.
func (r *engineRing) until(tail uint32) int {
	n := int(tail) - int(r.head)
	if n < 0 {
		n += len(r.ring)
	}
	return min(n, engineBatch)
}

// pass moves up to engineBatch frames in each direction.
func (e *engine) pass() {
	e.receive()
	e.send()
}

// receive writes frames into the driver's buffers. It reads all addresses first: between stores to lines that the
// driver's CPU has, loads would wait, and the card would be slower than the driver. Word 1, with DD, comes last.
func (e *engine) receive() {
	r := &e.rx
	n := min(r.until(e.regs.Read32(chip.RDT(0))), e.end.left)
	if e.end.closed.Load() {
		return
	}
	if n == 0 {
		e.end.refused++
		return
	}
	last := uint64(len(e.mem) - len(frame))
	head := r.head
	for i := range n {
		e.buffers[i] = r.ring[head].lo
		if head++; head == uint32(len(r.ring)) {
			head = 0
		}
	}
	for _, at := range e.buffers[:n] {
		if at > last {
			e.end.wrong.Add(1)
		} else {
			*(*[len(frame)]byte)(unsafe.Pointer(&e.mem[at])) = frame
		}
	}
	for range n {
		d := &r.ring[r.head]
		d.lo = 0
		store64(&d.hi, received)
		if r.head++; r.head == uint32(len(r.ring)) {
			r.head = 0
		}
	}
	e.end.left -= n
	e.end.supplied.Store(e.end.supplied.Load() + uint64(n))
}

// send takes the driver's frames and reports where it was asked to.
func (e *engine) send() {
	r := &e.tx
	n := r.until(e.regs.Read32(chip.TDT(0)))
	if n == 0 {
		return
	}
	const want = chip.TxDTYPData | chip.TxDCMDDEXT | chip.TxDCMDEOP | chip.TxDCMDIFCS | uint64(len(frame)) | uint64(len(frame))<<chip.TxPaylenShift
	last := uint64(len(e.mem) - len(frame))
	head := r.head
	for range n {
		d := &r.ring[head]
		hi := d.hi
		if hi&^chip.TxDCMDRS != want || d.lo > last {
			e.end.wrong.Add(1)
		} else if e.looked++; e.looked == lookEvery {
			e.looked = 0
			if e.mem[d.lo+touched] != frame[touched]+1 {
				e.end.wrong.Add(1)
			}
		}
		if hi&chip.TxDCMDRS != 0 {
			store64(&d.hi, chip.TxDD)
		}
		if head++; head == uint32(len(r.ring)) {
			head = 0
		}
	}
	r.head = head
	e.end.sent.Store(e.end.sent.Load() + uint64(n))
}
