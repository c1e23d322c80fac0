package virtio

import "glassnic/nic"

// Registers implements nic.Registers. Those that a read changes are left out.
func (d *Device) Registers() ([]nic.Register, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	const step = "read registers"
	if err := d.health(step); err != nil {
		return nil, err
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
