package vm

import (
	"strings"
	"testing"
)

// TestFeatures uses virtio devices that withhold one feature or another, and all of the control queue's commands on
// those that have it.
func TestFeatures(t *testing.T) {
	t.Parallel()
	var devices, mtus []string
	const noControl = ",ctrl_vq=off,ctrl_rx=off,ctrl_rx_extra=off,ctrl_vlan=off,ctrl_mac_addr=off,guest_announce=off,status=off"
	for i, c := range []struct{ options, mtu string }{
		{"disable-legacy=on", "1500"},
		{"disable-legacy=on,packed=on", "1500"},
		{"disable-modern=on", "1500"},
		{"disable-legacy=on,host_mtu=9000", "9000"},
		{"disable-legacy=on,packed=on,host_mtu=9000", "9000"},
		{"disable-modern=on,host_mtu=9000", "9000"},
		{"disable-modern=on,any_layout=off", "1500"},
		{"disable-modern=on,any_layout=off,event_idx=off,mrg_rxbuf=off" + noControl, "1500"},
		{"disable-legacy=on,event_idx=off,mrg_rxbuf=off,indirect_desc=off", "1500"},
		{"disable-legacy=on" + noControl, "1500"},
		{"disable-legacy=on,ctrl_rx=off,ctrl_mac_addr=off", "1500"},
	} {
		devices = append(devices, hub(i, "virtio-net-pci,"+c.options, "virtio-net-pci,"+c.options)...)
		mtus = append(mtus, c.mtu)
	}
	guest{devices: devices, modules: virtioModules, tests: []string{"TestFeatures"}, env: []string{"MTUS=" + strings.Join(mtus, ",")}}.run(t)
}
