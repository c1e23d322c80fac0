package ixgbe

import (
	"fmt"
	"io"
	"sync/atomic"

	chip "glassnic/chip/ixgbe"
)

// Accesses counts the register accesses of whoever drives a card. The zero value has counted nothing. Any goroutine may
// call its methods.
type Accesses struct {
	n [barWords]struct{ reads, writes atomic.Uint64 }
}

// Add counts one access. It is a Config.Trace.
func (a *Accesses) Add(e Event) {
	n := &a.n[chip.Canonical(e.Off&^3%chip.BARSize)/4%barWords]
	if e.Write {
		n.writes.Add(1)
	} else {
		n.reads.Add(1)
	}
}

// Print writes a line for each name of the register table of the 82599, in its order, of which a register was
// accessed: name, the most reads of one register, and the most writes.
func (a *Accesses) Print(w io.Writer) error {
	type most struct{ reads, writes uint64 }
	var names []string
	all := map[string]most{}
	for r := range chip.Registers {
		row := &chip.Registers[r]
		m, seen := all[row.Name]
		for i := range row.Len() {
			n := &a.n[(row.Offset+uint32(i)*row.Stride)/4%barWords]
			m = most{max(m.reads, n.reads.Load()), max(m.writes, n.writes.Load())}
		}
		if !seen {
			names = append(names, row.Name)
		}
		all[row.Name] = m
	}
	for _, name := range names {
		if m := all[name]; m != (most{}) {
			if _, err := fmt.Fprintf(w, "%s %d %d\n", name, m.reads, m.writes); err != nil {
				return err
			}
		}
	}
	return nil
}
