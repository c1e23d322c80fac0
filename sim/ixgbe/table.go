package ixgbe

import (
	"sync"

	chiptype "glassnic/chip"
	chip "glassnic/chip/ixgbe"
)

// linksStatus is bit 7 of LINKS, the link status of the MAC (8.2.3.22.20).
const linksStatus uint32 = 1 << 7

// row is what the register table says about one word of BAR0. Words that the table does not have are
// reserved: they read as zero and ignore writes.
type row struct {
	known    bool
	access   chiptype.Access
	reset    uint32
	writable uint32 // bits; the others are always zero
}

// writable are the bits of registers that have some which always read as zero (8.2.3.8.1, 8.2.3.8.3, 8.2.3.7.9).
var writable = map[string]uint32{
	"RDBAL": ^uint32(chip.RingAlign - 1), "TDBAL": ^uint32(chip.RingAlign - 1), "RDLEN": ringLength, "TDLEN": ringLength,
	"RAH": chip.RahRAH | chip.RahAV,
}

type rows [barWords]row

var (
	rowsMutex sync.Mutex
	rowsCache = map[chip.Model]*rows{}
)

// rowsOf returns a model's register table by word.
func rowsOf(m chip.Model) *rows {
	rowsMutex.Lock()
	defer rowsMutex.Unlock()
	if t := rowsCache[m]; t != nil {
		return t
	}
	t := new(rows)
	list := m.Registers()
	for n := range list {
		r := &list[n]
		mask, ok := writable[r.Name]
		if !ok {
			mask = ^uint32(0)
		}
		for i := range r.Len() {
			if w := (r.Offset + uint32(i)*r.Stride) / 4; w < barWords {
				t[w] = row{known: true, access: r.Access, reset: r.Reset, writable: mask}
			}
		}
	}
	rowsCache[m] = t
	return t
}
