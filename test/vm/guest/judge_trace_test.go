//go:build guest

package guest

import "testing"

// TestBringUp has the kernel's own driver bring the modelled card up and ping through it.
func TestBringUp(t *testing.T) {
	c := cards(t)
	if len(c) != 1 || c[0].driver != "ixgbe" {
		t.Fatalf("cards %+v", c)
	}
	j := &judge{netdev(t, c[0])}
	command(t, "ip", "addr", "add", "192.0.2.2/24", "dev", j.name)
	j.up(t)
	j.ping(t, peer, 56)
}
