package virtio

import (
	"sync/atomic"

	"glassnic/bus/dma"
	chip "glassnic/chip/virtio"
)

// split is a split virtqueue (2.7): a table of descriptors; the available ring, by which the driver hands them to
// the device; and the used ring, by which they come back. Indices of rings count on without end, modulo 65536.
type split struct {
	splitView
	posted uint16 // entries of the available ring that the device was told of
	seen   uint16 // entries of the used ring that were taken
	quiet  uint32 // flags of the available ring: whether the device may interrupt
	ready  int    // those from seen on that are known to be there
}

// splitLayout is where the two rings lie, and how many bytes there are. A legacy device takes just the distances
// of 2.7.2. Others leave a choice: entries of the used ring are aligned to their size.
func splitLayout(n int, legacy bool) (avail, used, size int) {
	avail = n * chip.DescSize
	if legacy {
		used = roundUp(avail+chip.AvailSize(n), chip.LegacyAlign)
	} else {
		avail = roundUp(avail, dma.Align)
		used = roundUp(avail+chip.AvailSize(n)+2, dma.Align) + 4
	}
	return avail, used, used + chip.UsedSize(n) + 2
}

// beginSplit begins with an empty ring.
func (r *ring) beginSplit() {
	r.splitView = viewSplit(r.memory, r.parts[0], r.parts[1])
	r.ask(false)
	r.show()
}

// look looks how many entries of the used ring are there. What the device wrote before is visible afterwards.
func (r *ring) look() {
	n := uint16(atomic.LoadUint32(r.usedWord())>>16) - r.seen
	if n > r.posted-r.seen {
		r.stop("it used %d buffers of %d that it had", n, r.posted-r.seen)
		return
	}
	r.ready = int(n)
}

// setSplit sets a descriptor, and which one follows in the same buffer.
func (r *ring) setSplit(id uint16, p part, more bool, next uint16) {
	rest := uint64(p.n) | uint64(p.flags)<<chip.SplitFlagsShift
	if more {
		rest |= uint64(chip.DescNext)<<chip.SplitFlagsShift | uint64(next)<<chip.SplitNextShift
	}
	*r.desc(uint64(id)) = desc{p.addr, rest}
}

// show writes the index of the available ring, with a full barrier behind it.
func (r *ring) show() { atomic.StoreUint32(r.availWord(), uint32(r.posted)<<16|r.quiet) }

// wantedSplit tells whether the device wants to hear of the last n entries of the available ring (2.7.10).
func (r *ring) wantedSplit(n int) bool {
	if r.event {
		return r.posted-uint16(atomic.LoadUint32(r.availEvent(r.size)))-1 < uint16(n)
	}
	return uint16(atomic.LoadUint32(r.usedWord()))&chip.UsedNoNotify == 0
}

// askSplit is ask. With VIRTIO_F_EVENT_IDX the ring says after which entry: where none is wanted, after one that is as
// far off as can be (2.7.7.1).
func (r *ring) askSplit(on bool) {
	if r.event {
		at := r.seen
		if !on {
			at--
		}
		atomic.StoreUint32(r.usedEvent(r.size), uint32(at))
		return
	}
	if r.quiet = uint32(chip.AvailNoInterrupt); on {
		r.quiet = 0
	}
	r.show()
}
