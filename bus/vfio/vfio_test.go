package vfio

import (
	"errors"
	"strings"
	"testing"

	"glassnic/bus"
	"glassnic/bus/pci"
)

func TestRefuse(t *testing.T) {
	const addr = "0000:03:00.0"
	group := pci.Group{Number: 12, Node: "/dev/vfio/12", Members: []pci.Member{
		{Address: "0000:02:00.0", Class: 0x060400, Driver: "pcieport"},
		{Address: addr, Class: 0x020000, Driver: "vfio-pci"},
		{Address: "0000:03:00.1", Class: 0x020000, Driver: "ixgbe"},
		{Address: "0000:03:00.2", Class: 0x040300},
	}}
	free := group
	free.Members = group.Members[:2]
	for name, c := range map[string]struct {
		driver string
		group  pci.Group
		ok     bool
		inUse  bool
		want   []string
	}{
		"fine":           {"vfio-pci", free, true, false, nil},
		"variant":        {"mlx5_vfio_pci", free, true, false, nil},
		"unbound":        {"", free, true, false, []string{"`glassnic dev bind " + addr + " --driver vfio-pci`"}},
		"kernel's":       {"ixgbe", free, true, true, []string{"ixgbe has it", "`glassnic dev bind " + addr + " --driver vfio-pci`"}},
		"no IOMMU group": {"vfio-pci", pci.Group{}, false, false, []string{"intel_iommu=on", "`glassnic dev unbind " + addr + "`"}},
		"no-IOMMU mode":  {"vfio-pci", pci.Group{NoIOMMU: true}, true, false, []string{"protects nothing", "`glassnic dev unbind " + addr + "`"}},
		"other device of the group": {"vfio-pci", group, true, true, []string{
			"group 12", "uses 0000:03:00.1 (bound to ixgbe)", "0000:02:00.0 pcieport, " + addr + " vfio-pci, 0000:03:00.1 ixgbe, 0000:03:00.2 no driver",
			"`glassnic dev bind 0000:03:00.1 --driver vfio-pci`",
		}},
	} {
		err := refuse(pci.Device{Address: addr, Driver: c.driver}, c.group, c.ok)
		if (err == nil) != (c.want == nil) || errors.Is(err, bus.ErrInUse) != c.inUse {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", name, err, w)
			}
		}
	}
}
