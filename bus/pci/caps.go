package pci

import (
	"errors"
	"fmt"
	"io"

	"glassnic/bus"
)

// Capability is an entry of a device's capability lists.
type Capability struct {
	ID       uint16
	Version  uint8 // of extended capabilities, 0–15
	Extended bool  // PCI Express, at 100h or above
	Offset   int   // in bytes from the start of the configuration space
}

// capNames are those that network cards have (PCI Local Bus 3.0, appendix H).
var capNames = map[uint16]string{
	0x01: "Power Management", 0x03: "Vital Product Data", 0x05: "MSI", 0x09: "Vendor Specific",
	0x10: "PCI Express", 0x11: "MSI-X", 0x13: "Advanced Features",
}

// extNames are those that network cards have (PCI Express Base 3.0, section 7.9 on).
var extNames = map[uint16]string{
	0x01: "Advanced Error Reporting", 0x02: "Virtual Channel", 0x03: "Device Serial Number",
	0x0d: "Access Control Services", 0x0e: "Alternative Routing-ID", 0x0f: "Address Translation Service",
	0x10: "Single Root I/O Virtualization", 0x15: "Resizable BAR", 0x17: "TPH Requester",
	0x18: "Latency Tolerance Reporting", 0x19: "Secondary PCI Express", 0x1b: "PASID", 0x1f: "Precision Time Measurement",
}

// Name returns the capability's name in the specification, or its number.
func (c Capability) Name() string {
	names := capNames
	if c.Extended {
		names = extNames
	}
	if n := names[c.ID]; n != "" {
		return n
	}
	return fmt.Sprintf("capability %#02x", c.ID)
}

// Capabilities walks the standard list (PCI Local Bus 3.0, section 6.7) and, for PCI Express devices,
// the extended one (PCI Express Base 3.0, section 7.9). What was read before an error is returned
// with it; a list that loops or leaves its space is an error.
func Capabilities(c bus.ConfigSpace) ([]Capability, error) {
	status, err := c.Read16(CfgStatus)
	if err != nil {
		return nil, err
	}
	if status == 0xffff {
		return nil, fmt.Errorf("capabilities: device does not answer (reads all ones)")
	}
	if status&StatusCapsList == 0 {
		return nil, nil
	}
	list, err := standard(c)
	if err != nil {
		return list, err
	}
	for _, k := range list {
		if k.ID == 0x10 {
			ext, err := extended(c)
			return append(list, ext...), err
		}
	}
	return list, nil
}

func standard(c bus.ConfigSpace) ([]Capability, error) {
	p, err := c.Read8(CfgCapPtr)
	if err != nil {
		return nil, err
	}
	var list []Capability
	var seen [256]bool
	// The lower two bits are reserved.
	for off := int(p &^ 3); off != 0; {
		if off < 0x40 || seen[off] {
			return list, fmt.Errorf("capability list goes to %#x, which is %s", off, where(off < 0x40))
		}
		seen[off] = true
		v, err := c.Read16(off)
		if err != nil {
			return list, err
		}
		list = append(list, Capability{ID: v & 0xff, Offset: off})
		off = int(v>>8) &^ 3
	}
	return list, nil
}

func extended(c bus.ConfigSpace) ([]Capability, error) {
	var list []Capability
	var seen [4096]bool
	for off := 0x100; off != 0; {
		if off < 0x100 || seen[off] {
			return list, fmt.Errorf("extended capability list goes to %#x, which is %s", off, where(off < 0x100))
		}
		seen[off] = true
		v, err := c.Read32(off)
		if off == 0x100 && errors.Is(err, io.ErrUnexpectedEOF) { // behind a conventional bus
			return nil, nil
		}
		if err != nil {
			return list, err
		}
		if v == 0 || v == 1<<32-1 { // an empty list, or a device without extended space
			return list, nil
		}
		list = append(list, Capability{ID: uint16(v), Version: uint8(v >> 16 & 0xf), Extended: true, Offset: off})
		off = int(v>>20) &^ 3
	}
	return list, nil
}

func where(below bool) string {
	if below {
		return "outside its space"
	}
	return "where it was before: a loop"
}
