package e1000

import (
	"context"

	"glassnic/chip"
	"glassnic/nic"
)

// Registers implements nic.Registers. Registers that a read changes (statistics, causes, the semaphore) are left
// out, and so are write-only ones.
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
		// Reading SWSM takes the semaphore (82576 8.7.1).
		if row.Access == chip.RC || row.Access == chip.RCW || row.Access == chip.WO || row.Name == "SWSM" {
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
