package ixgbe

import (
	"context"
	"crypto/rand"
	"errors"
	"net"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

const (
	mtaSize  = 128 // registers of the multicast table, of 32 bits each (8.2.3.7.7)
	vftaSize = 128 // and of the VLAN table (8.2.3.7.11)
)

// initMAC reads the port's address, which the card took from its EEPROM (4.6.3, 8.2.3.7.8). A card
// without one gets one that is locally administered.
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

// initFilters accepts broadcasts and what the settings ask for (4.6.7, 8.2.3.7.1).
func (d *Device) initFilters() {
	for i := range mtaSize {
		d.regs.Write32(chip.MTA(i), 0)
	}
	d.promiscuous = d.cfg.Promiscuous
	d.setFCTRL()
	if d.cfg.VLANs != nil {
		d.filterVLANs(d.cfg.VLANs)
	}
}

// SetPromiscuous implements nic.Device: frames for every address, unicast and multicast.
func (d *Device) SetPromiscuous(on bool) error {
	return d.change("set promiscuous", func() {
		d.promiscuous = on
		d.setFCTRL()
	})
}

// SetAllMulticast implements nic.Multicaster.
func (d *Device) SetAllMulticast(on bool) error {
	return d.change("set all multicast", func() {
		d.allMulticast = on
		d.setFCTRL()
	})
}

func (d *Device) setFCTRL() {
	v := chip.FctrlBAM
	if d.promiscuous {
		v |= chip.FctrlUPE | chip.FctrlMPE
	}
	if d.allMulticast {
		v |= chip.FctrlMPE
	}
	d.regs.Write32(chip.FCTRL, v)
}

// SetMulticast implements nic.Multicaster. The card looks 12 bits of the address up in a table of
// 4096 bits (7.1.1.2, 8.2.3.7.3, MCSTCTRL.MO = 0: bits 47:36).
func (d *Device) SetMulticast(addrs []net.HardwareAddr) error {
	const step = "set multicast"
	var mta [mtaSize]uint32
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
		v := uint32(0)
		if len(addrs) > 0 {
			v = chip.McstctrlMFE
		}
		d.regs.Write32(chip.MCSTCTRL, v)
	})
}

// SetVLANs implements nic.VLANFilterer. Promiscuous ports filter by VLAN, too.
func (d *Device) SetVLANs(ids []uint16) error {
	const step = "set VLANs"
	if err := nic.CheckVLANs(ids); err != nil {
		return d.fail(step, "%w", err)
	}
	if d.cfg.VLANs == nil {
		return d.fail(step, "the port was opened without a list of VLANs: it receives all")
	}
	return d.change(step, func() { d.filterVLANs(ids) })
}

// filterVLANs has the card look VLANs up in a table of 4096 bits (8.2.3.7.2, 8.2.3.7.11).
func (d *Device) filterVLANs(ids []uint16) {
	var vfta [vftaSize]uint32
	for _, id := range ids {
		vfta[id>>5] |= 1 << (id & 31)
	}
	for i, v := range vfta {
		d.regs.Write32(chip.VFTA(i), v)
	}
	d.regs.Write32(chip.VLNCTRL, tagType|chip.VlnctrlVFE)
}

// tagType is the EtherType of a VLAN tag (IEEE 802.1Q, 9.6), which is the register's reset value as well (8.2.3.7.2).
const tagType = 0x8100
