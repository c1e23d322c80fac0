//go:build linux

package vhost

import chip "glassnic/chip/virtio"

// A packed ring has no index. Where this end stood in it when it was killed, its descriptors tell: all that were used in
// this lap, then those that are available, then those that were used in the lap before (2.8.1). QEMU does not know it, and
// has the next back-end begin where the last one began.

// usedBits are the flags of a descriptor that was used in a lap with this wrap counter.
func usedBits(wrap bool) uint64 {
	if wrap {
		return uint64(chip.DescAvail|chip.DescUsed) << chip.PackedFlagsShift
	}
	return 0
}

// markRest marks the descriptors of a chain behind the first one used as well. No driver looks at them, which has its own
// record of how many there are; but left as they are they would look available for a lap.
func (r *ring) markRest(m *mark) {
	at, wrap := int(m.at), m.wrap
	for range m.more {
		if at++; at == r.size {
			at, wrap = 0, !wrap
		}
		r.view.putPacked(at, uint64(m.id)<<chip.PackedIDShift|usedBits(wrap))
	}
}

// stands finds where a packed ring stands. Buffers are given back from the last to the first; where this end was killed on
// the way, those that it had not come to are given back with no bytes. It reports false where the descriptors do not fit
// together, as behind chains that another back-end used.
func (r *ring) stands() (next uint16, wrap, ok bool) {
	first, _ := r.state(0)
	last, before := r.state(r.size - 1)
	last = !last     // as it would be a lap later
	var begins []int // of descriptors in a row that are available
	turn := 0        // where the flag that the driver sets changes; 0 where all are the same
	for i := range r.size {
		avail, given := r.state(i)
		if given && (!before || avail != last) {
			begins = append(begins, i)
		}
		if avail != first && turn == 0 {
			turn = i
		}
		last, before = avail, given
	}
	if len(begins) > 2 {
		return 0, false, false
	}
	if len(begins) == 0 {
		begins = []int{turn}
	}
	for _, at := range begins {
		flag, given := r.state(at)
		if wrap = flag; !given {
			wrap = first != (at == 0) // the lap of what lies before, or the next one
		}
		if open, done, fits := r.fits(at, wrap); fits {
			for i := at + open - 1; done > 0 && i >= at; i-- {
				_, rest := r.view.packed(i)
				r.view.putPacked(i, rest&(0xffff<<chip.PackedIDShift)|usedBits(wrap))
			}
			if done > 0 {
				at += open + done
			}
			if at == r.size {
				at, wrap = 0, !wrap
			}
			return uint16(at), wrap, true
		}
	}
	return 0, false, false
}

// state tells of a descriptor how the driver has set its flag, and whether the device has it.
func (r *ring) state(i int) (avail, given bool) {
	_, rest := r.view.packed(i)
	flags := uint16(rest >> chip.PackedFlagsShift)
	return flags&chip.DescAvail != 0, (flags&chip.DescAvail != 0) != (flags&chip.DescUsed != 0)
}

// fits tells whether all descriptors are as they should be where the ring stands at a place: available; used in the lap
// before. Where it was killed on the way some that are used in this lap lie in between: then open are available before
// them, and done used.
func (r *ring) fits(at int, wrap bool) (open, done int, ok bool) {
	const (
		opening = iota
		hole
		waiting
		rest
	)
	phase := opening
	for n := range r.size {
		i, lap := at+n, wrap
		if i >= r.size {
			i, lap = i-r.size, !lap
		}
		avail, given := r.state(i)
		switch {
		case given && avail != lap, given && phase == rest:
			return 0, 0, false
		case given && phase == opening:
			open++
		case given:
			phase = waiting
		case avail != lap:
			phase = rest
		case phase > hole || open == 0 || lap != wrap:
			return 0, 0, false
		default:
			phase = hole
			done++
		}
	}
	for i := at; done > 0 && i < at+open; i++ {
		if _, d := r.view.packed(i); uint16(d>>chip.PackedFlagsShift)&chip.DescNext != 0 {
			return 0, 0, false // a chain, of which the driver wants the first alone
		}
	}
	return open, done, true
}
