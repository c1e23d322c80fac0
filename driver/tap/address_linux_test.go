package tap

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"glassnic/internal/netns"
	"glassnic/nic"
)

// TestAddress: what follows a name goes without vhost-net, or is refused. Where the machine has vhost-net, the driver of
// virtio devices is asked for the port; this program does not have it.
func TestAddress(t *testing.T) {
	netns.Run(t, func() {
		for addr, want := range map[string]string{
			"t0,vhost=on": Usage, "t0,": Usage, "t0,vhost=off,": Usage, ",vhost=off": "1 to 15 bytes", "t0,vhost=off": "", "t0": "",
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
		var asked []string
		nic.RegisterScheme(vhostNet, func(_ context.Context, rest string, cfg nic.Config) (nic.Device, error) {
			asked = append(asked, rest)
			return nil, fmt.Errorf("no")
		})
		for range 2 {
			d, err := nic.Open(t.Context(), "tap:t0", nic.Config{})
			if d != nil {
				err = d.Close()
			}
			if present() != (err != nil) {
				t.Errorf("%v, %v", d, err)
			}
		}
		if present() != (len(asked) == 2) {
			t.Errorf("asked for %v", asked)
		}
	})
}
