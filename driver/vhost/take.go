//go:build linux

package vhost

import (
	chip "glassnic/chip/virtio"
)

// take takes the next buffer that the driver has made available, and adds its parts, up to n of which are in r.parts
// already. It returns how many there are then; ok is false where there is no buffer, or the ring was stopped because
// of it. Write says what this end does to such buffers. What the driver writes is read once.
func (r *ring) take(m *mark, n int, write bool) (parts int, ok bool) {
	if r.packed {
		return r.takePacked(m, n, write)
	}
	return r.takeSplit(m, n, write)
}

// look learns how many buffers of a split ring there are.
func (r *ring) look() {
	n := r.view.availIndex() - r.next
	if int(n) > r.size {
		r.lie("the driver's index is %d entries ahead of %d in a ring of %d", n, r.next, r.size)
		n = 0
	}
	r.ready = int(n)
}

func (r *ring) takeSplit(m *mark, n int, write bool) (int, bool) {
	if r.ready == 0 {
		if r.look(); r.ready == 0 {
			return n, false
		}
	}
	head := r.view.head(int(r.next) & (r.size - 1))
	if int(head) >= r.size {
		r.lie("the driver offers descriptor %d of %d", head, r.size)
		return n, false
	}
	*m = mark{id: head}
	at := head
	for range r.size {
		addr, rest := r.view.desc(int(at))
		flags := uint16(rest >> chip.SplitFlagsShift)
		var ok bool
		if flags&chip.DescIndirect != 0 {
			n, ok = r.table(m, n, addr, uint32(rest), write)
		} else {
			n, ok = r.part(m, n, addr, uint32(rest), flags, write)
		}
		if !ok {
			return n, false
		}
		if flags&(chip.DescNext|chip.DescIndirect) != chip.DescNext {
			r.next++
			r.ready--
			return n, true
		}
		if at = uint16(rest >> chip.SplitNextShift); int(at) >= r.size {
			r.lie("descriptor %d goes on in number %d of %d", head, at, r.size)
			return n, false
		}
	}
	r.lie("descriptor %d begins a chain without an end", head)
	return n, false
}

func (r *ring) takePacked(m *mark, n int, write bool) (int, bool) {
	addr, rest := r.view.packed(int(r.next))
	if !available(rest, r.wrap) {
		return n, false
	}
	at, wrap := r.next, r.wrap
	*m = mark{at: at, wrap: wrap}
	for k := range r.size {
		flags := uint16(rest >> chip.PackedFlagsShift)
		var ok bool
		if flags&chip.DescIndirect != 0 {
			n, ok = r.table(m, n, addr, uint32(rest), write)
		} else {
			n, ok = r.part(m, n, addr, uint32(rest), flags, write)
		}
		if !ok {
			return n, false
		}
		if at++; int(at) == r.size {
			at, wrap = 0, !wrap
		}
		if flags&(chip.DescNext|chip.DescIndirect) != chip.DescNext {
			m.id, m.more = uint16(rest>>chip.PackedIDShift), uint16(k)
			r.next, r.wrap = at, wrap
			return n, true
		}
		addr, rest = r.view.packed(int(at))
	}
	r.lie("descriptor %d begins a chain without an end", r.next)
	return n, false
}

// available tells whether a descriptor of a packed ring is, in a lap of the driver's (2.8.1).
func available(rest uint64, wrap bool) bool {
	flags := uint16(rest >> chip.PackedFlagsShift)
	return (flags&chip.DescAvail != 0) == wrap && (flags&chip.DescUsed != 0) != wrap
}

// part adds what a descriptor stands for.
func (r *ring) part(m *mark, n int, addr uint64, size uint32, flags uint16, write bool) (int, bool) {
	if (flags&chip.DescWrite != 0) != write {
		r.lie("a descriptor has flags %#x, in a ring that the device %s", flags, map[bool]string{true: "writes to", false: "reads"}[write])
		return n, false
	}
	if size == 0 {
		return n, true
	}
	b := r.d.memory.Guest(addr, uint64(size))
	if b == nil {
		r.lie("a descriptor's %d bytes at guest address %#x do not lie in one region of memory", size, addr)
		return n, false
	}
	if n == len(r.parts) {
		r.lie("a frame has more than %d parts", n)
		return n, false
	}
	r.parts[n] = b
	m.bytes += len(b)
	return n + 1, true
}

// table adds what an indirect table stands for (2.7.5.3, 2.8.7).
func (r *ring) table(m *mark, n int, addr uint64, size uint32, write bool) (int, bool) {
	count := int(size / chip.DescSize)
	t := r.d.memory.Guest(addr, uint64(size))
	if t == nil || size%chip.DescSize != 0 || count > max(r.size, leastParts) {
		r.lie("an indirect table of %d bytes at guest address %#x", size, addr)
		return n, false
	}
	at := 0
	for range count {
		addr, rest := tableDesc(t, at)
		flags := uint16(rest >> chip.SplitFlagsShift)
		if r.packed {
			flags = uint16(rest >> chip.PackedFlagsShift)
		}
		if flags&chip.DescIndirect != 0 {
			r.lie("an indirect table in an indirect table")
			return n, false
		}
		var ok bool
		if n, ok = r.part(m, n, addr, uint32(rest), flags, write); !ok {
			return n, false
		}
		at++
		if r.packed {
			continue // tables of packed rings are in order and have no links
		}
		if flags&chip.DescNext == 0 {
			return n, true
		}
		if at = int(rest >> chip.SplitNextShift); at >= count {
			r.lie("an indirect table of %d descriptors goes on in number %d", count, at)
			return n, false
		}
	}
	if !r.packed {
		r.lie("an indirect table has a chain without an end")
		return n, false
	}
	return n, true
}
