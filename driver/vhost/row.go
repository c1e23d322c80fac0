//go:build linux

package vhost

import (
	"math/bits"

	chip "glassnic/chip/virtio"
)

// rowMax is how many buffers a row has at most: a power of two.
const rowMax = 64

// The second word of a buffer in a row, as packed rings have it: the length, and the ID above it.
const (
	lengthBits = 1<<32 - 1
	idBits     = 0xffff << chip.PackedIDShift
)

// wants says which buffers a row takes.
type wants struct {
	least, spread uint64 // bytes of the shortest, and of the longest less those
	flags         uint16 // chip.DescWrite where this end writes to them
	plain         bool   // their headers ask for nothing
}

// gather takes note of up to n buffers in a row, each of one descriptor, and returns how many there are. It takes none of
// them: give does, and whatever does not fit a row is left to take.
func (r *ring) gather(n int, w wants) int {
	if !r.packed && r.ready < n {
		r.look()
		n = min(n, r.ready)
	}
	if n = min(n, rowMax); n == 0 || !r.aim() {
		return 0
	}
	if r.packed {
		return r.gatherPacked(min(n, r.size-int(r.next)), w)
	}
	return r.gatherSplit(n, w)
}

// aim finds the region of the next buffer. It reports false where there is no buffer, or none in memory.
func (r *ring) aim() bool {
	var addr uint64
	if r.packed {
		a, rest := r.view.packed(int(r.next))
		if !available(rest, r.wrap) {
			return false
		}
		addr = a
	} else {
		head := int(r.view.head(int(r.next) & (r.size - 1)))
		if head >= r.size {
			return false
		}
		addr, _ = r.view.desc(head)
	}
	if r.row.holds(addr) {
		return true
	}
	from, mem := r.d.memory.Around(addr)
	r.row.set(from, mem)
	return mem != nil
}

// giveRow gives the first n buffers of the row back. Keep is lengthBits where they were written to: then their words have
// how much was.
func (r *ring) giveRow(n int, keep uint64) {
	if !r.packed {
		for i := range n {
			r.view.putUsed(int(r.used+uint16(i))&(r.size-1), bits.RotateLeft64(r.row.rest[i&(rowMax-1)]&(idBits|keep), 32))
		}
		r.used += uint16(n)
		r.next += uint16(n)
		r.ready -= n
		return
	}
	flags := uint64(0)
	if r.wrap {
		flags = uint64(chip.DescAvail|chip.DescUsed) << chip.PackedFlagsShift
	}
	if keep != 0 {
		flags |= uint64(chip.DescWrite) << chip.PackedFlagsShift
	}
	// The first comes last: the driver, which looks at it all the time, leaves the others' cache lines alone until then.
	for i := n - 1; i >= 0; i-- {
		r.view.putPacked(int(r.next)+i, r.row.rest[i&(rowMax-1)]&(idBits|keep)|flags)
	}
	if r.next += uint16(n); int(r.next) == r.size {
		r.next, r.wrap = 0, !r.wrap
	}
}
