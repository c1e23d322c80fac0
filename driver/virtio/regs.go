package virtio

import "glassnic/nic"

// Registers implements nic.Registers. Those that a read changes are left out.
func (d *Device) Registers() ([]nic.Register, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const step = "read registers"
	if d.closed {
		return nil, d.fail(step, "%w", nic.ErrClosed)
	}
	table, w := d.way.registers()
	var all []nic.Register
	for _, r := range table {
		all = append(all, nic.Register{
			Name: r.Name, Offset: w.off + r.Offset, Value: w.read(r.Offset, r.Width), Section: r.Section, Doc: r.Doc,
		})
	}
	return all, nil
}
