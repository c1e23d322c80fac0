package ixgbe

import (
	chiptype "glassnic/chip"
	chip "glassnic/chip/ixgbe"
	"sync"
)

// linksStatus is bit 7 of LINKS, link status of the MAC (8.2.3.22.20).
const linksStatus uint32 = 1 << 7

// access says what a trapped access to each register does; rows that the table does not have are
// reserved: they read as zero and ignore writes.
type registerRow struct {
	known  bool
	access chiptype.Access
	reset  uint32
}

// rows is the register table by word offset.
var rows = sync.OnceValue(func() *[barWords]registerRow {
	t := new([barWords]registerRow)
	for n := range chip.Registers {
		r := &chip.Registers[n]
		for i := range r.Len() {
			if w := (r.Offset + uint32(i)*r.Stride) / 4; w < barWords {
				t[w] = registerRow{known: true, access: r.Access, reset: r.Reset}
			}
		}
	}
	return t
})

var resetValues = sync.OnceValue(func() []uint32 {
	v := make([]uint32, barWords)
	for i, r := range rows() {
		v[i] = r.reset
	}
	return v
})
