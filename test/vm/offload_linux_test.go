package vm

import (
	"fmt"
	"strings"
	"testing"
)

// TestOffload uses virtio devices on TAP interfaces, for which the host's kernel completes checksums.
func TestOffload(t *testing.T) {
	t.Parallel()
	var devices []string
	wires := "ip link add br0 type bridge mcast_snooping 0\n"
	for i, options := range []string{"disable-legacy=on", "disable-legacy=on,packed=on", "disable-modern=on"} {
		for j := range 2 {
			n := 2*i + j
			name := fmt.Sprint("t", n)
			wires += strings.ReplaceAll(`
ip tuntap add $i mode tap vnet_hdr
ip link set $i addrgenmode none
ip link set $i master br0 up
`, "$i", name)
			devices = append(devices, "-netdev", fmt.Sprintf("tap,id=n%d,ifname=%s,script=no,downscript=no", n, name))
			devices = append(devices, device(n, "virtio-net-pci,"+options, fmt.Sprint("n", n))...)
		}
	}
	wires += "ip link set br0 addrgenmode none\nip link set br0 up\n"
	guest{devices: devices, wires: wires, modules: virtioModules, tests: []string{"TestOffload"}}.run(t)
}
