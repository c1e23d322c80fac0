package vm

import "testing"

// TestVFIO looks at what only VFIO has, behind an IOMMU of 39 bits.
func TestVFIO(t *testing.T) {
	t.Parallel()
	guest{
		devices: both("e1000e"), iommu: "intremap=on,aw-bits=39", modules: append(vfio(), "e1000e"),
		// Older QEMUs abort where MSI-X comes or goes while an e1000e throttles interrupts.
		newer: true,
		// A test writes to registers of cards that the program drives.
		append: "iomem=relaxed",
		tests:  []string{"TestDevice", "TestMemory", "TestBusy", "TestRequest", "TestInterrupts", "TestFault"}, env: []string{"MODE=vfio"},
	}.run(t)
}

// TestGroup has two cards in one IOMMU group, and pages of 1 GiB.
func TestGroup(t *testing.T) {
	t.Parallel()
	guest{
		devices: []string{
			"-device", "pcie-pci-bridge,id=bridge,addr=2", "-device", "e1000,bus=bridge,addr=1", "-device", "e1000,bus=bridge,addr=2",
		},
		iommu: "intremap=on", modules: append(vfio(), "e1000"), memory: 2560, append: "hugepagesz=1G hugepages=1",
		tests: []string{"TestGroup", "TestPin", "TestGiga"}, env: []string{"MODE=vfio"},
	}.run(t)
}

// TestKilled kills the program in the middle of traffic, fifty times in both modes together.
func TestKilled(t *testing.T) {
	for mode, kills := range map[string]string{"physical": "35", "vfio": "15"} { // the IOMMU is slow to emulate
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := guest{devices: both("e1000e"), modules: []string{"e1000e"}, tests: []string{"TestKilled"}, env: []string{"MODE=" + mode, "KILLS=" + kills}}
			if mode == "vfio" {
				g.iommu, g.modules = "intremap=on", append(g.modules, vfio()...)
			}
			g.run(t)
		})
	}
}

// TestPrivileges looks at what the program may while it runs, in both modes.
func TestPrivileges(t *testing.T) {
	for _, mode := range []string{"physical", "vfio"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			g := guest{devices: both("e1000e"), modules: []string{"e1000e"}, tests: []string{"TestPrivileges"}, env: []string{"MODE=" + mode}}
			if mode == "vfio" {
				g.iommu, g.modules = "intremap=on", append(g.modules, vfio()...)
			}
			g.run(t)
		})
	}
}
