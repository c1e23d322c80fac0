package virtio

import (
	"fmt"

	"glassnic/bus"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

// settle chooses among the features that a device offers, and refuses devices that lack one that is needed. All
// others may be missing.
func (d *Device) settle(offered chip.Features) (chip.Features, error) {
	legacy := d.way.legacy()
	if !legacy && !offered.Has(chip.Version1) {
		return 0, lack(chip.Version1, "the device has modern registers, but does not work by them (6.1)")
	}
	// Without the feature a device takes addresses for physical ones and goes around the IOMMU (6.1).
	if i, ok := d.fn.(bus.Isolated); ok && i.Isolated() && !offered.Has(chip.AccessPlatform) {
		return 0, lack(chip.AccessPlatform, "the device goes around the IOMMU, so it cannot be used through VFIO: give QEMU's device iommu_platform=on and disable-legacy=on, or unbind it from vfio-pci and use physical addresses")
	}
	want := chip.NetMAC | chip.NetStatus | chip.NetMTU | chip.EventIdx | chip.NetCSum
	if legacy {
		want |= chip.AnyLayout
	} else {
		want |= chip.Version1 | chip.AccessPlatform | chip.OrderPlatform | chip.NetSpeedDuplex | chip.RingPacked | chip.InOrder
	}
	if d.maxFrame() > d.room() {
		if !offered.Has(chip.NetMrgRxbuf) {
			return 0, lack(chip.NetMrgRxbuf, "a frame of MTU %d has to fit a buffer: want buffers of %d bytes or more instead of %d", d.cfg.MTU, d.maxFrame(), d.room())
		}
		if legacy && !offered.Has(chip.AnyLayout) {
			return 0, lack(chip.AnyLayout, "a frame of MTU %d has to fit a buffer, whose header has to lie apart (2.7.4.2): want buffers of %d bytes or more instead of %d", d.cfg.MTU, d.maxFrame(), d.room())
		}
		want |= chip.NetMrgRxbuf
	}
	// Where headers lie apart, nobody reads them (2.7.4.2).
	if !legacy || offered.Has(chip.AnyLayout) {
		want |= d.asked(offered)
	}
	if offered.Has(chip.NetCtrlVQ) { // all these need it (5.1.3.1)
		want |= chip.NetCtrlVQ | chip.NetCtrlRx | chip.NetCtrlMACAddr
		if d.cfg.RxQueues > 1 {
			want |= chip.NetMQ
		}
		if d.cfg.VLANs != nil { // with the feature, a device passes no VLAN that it was not told of (5.1.6.5.3)
			want |= chip.NetCtrlVLAN
		}
	}
	if f := chip.NetCtrlVQ | chip.NetCtrlVLAN; d.cfg.VLANs != nil && !offered.Has(f) {
		return 0, lack(f&^offered, "the device cannot filter VLANs: open the port without a list of them")
	}
	need := chip.NetCtrlVQ | chip.NetMQ
	if d.way.enablesPairs() {
		need = chip.NetMQ
	}
	if d.cfg.RxQueues > 1 {
		want |= need
	}
	if f := need; d.cfg.RxQueues > 1 && !offered.Has(f) {
		return 0, lack(f&^offered, "there is one queue each way, want at most that instead of %d", d.cfg.RxQueues)
	}
	return offered & want, nil
}

// What large frames need (5.1.3.1). They come in several buffers, for none has 64 KB.
const (
	hostTSO  = chip.NetCSum | chip.NetHostTSO4 | chip.NetHostTSO6
	guestTSO = chip.NetGuestCSum | chip.NetGuestTSO4 | chip.NetGuestTSO6 | chip.NetMrgRxbuf
)

// asked are the features for the offloads that the settings ask for.
func (d *Device) asked(offered chip.Features) (f chip.Features) {
	if d.cfg.Offloads&nic.RxPartial != 0 {
		f = chip.NetGuestCSum
	}
	if d.cfg.Offloads&nic.RxSegment != 0 && offered.Has(guestTSO) {
		f |= guestTSO | chip.NetGuestECN
	}
	if d.cfg.Offloads&nic.TxSegment != 0 && offered.Has(hostTSO) {
		f |= hostTSO | chip.NetHostECN
	}
	return f
}

// lack is the error of a feature that is not offered.
func lack(f chip.Features, format string, args ...any) error {
	return fmt.Errorf("%v is not offered: %w", f, fmt.Errorf(format, args...))
}

// header is how many bytes stand before each frame (5.1.6).
func (d *Device) header() int {
	if d.features&(chip.Version1|chip.NetMrgRxbuf) == 0 {
		return chip.HdrLegacySize
	}
	return chip.HdrSize
}

// apart tells whether the header has to have a descriptor of its own (2.7.4.2).
func (d *Device) apart() bool { return d.features&(chip.Version1|chip.AnyLayout) == 0 }

// offloads are what the device does.
func (d *Device) offloads() (o nic.Offloads) {
	if d.features.Has(chip.NetGuestCSum) {
		o |= nic.RxPartial
	}
	if d.features.Has(chip.NetCSum) {
		o |= nic.TxChecksum
	}
	if d.features.Has(guestTSO) {
		o |= nic.RxSegment
	}
	if d.features.Has(hostTSO) {
		o |= nic.TxSegment
	}
	return o
}
