package house

import (
	"slices"
	"strings"
	"testing"
)

// stairs lists, for each storey, what it may import besides its own packages: whole storeys, or packages
// with their path. All may import internal; nothing imports cmd.
var stairs = map[string][]string{
	"cmd":      {"app", "nic", "packet", "driver", "chip", "bus", "sim", "bench"},
	"examples": {"app", "nic", "packet", "driver", "chip", "bus", "sim"},
	"bench":    {"app", "nic", "packet", "driver", "chip", "bus", "sim"},
	"app":      {"nic", "packet"},
	"driver":   {"nic", "packet", "chip", "bus"},
	"nic":      {"packet", "bus"},
	"packet":   {"bus/dma"},
	"sim":      {"chip", "bus"},
	"chip":     {},
	"bus":      {},
	"internal": {"bus"},
	"test":     {"app", "nic", "packet", "driver", "chip", "bus", "sim", "bench"},
}

// allowed tells whether package from may import package to, both of this module.
func allowed(from, to string) bool {
	a, b := storey(from), storey(to)
	switch {
	case a == "driver" && b == "driver":
		return from == "driver/all" || family(from) == family(to)
	case a == b, b == "internal":
		return true
	}
	return slices.ContainsFunc(stairs[a], func(s string) bool { return s == b || s == to })
}

// family is the driver that a package belongs to: driver/ixgbe for driver/ixgbe/….
func family(pkg string) string {
	return strings.Join(strings.SplitN(pkg, "/", 3)[:2], "/")
}

func TestStairs(t *testing.T) {
	for _, s := range sources(t) {
		if s.dir == "" {
			continue // the module's own doc
		}
		if _, known := stairs[storey(s.dir)]; !known {
			t.Errorf("%s: storey %s is not in the plan", s.path, storey(s.dir))
		}
		for _, path := range s.imports() {
			to, ours := strings.CutPrefix(path, module+"/")
			if !ours {
				continue
			}
			if storey(to) == "cmd" {
				t.Errorf("%s imports %s: nothing imports cmd", s.path, to)
			}
			// Tests may reach for whatever they test against.
			if !s.test() && !allowed(s.dir, to) {
				t.Errorf("%s imports %s: the stairs do not lead there", s.path, to)
			}
		}
	}
}

func TestStairsRules(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"cmd/glassnic", "app/forward", true},
		{"app/forward", "nic", true},
		{"app/forward", "app/internal/worker", true},
		{"app/forward", "driver/all", false},
		{"app/forward", "bus/dma", false},
		{"app/forward", "sim", false},
		{"app/forward", "chip/ixgbe", false},
		{"driver/ixgbe", "chip/ixgbe", true},
		{"driver/ixgbe", "sim", false},
		{"driver/ixgbe", "app/forward", false},
		{"driver/ixgbe", "driver/textbook", false},
		{"driver/all", "driver/ixgbe", true},
		{"sim/ixgbe", "chip/ixgbe", true},
		{"sim/ixgbe", "driver/ixgbe", false},
		{"sim", "nic", false},
		{"nic", "bus", true},
		{"nic", "driver/ixgbe", false},
		{"packet", "bus/dma", true},
		{"packet", "bus/mmio", false},
		{"packet", "nic", false},
		{"chip/ixgbe", "bus", false},
		{"bus/pci", "bus/mmio", true},
		{"bus", "packet", false},
		{"bus", "chip", false},
		{"internal/traffic", "bus/dma", true},
		{"internal/traffic", "packet", false},
		{"bench", "cmd/glassnic", false},
		{"bench", "driver/textbook", true},
	} {
		if got := allowed(c.from, c.to); got != c.want {
			t.Errorf("%s may import %s: %v", c.from, c.to, got)
		}
	}
}
