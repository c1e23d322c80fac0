package ixgbe

import (
	"strings"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestAccesses(t *testing.T) {
	var a Accesses
	for range 3 {
		a.Add(Event{Off: chip.RDT(5), Write: true})
	}
	a.Add(Event{Off: chip.RDT(70), Write: true}) // a second row of the same name
	a.Add(Event{Off: chip.RDT(70)})
	a.Add(Event{Off: 0x00004}) // CTRL's second address (8.2.3.1.1)
	a.Add(Event{Off: 0x1fffc}) // where no register is
	var b strings.Builder
	if err := a.Print(&b); err != nil || b.String() != "CTRL 1 0\nRDT 1 3\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}
