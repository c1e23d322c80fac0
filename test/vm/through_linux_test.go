package vm

import "testing"

// TestThrough forwards between cards of two kinds, and has the kernel ping and run iperf3 through that.
func TestThrough(t *testing.T) {
	for _, c := range []struct {
		a, b, mode string
		modules    []string
		newer      bool
	}{
		{"e1000e", "e1000", "physical", []string{"e1000e", "e1000"}, false},
		{"e1000e", "igb", "vfio", []string{"e1000e", "igb"}, true},
		{"e1000e", "virtio-net-pci", "physical", []string{"e1000e", "virtio_pci", "virtio_net"}, false},
	} {
		t.Run(c.a+"-"+c.b+"-"+c.mode, func(t *testing.T) {
			t.Parallel()
			g := guest{
				devices: append(hub(0, c.a, c.a), hub(1, c.b, c.b)...), modules: c.modules, newer: c.newer,
				tests: []string{"TestThrough"}, env: []string{"MODE=" + c.mode},
			}
			if c.mode == "vfio" {
				g.iommu, g.modules = "intremap=on", append(g.modules, vfio()...)
			}
			g.run(t)
		})
	}
}

// TestRSS spreads flows over the queues of a card.
func TestRSS(t *testing.T) {
	t.Parallel()
	guest{
		devices: hub(0, "igb", "igb"), newer: true, iommu: "intremap=on", modules: append(vfio(), "igb"),
		tests: []string{"TestRSS"}, env: []string{"MODE=vfio"},
	}.run(t)
}
