//go:build guest

package guest

import (
	"strings"
	"testing"
)

// TestModule has the kernel's own driver of the 82599 read the SFP+ module of our modelled card by I2C, and bring the link up
// by what it found.
func TestModule(t *testing.T) {
	c := cards(t)
	if len(c) != 1 || c[0].driver != "ixgbe" {
		t.Fatalf("cards %+v", c)
	}
	j := &judge{netdev(t, c[0])}
	command(t, "ip", "addr", "add", "192.0.2.2/24", "dev", j.name)
	j.up(t)
	j.says(t, "Speed: 10000Mb/s", "ethtool", j.name)
	j.says(t, "Port: FIBRE", "ethtool", j.name)
	told := command(t, "ethtool", "-m", j.name)
	for _, s := range []string{"0x03 (SFP)", "10G Ethernet: 10G Base-SR", "modelled SR", "00:1b:21", "850nm"} {
		if !strings.Contains(told, s) {
			t.Errorf("ethtool -m does not say %q:\n%s", s, told)
		}
	}
	j.ping(t, peer, 1400)
	t.Log(command(t, "ethtool", "-t", j.name, "offline"))
	j.up(t)
	j.ping(t, peer, 1400)
}
