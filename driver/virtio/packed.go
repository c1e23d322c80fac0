package virtio

import (
	"sync/atomic"

	"glassnic/bus/dma"
	chip "glassnic/chip/virtio"
)

// packed is a packed virtqueue (2.8): one ring of descriptors, in which the driver gives buffers and the device
// gives them back, each in the order of the ring. Two flags of a descriptor tell whose it is: their meaning turns
// with each lap.
type packed struct {
	packedView
	give  int    // where the driver gives the next descriptor; the size stands for 0 of the next lap
	offer uint64 // the two flags then
	back  int    // where the next one comes back
	lap   uint64 // the two flags then
}

// The two flags in the second word of a descriptor (2.8.1).
const (
	availBit = uint64(chip.DescAvail) << chip.PackedFlagsShift
	usedBit  = uint64(chip.DescUsed) << chip.PackedFlagsShift
	bothBits = availBit | usedBit
)

// packedLayout is where the two event suppression structures lie, and how many bytes there are (2.8.10.1).
func packedLayout(n int, _ bool) (driver, device, size int) {
	driver = roundUp(n*chip.DescSize, dma.Align)
	device = driver + dma.Align
	return driver, device, device + chip.EventSize
}

// beginPacked begins with an empty ring: both wrap counters are 1 (2.8.1).
func (r *ring) beginPacked() {
	r.packedView = viewPacked(r.memory, r.parts[0], r.parts[1])
	r.offer, r.lap = availBit, bothBits
	r.ask(false)
}

// came tells whether the descriptor at i has come back, in a lap with these flags. What the device wrote before is
// visible afterwards.
func (r *ring) came(i int, lap uint64) bool { return (r.at(i).done()^lap)&bothBits == 0 }

// comeBack goes on behind n descriptors that came back.
func (r *ring) comeBack(n int) {
	if r.back += n; r.back >= r.size {
		r.back -= r.size
		r.lap ^= bothBits
	}
}

// wrap begins the next lap where the last one is at its end.
func (r *ring) wrap() {
	if r.give >= r.size {
		r.give -= r.size
		r.offer ^= bothBits
	}
}

// barrier keeps what is read behind it from being read before what was written before it is visible.
func (r *ring) barrier() { atomic.StoreUint32(&r.fence, 0) }

// wantedPacked tells whether the device wants to hear of the last n descriptors (2.8.14).
func (r *ring) wantedPacked(n int) bool {
	w := atomic.LoadUint32(r.deviceEvent())
	if w&chip.EventMask == chip.EventDisable {
		return false
	}
	if w&chip.EventMask == chip.EventDesc {
		give, offer := r.give, r.offer
		if give == r.size {
			give, offer = 0, offer^bothBits
		}
		at := uint16(w) &^ uint16(chip.EventWrap)
		if (w&chip.EventWrap != 0) != (offer == availBit) { // of the last lap
			at -= uint16(r.size)
		}
		return uint16(give)-at-1 < uint16(n)
	}
	return true
}

// givePacked gives a buffer of several parts. The device sees none before it sees all.
func (r *ring) givePacked(id uint16, parts []part) {
	const next = uint64(chip.DescNext) << chip.PackedFlagsShift
	first, word := r.at(r.give%r.size), uint64(0)
	for i, p := range parts {
		r.wrap()
		d := r.at(r.give)
		rest := uint64(p.n) | uint64(id)<<chip.PackedIDShift | uint64(p.flags)<<chip.PackedFlagsShift | r.offer
		if i < len(parts)-1 {
			rest |= next
		}
		if d.addr = p.addr; i == 0 {
			word = rest
		} else {
			d.rest = rest
		}
		r.give++
	}
	r.wrap()
	store64(&first.rest, word)
}

// askPacked is ask (2.8.14).
func (r *ring) askPacked(on bool) {
	v := chip.EventDisable
	if on {
		v = chip.EventEnable
	}
	atomic.StoreUint32(r.driverEvent(), v)
}
