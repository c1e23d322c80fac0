package doctor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const addr = "0000:03:00.0"

// cardAt makes a machine with one card, links, and more files. A link is named with what it points to behind "->".
func cardAt(t *testing.T, more ...string) System {
	t.Helper()
	files := map[string]string{}
	for name, text := range map[string]string{
		"vendor": "0x8086", "device": "0x10fb", "subsystem_vendor": "0x8086", "subsystem_device": "0x3", "revision": "0x1", "class": "0x020000",
		"resource0": "",
	} {
		files["/sys/bus/pci/devices/"+addr+"/"+name] = text
	}
	links := map[string]string{}
	for _, m := range more {
		if from, to, ok := strings.Cut(m, "->"); ok {
			links[from] = to
			continue
		}
		name, text, _ := strings.Cut(m, "=")
		files[name] = text
	}
	s := machine(t, files)
	for from, to := range links {
		p := s.path(from)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(s.path(to), p); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestCard(t *testing.T) {
	const dev = "/sys/bus/pci/devices/" + addr
	drivenBy := func(name string) string { return dev + "/driver->/sys/bus/pci/drivers/" + name }
	grouped := []string{
		dev + "/iommu_group->/sys/kernel/iommu_groups/7", "/sys/kernel/iommu_groups/7/type=DMA-FQ",
		"/sys/kernel/iommu_groups/7/devices/" + addr + "->" + dev, "/dev/vfio/7=",
	}
	for _, c := range []struct {
		files              []string
		check, state, cure string
	}{
		{nil, "kernel driver", OK, ""},
		{[]string{drivenBy("e1000e"), "/sys/bus/pci/drivers/e1000e/bind=", dev + "/net/eth7/operstate=down", dev + "/net/eth7/flags=0x1002", dev + "/net/eth7/address=02:00:00:00:00:01"},
			"kernel driver", Missing, "glassnic dev unbind " + addr},
		{[]string{drivenBy("e1000e"), "/sys/bus/pci/drivers/e1000e/bind=", dev + "/net/eth7/operstate=up", dev + "/net/eth7/flags=0x1003", dev + "/net/eth7/address=02:00:00:00:00:01"},
			"kernel driver", Missing, "ip addr flush dev eth7; ip link set dev eth7 nomaster down; glassnic dev unbind " + addr},
		{append(grouped, drivenBy("e1000e"), "/sys/bus/pci/drivers/e1000e/bind="), "kernel driver", Missing, "glassnic dev bind " + addr + " --driver vfio-pci"},
		{grouped, "kernel driver", Missing, "glassnic dev bind " + addr + " --driver vfio-pci"}, // translated addresses
		{append(grouped, drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind="), "kernel driver", OK, ""},
		{[]string{drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind="}, "kernel driver", Missing, "intel_iommu=on"},
		{append(grouped, drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind="), "IOMMU group", OK, ""},
		{append(grouped, drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind=", "/sys/kernel/iommu_groups/7/devices/0000:03:00.1/class=0x020000",
			"/sys/kernel/iommu_groups/7/devices/0000:03:00.1/driver->/sys/bus/pci/drivers/ixgbe", "/sys/bus/pci/drivers/ixgbe/bind="),
			"IOMMU group", Missing, "glassnic dev bind 0000:03:00.1 --driver vfio-pci"},
		{append(grouped, drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind="), "group file", OK, ""},
		{append(grouped[:3:3], drivenBy("vfio-pci"), "/sys/bus/pci/drivers/vfio-pci/bind="), "group file", Missing, "device files"},
	} {
		list, err := cardAt(t, c.files...).Card("03:00.0")
		if err != nil {
			t.Errorf("%q: %v", c.files, err)
			continue
		}
		found := false
		for _, k := range list {
			if k.Name != addr+" "+c.check {
				continue
			}
			found = true
			if k.State != c.state || !strings.Contains(k.Cure, c.cure) || (k.State == OK) != (k.Cure == "") || k.Found == "" || k.For == "" {
				t.Errorf("%q: %+v, want state %s and a cure with %q", c.files, k, c.state, c.cure)
			}
		}
		if !found {
			t.Errorf("%q: no check of the %s in %+v", c.files, c.check, list)
		}
	}
	if _, err := cardAt(t).Card("04:00.0"); err == nil || !strings.Contains(err.Error(), "glassnic dev list") {
		t.Errorf("a card that is not there: %v", err)
	}
}
