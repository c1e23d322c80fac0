package e1000

import (
	"context"
	"crypto/rand"
	"errors"
	"net"

	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// tableSize is the number of registers, of 32 bits each, of the multicast and the VLAN table (8254x 13.5.1,
// 13.5.4).
const tableSize = 128

// initMAC reads the port's address, which the card took from its EEPROM (8254x 13.5.2). A card without one gets
// one that is locally administered.
func (d *Device) initMAC(context.Context) error {
	lo, hi := d.regs.Read32(chip.RAL(0)), d.regs.Read32(chip.RAH(0))
	mac := net.HardwareAddr{byte(lo), byte(lo >> 8), byte(lo >> 16), byte(lo >> 24), byte(hi), byte(hi >> 8)}
	if unicast(mac) != nil {
		_, _ = rand.Read(mac) // never fails
		mac[0] = mac[0]&^1 | 2
	}
	d.setMAC(mac)
	return nil
}

func unicast(mac net.HardwareAddr) error {
	if len(mac) != 6 || mac[0]&1 != 0 || string(mac) == "\x00\x00\x00\x00\x00\x00" {
		return errors.New("want 6 bytes of a unicast address")
	}
	return nil
}

// setMAC writes low to high, as 8254x 13.5.3 has it.
func (d *Device) setMAC(mac net.HardwareAddr) {
	d.mac = append(net.HardwareAddr(nil), mac...)
	d.regs.Write32(chip.RAL(0), uint32(mac[0])|uint32(mac[1])<<8|uint32(mac[2])<<16|uint32(mac[3])<<24)
	d.regs.Write32(chip.RAH(0), uint32(mac[4])|uint32(mac[5])<<8|chip.RahAV)
}

// SetMAC implements nic.MACSetter: the address lasts until Close.
func (d *Device) SetMAC(mac net.HardwareAddr) error {
	if err := unicast(mac); err != nil {
		return d.fail("set MAC address", "%v: %w", mac, err)
	}
	return d.change("set MAC address", func() { d.setMAC(mac) })
}

// change alters settings of an open port.
func (d *Device) change(step string, f func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return d.fail(step, "%w", nic.ErrClosed)
	}
	if d.gone() {
		return d.late(context.Background(), step, "")
	}
	f()
	return nil
}

// initFilters empties the tables and accepts broadcasts and what the settings ask for (8254x 14.4).
func (d *Device) initFilters() {
	for i := range tableSize {
		d.regs.Write32(chip.MTA(i), 0)
	}
	d.fillVFTA(d.cfg.VLANs)
	d.promiscuous = d.cfg.Promiscuous
	d.setRCTL()
}

// SetPromiscuous implements nic.Device: frames for every address, unicast and multicast.
func (d *Device) SetPromiscuous(on bool) error {
	return d.change("set promiscuous", func() {
		d.promiscuous = on
		d.setRCTL()
	})
}

// SetAllMulticast implements nic.Multicaster.
func (d *Device) SetAllMulticast(on bool) error {
	return d.change("set all multicast", func() {
		d.allMulticast = on
		d.setRCTL()
	})
}

// setRCTL writes everything that RCTL says (8254x 13.4.22).
func (d *Device) setRCTL() {
	v := chip.RctlBAM | chip.RctlSECRC
	if d.receiving {
		v |= chip.RctlEN
	}
	if d.promiscuous {
		v |= chip.RctlUPE | chip.RctlMPE
	}
	if d.allMulticast {
		v |= chip.RctlMPE
	}
	if d.cfg.VLANs != nil {
		v |= chip.RctlVFE
	}
	if d.cfg.MTU > 1500 {
		v |= chip.RctlLPE
	}
	if !d.family.switches {
		v |= chip.RctlBuffer(d.family.buffer(d.pool.Room()))
	}
	d.regs.Write32(chip.RCTL, v)
}

// SetMulticast implements nic.Multicaster. The card looks 12 bits of the address up in a table of
// 4096 bits (8254x 13.5.1, RCTL.MO = 0: bits 47:36).
func (d *Device) SetMulticast(addrs []net.HardwareAddr) error {
	const step = "set multicast"
	var mta [tableSize]uint32
	for _, a := range addrs {
		if len(a) != 6 || a[0]&1 == 0 {
			return d.fail(step, "%v: want 6 bytes of a multicast address", a)
		}
		h := uint32(a[4])>>4 | uint32(a[5])<<4
		mta[h>>5] |= 1 << (h & 31)
	}
	return d.change(step, func() {
		for i, v := range mta {
			d.regs.Write32(chip.MTA(i), v)
		}
	})
}

// SetVLANs implements nic.VLANFilterer.
func (d *Device) SetVLANs(ids []uint16) error {
	const step = "set VLANs"
	if err := nic.CheckVLANs(ids); err != nil {
		return d.fail(step, "%w", err)
	}
	if d.cfg.VLANs == nil {
		return d.fail(step, "the port was opened without a list of VLANs: it receives all")
	}
	return d.change(step, func() { d.fillVFTA(ids) })
}

// fillVFTA writes the table of 4096 bits in which the card looks VLANs up, where RCTL.VFE says so (8254x 13.5.4).
func (d *Device) fillVFTA(ids []uint16) {
	var vfta [tableSize]uint32
	for _, id := range ids {
		vfta[id>>5] |= 1 << (id & 31)
	}
	for i, v := range vfta {
		d.regs.Write32(chip.VFTA(i), v)
	}
}
