package ixgbe

import (
	"context"
	"slices"

	"glassnic/chip"
	"glassnic/nic"
)

// latches are registers of which a read changes something that their access mode does not tell: EICR
// clears (8.2.3.5.1), SWSM takes the semaphore (8.2.3.4.14), and the time stamps make room for the next
// (8.2.3.26); SYSTIML keeps SYSTIMH for whoever reads the clock just then.
var latches = []string{"EICR", "SWSM", "SWSM_X550EMA", "RXSTMPH", "TXSTMPH", "SYSTIML", "SYSTIMH"}

// Registers implements nic.Registers. Registers that a read changes (statistics, causes, semaphores)
// are left out, and so are write-only ones.
func (d *Device) Registers() ([]nic.Register, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, d.fail("read registers", "%w", nic.ErrClosed)
	}
	if d.gone() {
		return nil, d.late(context.Background(), "read registers", "")
	}
	var all []nic.Register
	table := d.model.Registers()
	for r := range table {
		row := &table[r]
		if row.Access == chip.RC || row.Access == chip.RCW || row.Access == chip.WO || slices.Contains(latches, row.Name) {
			continue
		}
		for i := range row.Len() {
			off := row.Offset + uint32(i)*row.Stride
			v := d.regs.Read32(off)
			reg := nic.Register{Name: row.Label(i), Offset: off, Value: v, Section: row.Section, Doc: row.Doc}
			for _, f := range row.Fields {
				reg.Fields = append(reg.Fields, nic.Field{Name: f.Name, Value: f.Value(v), Doc: f.Doc})
			}
			all = append(all, reg)
		}
	}
	return all, nil
}
