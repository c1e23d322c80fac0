package tap

import (
	"strings"
	"testing"

	"glassnic/internal/netns"
	"glassnic/nic"
)

// TestAddress: what follows a name goes without vhost-net, or is refused. Without the driver of virtio devices, which this
// program does not have, a machine's vhost-net is not asked for; with it, test/vm does (TestVhostNet).
func TestAddress(t *testing.T) {
	netns.Run(t, func() {
		for addr, want := range map[string]string{
			"t0,vhost=on": usage, "t0,": usage, "t0,vhost=off,": usage, ",vhost=off": "1 to 15 bytes", "t0,vhost=off": "", "t0": "",
		} {
			d, err := nic.Open(t.Context(), "tap:"+addr, nic.Config{})
			if want == "" && err == nil {
				if i := d.Info(); i.Address != "tap:t0" || i.Driver != "tap" {
					t.Errorf("%q: %+v", addr, i)
				}
				err = d.Close()
			}
			if want == "" && err != nil || want != "" && (d != nil || err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%q: %v", addr, err)
			}
		}
	})
}
