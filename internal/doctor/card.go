package doctor

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"glassnic/bus/pci"
)

// Card examines what keeps this user from opening a PCI card. The names of the checks begin with its address. An
// error means that there is no such card.
func (s System) Card(addr string) ([]Check, error) {
	sys := pci.Sysfs{State: pci.KernelState(s.path("/proc/net"))}
	if s.Root != "" {
		sys.Root, sys.VFIO = s.path("/sys"), s.path("/dev/vfio")
	}
	d, err := sys.Device(addr)
	if err != nil {
		return nil, err
	}
	g, grouped, err := sys.Group(d.Address)
	if err != nil {
		return nil, err
	}
	list := []Check{s.driver(sys, d, grouped)}
	if pci.IsVFIO(d.Driver) && grouped {
		list = append(list, group(d, g), s.node(d, g))
	}
	return tidy(list), nil
}

const opening = "opening this card"

// driver looks at who has a card.
func (s System) driver(sys pci.Sysfs, d pci.Device, grouped bool) Check {
	c := Check{Name: d.Address + " kernel driver", For: opening}
	bind := fmt.Sprintf("glassnic dev bind %s --driver vfio-pci", d.Address)
	used := sys.InUse(d.Address)
	switch {
	case pci.IsVFIO(d.Driver):
		c.State, c.Found = OK, d.Driver+": it is reached by VFIO"
		if !grouped {
			c.State, c.Found = Missing, d.Driver+", but it is in no IOMMU group"
			c.Cure = "switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on; or do without VFIO: glassnic dev unbind " + d.Address
		}
	case d.Driver == "":
		c.State, c.Found = OK, "none: it is reached by physical addresses, by root"
		if t, _ := s.text("/sys/bus/pci/devices/" + d.Address + "/iommu_group/type"); t != "" && t != "identity" {
			c.State, c.Found, c.Run = Missing, "none, but the IOMMU translates its addresses", bind
		}
	default:
		c.State, c.Found, c.Run = Missing, d.Driver+" has it", "glassnic dev unbind "+d.Address
		if grouped {
			c.Run = bind
		}
		if used != nil && len(d.Interfaces) > 0 {
			n := d.Interfaces[0].Name
			c.Found += fmt.Sprintf(", and the system uses %s (up, or with an address or route), which ends with this", n)
			c.Run = fmt.Sprintf("ip addr flush dev %s; ip link set dev %s nomaster down; %s", n, n, c.Run)
		}
		used = nil
	}
	if used != nil && c.State == OK {
		c.State, c.Found, c.Cure = Missing, used.Error(), "stop that process"
	}
	return c
}

// group looks whether a group can be had as a whole.
func group(d pci.Device, g pci.Group) Check {
	c := Check{Name: d.Address + " IOMMU group", For: opening, State: OK, Found: fmt.Sprintf("group %d can be given away", g.Number)}
	var who, run []string
	for _, m := range g.Blocking() {
		who = append(who, fmt.Sprintf("%s (bound to %s)", m.Address, m.Driver))
		run = append(run, fmt.Sprintf("glassnic dev bind %s --driver vfio-pci", m.Address))
	}
	if len(who) > 0 {
		c.State, c.Run = Missing, strings.Join(run, " && ")
		c.Found = fmt.Sprintf("group %d is given away as a whole, and the kernel uses %s", g.Number, strings.Join(who, ", "))
	}
	return c
}

// node looks whether this user may open a group's file.
func (s System) node(d pci.Device, g pci.Group) Check {
	c := Check{Name: d.Address + " group file", For: opening, State: OK, Found: "this user may open " + g.Node}
	if err := access(g.Node); errors.Is(err, os.ErrPermission) {
		c.State, c.Found = Missing, "this user may not open "+g.Node
		c.Run = fmt.Sprintf("glassnic dev bind %s --driver vfio-pci --user %s", d.Address, userName())
	} else if err != nil {
		c.State, c.Found, c.Cure = Missing, err.Error(), "in a container, start it with the device files "+g.Node+" and /dev/vfio/vfio"
	}
	return c
}

// userName is what commands call this user.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
