//go:build guest

package guest

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestVhostUser gives the guest's only card an address, and serves iperf3 as often as the host wants it: the host pings,
// kills and measures.
func TestVhostUser(t *testing.T) {
	dev := netdev(t, cards(t)[0])
	command(t, "ip", "addr", "add", "192.0.2.2/24", "dev", dev)
	command(t, "ip", "link", "set", dev, "up")
	for _, session := range strings.Fields(os.Getenv("SESSIONS")) {
		out, err := exec.Command("iperf3", "-s", "-1").CombinedOutput()
		if err != nil {
			t.Fatalf("iperf3 %s: %v\n%s", session, err, out)
		}
	}
	log, err := os.ReadFile("/sys/class/net/" + dev + "/statistics/rx_errors")
	if err != nil || strings.TrimSpace(string(log)) != "0" {
		t.Errorf("damaged frames: %s, %v", log, err)
	}
}
