package virtio

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"slices"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

func unicast(mac net.HardwareAddr) error {
	if len(mac) != 6 || mac[0]&1 != 0 || string(mac) == "\x00\x00\x00\x00\x00\x00" {
		return errors.New("want 6 bytes of a unicast address")
	}
	return nil
}

// change alters settings of an open port.
func (d *Device) change(step string, f func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.health(step); err != nil {
		return err
	}
	return f()
}

// SetPromiscuous implements nic.Device: frames for every address, unicast and multicast. A device without receive
// modes (VIRTIO_NET_F_CTRL_RX) decides itself what it passes, and mostly passes all.
func (d *Device) SetPromiscuous(on bool) error {
	const step = "set promiscuous"
	return d.change(step, func() error {
		return d.receiveMode(context.Background(), step, chip.CtrlRxPromisc, on)
	})
}

// SetAllMulticast implements nic.Multicaster.
func (d *Device) SetAllMulticast(on bool) error {
	const step = "set all multicast"
	return d.change(step, func() error {
		return d.receiveMode(context.Background(), step, chip.CtrlRxAllMulti, on)
	})
}

// SetMulticast implements nic.Multicaster. A device that does not have room for so many addresses receives all
// multicast frames, or refuses.
func (d *Device) SetMulticast(addrs []net.HardwareAddr) error {
	const step = "set multicast"
	for _, a := range addrs {
		if len(a) != 6 || a[0]&1 == 0 {
			return d.fail(step, "%v: want 6 bytes of a multicast address", a)
		}
	}
	return d.change(step, func() error {
		return d.command(context.Background(), step, chip.NetCtrlRx, chip.CtrlMAC, chip.CtrlMACTableSet, macTable(addrs))
	})
}

// SetMAC implements nic.MACSetter: the address lasts until Close, and on legacy devices perhaps longer.
func (d *Device) SetMAC(mac net.HardwareAddr) error {
	const step = "set MAC address"
	if err := unicast(mac); err != nil {
		return d.fail(step, "%v: %w", mac, err)
	}
	return d.change(step, func() error {
		if d.way.legacy() && !d.features.Has(chip.NetCtrlMACAddr) { // the field can be written there (5.1.4.3)
			for i, b := range mac {
				d.way.setConfig(chip.ConfigMAC+uint32(i), b)
			}
		} else if err := d.command(context.Background(), step, chip.NetCtrlMACAddr, chip.CtrlMAC, chip.CtrlMACAddrSet, mac); err != nil {
			return err
		}
		d.mac = append(net.HardwareAddr(nil), mac...)
		return nil
	})
}

// SetVLANs implements nic.VLANFilterer.
func (d *Device) SetVLANs(ids []uint16) error {
	const step = "set VLANs"
	if err := nic.CheckVLANs(ids); err != nil {
		return d.fail(step, "%w", err)
	}
	return d.change(step, func() error {
		if d.cfg.VLANs == nil {
			return d.fail(step, "the port was opened without a list of VLANs: it receives all")
		}
		return d.filterVLANs(context.Background(), step, ids)
	})
}

// filterVLANs has the device pass these VLANs and no others (5.1.6.5.3).
func (d *Device) filterVLANs(ctx context.Context, step string, ids []uint16) error {
	command := func(cmd uint8, id uint16) error {
		return d.command(ctx, step, chip.NetCtrlVLAN, chip.CtrlVLAN, cmd, binary.LittleEndian.AppendUint16(nil, id))
	}
	for _, id := range ids {
		if slices.Contains(d.vlans, id) {
			continue
		}
		if err := command(chip.CtrlVLANAdd, id); err != nil {
			return err
		}
		d.vlans = append(d.vlans, id)
	}
	for i := len(d.vlans) - 1; i >= 0; i-- {
		if id := d.vlans[i]; !slices.Contains(ids, id) {
			if err := command(chip.CtrlVLANDel, id); err != nil {
				return err
			}
			d.vlans = slices.Delete(d.vlans, i, i+1)
		}
	}
	return nil
}
