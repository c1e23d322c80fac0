// Package virtio is what the Virtual I/O Device specification says about network devices and PCI: feature bits,
// register layouts, ring formats, the header before each frame, and control commands.
//
// Sections are those of "Virtual I/O Device (VIRTIO) Version 1.2"; its notes on legacy interfaces describe devices from
// before version 1.0. All fields are little-endian, but those of legacy devices, which have the byte order of the
// guest: that of every machine glassnic runs on.
package virtio

// Vendor is the PCI vendor of all virtio devices (4.1.2).
const Vendor uint16 = 0x1af4

// PCI devices that are network cards (4.1.2).
const (
	Transitional uint16 = 0x1000 // has the legacy interface, and the modern one or not
	Modern       uint16 = 0x1041 // 0x1040 and the device type, 1
)

// Lookup names the network card with a PCI vendor and device.
func Lookup(vendor, device uint16) (name string, ok bool) {
	switch {
	case vendor != Vendor:
		return "", false
	case device == Transitional:
		return "Virtio network device", true
	case device == Modern:
		return "Virtio 1.0 network device", true
	}
	return "", false
}

// Bits of the device status (2.1).
const (
	StatusAcknowledge uint8 = 1   // the driver has seen the device
	StatusDriver      uint8 = 2   // the driver knows how to drive it
	StatusDriverOK    uint8 = 4   // the driver is ready
	StatusFeaturesOK  uint8 = 8   // the features are settled; not on legacy devices
	StatusNeedsReset  uint8 = 64  // the device cannot go on
	StatusFailed      uint8 = 128 // the driver has given up
)

// Limits.
const (
	RingMax  = 32768 // descriptors of a queue (2.7, 2.8)
	MaxPairs = 32768 // pairs of queues (5.1.6.5.5)
)
