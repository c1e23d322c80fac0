// Package vfio reaches PCI devices through the kernel's VFIO: an IOMMU keeps the device to the memory it was
// given, interrupts come as events, and after set-up no privilege is needed (Linux,
// Documentation/driver-api/vfio.rst; layouts and numbers: include/uapi/linux/vfio.h of Linux 6.1).
//
// The address is "vfio:dddd:bb:dd.f"; the scheme "pci" hands over devices that are bound to VFIO. All
// devices of a process are put into one container where their IOMMUs allow it, so that each reaches the DMA
// memory of all: then frames can leave by another port than they came in by without a copy.
//
// A device is given to a process with its whole IOMMU group. Only the interface of groups and containers is
// used (/dev/vfio/GROUP); that of iommufd (/dev/vfio/devices, /dev/iommu) is not: kernels that have it also
// have the former, and Debian 12's has it switched off.
package vfio

import (
	"fmt"
	"strings"

	"glassnic/bus"
	"glassnic/bus/pci"
)

func init() { bus.Register("vfio", open) }

// refuse explains why a device cannot be opened, as far as sysfs tells.
func refuse(dev pci.Device, g pci.Group, ok bool) error {
	bind := fmt.Sprintf("`glassnic dev bind %s --driver vfio-pci`", dev.Address)
	switch {
	case dev.Driver == "":
		return fmt.Errorf("it is not bound to VFIO: %s", bind)
	case !pci.IsVFIO(dev.Driver):
		return fmt.Errorf("kernel driver %s has it: %s: %w", dev.Driver, bind, bus.ErrInUse)
	case !ok:
		return fmt.Errorf("it is in no IOMMU group: switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on; or do without, `glassnic dev unbind %s`", dev.Address)
	case g.NoIOMMU:
		return fmt.Errorf("it is bound in VFIO's no-IOMMU mode, which protects nothing and cannot map memory: boot with intel_iommu=on; or do without VFIO, `glassnic dev unbind %s`", dev.Address)
	}
	if bad := g.Blocking(); len(bad) > 0 {
		return notViable(g, bad)
	}
	return nil
}

// notViable names the devices that keep a group from a process.
func notViable(g pci.Group, bad []pci.Member) error {
	var who, cure []string
	for _, m := range bad {
		who = append(who, fmt.Sprintf("%s (bound to %s)", m.Address, m.Driver))
		cure = append(cure, fmt.Sprintf("`glassnic dev bind %s --driver vfio-pci`", m.Address))
	}
	return fmt.Errorf("IOMMU group %d is given away as a whole, and the kernel still uses %s of its devices %s: %s: %w",
		g.Number, strings.Join(who, ", "), describe(g), strings.Join(cure, " and "), bus.ErrInUse)
}

// describe lists a group.
func describe(g pci.Group) string {
	var s []string
	for _, m := range g.Members {
		driver := m.Driver
		if driver == "" {
			driver = "no driver"
		}
		s = append(s, m.Address+" "+driver)
	}
	return "(" + strings.Join(s, ", ") + ")"
}
