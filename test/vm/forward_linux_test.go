package vm

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"glassnic/test/vm/plan"
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

// device returns the arguments of card i, whose address comes before those of later cards. It has no ROM, with which
// the firmware would try to boot.
func device(i int, model, netdev string) []string {
	mac := fmt.Sprintf("52:54:00:00:00:%02x", i+2)
	if model == "igb" {
		// A port of its own each: an igb has functions for virtual ones.
		return []string{
			"-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d,slot=%d,addr=%x", i, i+1, i+1, i+2),
			"-device", fmt.Sprintf("igb,netdev=%s,mac=%s,romfile=,bus=rp%d", netdev, mac, i),
		}
	}
	return []string{"-device", fmt.Sprintf("%s,netdev=%s,mac=%s,romfile=,addr=%x", model, netdev, mac, i+2)}
}

func both(model string) []string {
	return append(hub(0, model, model), hub(1, model, model)...)
}

// vfio are the modules of VFIO.
func vfio() []string { return []string{"vfio-pci", "vfio_iommu_type1"} }

// virtioModules are the kernel's modules for virtio.
var virtioModules = []string{"virtio_net", "virtio_pci"}

// virtio is QEMU's virtio device with rings as large as it has, made with further options.
func virtio(options string) string { return "virtio-net-pci,rx_queue_size=1024," + options }

// long is enough for a million frames on a machine that has other work, too.
const long = 8 * time.Minute

// TestForward forwards a million frames between two cards of each kind, by physical address and through VFIO, and
// prints a table of how fast that was.
func TestForward(t *testing.T) {
	var fast rates
	t.Cleanup(func() { t.Log(fast.table()) }) // when the guests are done
	for _, c := range []struct {
		name, model string
		vfio        string // the model as VFIO needs it; "" where it cannot be used through VFIO
		newer       bool
		modules     []string
	}{
		{"e1000", "e1000", "e1000", false, []string{"e1000"}},
		{"e1000e", "e1000e", "e1000e", false, []string{"e1000e"}},
		{"igb", "igb", "igb", true, []string{"igb"}},
		{"virtio-modern", virtio("disable-legacy=on"), virtio("disable-legacy=on,iommu_platform=on"), false, virtioModules},
		// With the event index besides, the kernel's own driver does not get a ping through this emulator.
		{"virtio-packed", virtio("disable-legacy=on,packed=on,event_idx=off"), virtio("disable-legacy=on,packed=on,event_idx=off,iommu_platform=on"), false, virtioModules},
		{"virtio-transitional", virtio("disable-legacy=off"), "", false, virtioModules},
		{"virtio-legacy", virtio("disable-modern=on"), "", false, virtioModules},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := guest{devices: both(c.model), newer: c.newer, modules: c.modules, tests: []string{"TestForward"}, limit: long}
			fast.add(c.name, 0, g.run(t))
		})
		if c.vfio == "" {
			continue
		}
		t.Run(c.name+"-vfio", func(t *testing.T) {
			t.Parallel()
			g := guest{
				devices: both(c.vfio), iommu: "intremap=on", newer: c.newer, modules: append(vfio(), c.modules...),
				tests: []string{"TestForward"}, env: []string{"MODE=vfio"}, limit: long,
			}
			fast.add(c.name, 1, g.run(t))
		})
	}
}

// TestForwardPairs is TestForward for virtio devices of two pairs of queues, of which the forwarder uses both.
func TestForwardPairs(t *testing.T) {
	var fast rates
	t.Cleanup(func() { t.Log(fast.table()) })
	for i, mode := range []string{"physical", "vfio"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			options := "mq=on,vectors=6,disable-legacy=on"
			g := guest{wires: bridge(0) + bridge(1), modules: virtioModules, tests: []string{"TestForward"}, env: []string{"QUEUES=2", "MODE=" + mode}, limit: long}
			if mode == "vfio" {
				options += ",iommu_platform=on"
				g.iommu, g.modules = "intremap=on", append(vfio(), g.modules...)
			}
			for n := range 4 {
				g.devices = append(g.devices, pairs(n, virtio(options))...)
			}
			fast.add("virtio-pairs", i, g.run(t))
		})
	}
}

// rates are how fast cards forwarded, in Mpps, by name: by physical address, and through VFIO.
type rates struct {
	mu   sync.Mutex
	mpps map[string][2]string
}

var mpps = regexp.MustCompile(`([0-9.]+) Mpps`)

func (r *rates) add(card string, mode int, results []plan.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range results {
		if m := mpps.FindStringSubmatch(s.Output); m != nil {
			if r.mpps == nil {
				r.mpps = map[string][2]string{}
			}
			row := r.mpps[card]
			row[mode] = m[1]
			r.mpps[card] = row
		}
	}
}

// table returns the rates as a table in Markdown.
func (r *rates) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := "\n| card | by physical address | through VFIO |\n|---|---|---|\n"
	for _, card := range slices.Sorted(maps.Keys(r.mpps)) {
		row := r.mpps[card]
		s += fmt.Sprintf("| %s | %s | %s |\n", card, cmp.Or(row[0], "–"), cmp.Or(row[1], "–"))
	}
	return s
}

// TestAdaptive forwards through VFIO with a worker that sleeps until a card interrupts.
func TestAdaptive(t *testing.T) {
	for name, g := range map[string]guest{
		// Older QEMUs abort where MSI-X comes or goes while an e1000e throttles interrupts.
		"e1000e":     {devices: both("e1000e"), newer: true, modules: append(vfio(), "e1000e")},
		"virtio-pin": {devices: both(virtio("disable-legacy=on,iommu_platform=on,vectors=0")), modules: append(vfio(), virtioModules...)},
		"virtio":     {devices: both(virtio("disable-legacy=on,iommu_platform=on")), modules: append(vfio(), virtioModules...)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g.iommu, g.tests, g.env = "intremap=on", []string{"TestAdaptive"}, []string{"MODE=vfio"}
			g.run(t)
		})
	}
}
