package pci

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Group is an IOMMU group: the devices that the IOMMU cannot keep apart from each other, so that a process
// gets all or none of them (Documentation/ABI/testing/sysfs-kernel-iommu_groups, Documentation/driver-api/vfio.rst).
type Group struct {
	Number int
	// NoIOMMU tells that there is no IOMMU: VFIO's no-IOMMU mode made the group up.
	NoIOMMU bool
	// Node is the file by which a process takes the group, such as /dev/vfio/12. It exists while a device
	// of the group is bound to VFIO.
	Node    string
	Members []Member // by address
}

// Member is a device of a group.
type Member struct {
	Address string
	Class   uint32
	Driver  string // the kernel's, "" for none
}

// Group returns the IOMMU group of a device; ok is false where it has none.
func (s Sysfs) Group(addr string) (g Group, ok bool, err error) {
	addr, err = s.find(addr)
	if err != nil {
		return Group{}, false, err
	}
	dir := filepath.Join(s.device(addr), "iommu_group")
	if g.Number, err = strconv.Atoi(link(dir)); err != nil {
		return Group{}, false, nil
	}
	node := strconv.Itoa(g.Number)
	if text(filepath.Join(dir, "name")) == "vfio-noiommu" {
		g.NoIOMMU = true
		node = "noiommu-" + node
	}
	g.Node = filepath.Join(s.vfio(), node)
	entries, err := os.ReadDir(filepath.Join(dir, "devices"))
	if err != nil {
		return Group{}, false, explain(addr, "read IOMMU group", err)
	}
	for _, e := range entries {
		m := Member{Address: e.Name(), Driver: link(filepath.Join(dir, "devices", e.Name(), "driver"))}
		if class, err := readHex(filepath.Join(dir, "devices", e.Name(), "class")); err == nil {
			m.Class = uint32(class)
		}
		g.Members = append(g.Members, m)
	}
	return g, true, nil
}

// Blocking returns the members whose kernel drivers keep the group from VFIO. Bridges and devices without
// driver do not.
func (g Group) Blocking() (list []Member) {
	for _, m := range g.Members {
		bridge := m.Class>>8 == 0x0604 || m.Driver == "pcieport"
		if m.Driver != "" && !bridge && !IsVFIO(m.Driver) && m.Driver != "pci-stub" {
			list = append(list, m)
		}
	}
	return list
}

// IsVFIO tells whether a kernel driver hands devices to processes by VFIO: vfio-pci, or one of its variants
// for certain cards, such as mlx5_vfio_pci.
func IsVFIO(driver string) bool { return strings.Contains(driver, "vfio") }

// vfio is the folder of VFIO's device files.
func (s Sysfs) vfio() string {
	if s.VFIO == "" {
		return "/dev/vfio"
	}
	return s.VFIO
}
