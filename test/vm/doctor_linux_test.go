package vm

import (
	"regexp"
	"testing"
)

// TestDoctor has doctor mend a guest, as far as that goes without a boot, and boots another as it says.
func TestDoctor(t *testing.T) {
	t.Parallel()
	// Newer, since older QEMUs abort where MSI-X goes while an e1000e throttles interrupts, as when it is unbound in use.
	g := guest{devices: hub(0, "e1000e", "e1000e"), newer: true, modules: []string{"e1000e"}, later: vfio(), tests: []string{"TestDoctor"}}
	results := g.run(t)
	if t.Failed() {
		return
	}
	with := regexp.MustCompile(`BOOT WITH (.*)`).FindStringSubmatch(results[0].Output)
	if with == nil {
		t.Fatalf("doctor did not say how to boot: %s", results[0].Output)
	}
	// The firmware's switch is a device here, which comes before the cards.
	g.devices, g.append = append([]string{"-device", "intel-iommu,intremap=on"}, g.devices...), with[1]
	g.tests = []string{"TestDoctorVFIO", "TestBind"}
	g.run(t)
}
