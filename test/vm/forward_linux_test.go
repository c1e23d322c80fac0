package vm

import (
	"fmt"
	"testing"
)

// hub returns cards on one wire. Its numbers go on where the last hub ended.
func hub(n int, cards ...string) (args []string) {
	for i, c := range cards {
		id := fmt.Sprintf("h%dp%d", n, i)
		args = append(args, "-netdev", fmt.Sprintf("hubport,id=%s,hubid=%d", id, n))
		args = append(args, device(n*2+i, c, id)...)
	}
	return args
}

// device returns the arguments of card i, whose address comes before those of later cards.
func device(i int, model, netdev string) []string {
	mac := fmt.Sprintf("52:54:00:00:00:%02x", i+2)
	if model == "igb" {
		// A port of its own each: an igb has functions for virtual ones.
		return []string{
			"-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d,slot=%d,addr=%x", i, i+1, i+1, i+2),
			"-device", fmt.Sprintf("igb,netdev=%s,mac=%s,bus=rp%d", netdev, mac, i),
		}
	}
	return []string{"-device", fmt.Sprintf("%s,netdev=%s,mac=%s,addr=%x", model, netdev, mac, i+2)}
}

func both(model string) []string {
	return append(hub(0, model, model), hub(1, model, model)...)
}

// vfio are the modules of VFIO.
func vfio() []string { return []string{"vfio-pci", "vfio_iommu_type1"} }

// TestForward forwards a million frames between two cards of each kind, by physical address and through VFIO.
func TestForward(t *testing.T) {
	for _, c := range []struct {
		model, module string
		newer         bool
	}{{"e1000", "e1000", false}, {"e1000e", "e1000e", false}, {"igb", "igb", true}} {
		t.Run(c.model, func(t *testing.T) {
			t.Parallel()
			guest{devices: both(c.model), newer: c.newer, modules: []string{c.module}, tests: []string{"TestForward"}}.run(t)
		})
		t.Run(c.model+"-vfio", func(t *testing.T) {
			t.Parallel()
			guest{
				devices: both(c.model), iommu: "intremap=on", newer: c.newer, modules: append(vfio(), c.module),
				tests: []string{"TestForward"}, env: []string{"MODE=vfio"},
			}.run(t)
		})
	}
}

// TestAdaptive forwards through VFIO with a worker that sleeps until a card interrupts.
func TestAdaptive(t *testing.T) {
	t.Parallel()
	guest{
		devices: both("e1000e"), iommu: "intremap=on", modules: append(vfio(), "e1000e"),
		tests: []string{"TestAdaptive"}, env: []string{"MODE=vfio"},
	}.run(t)
}
