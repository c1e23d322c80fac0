package vm

import (
	"fmt"
	"testing"
)

// bridge makes TAP interfaces t0 and t1 of several queues on one wire. Nothing sends there by itself.
const bridge = `
ip link add br0 type bridge mcast_snooping 0
for i in t0 t1; do
	ip tuntap add $i mode tap multi_queue
	ip link set $i addrgenmode none
	ip link set $i master br0 up
done
ip link set br0 addrgenmode none
ip link set br0 up
`

// TestPairs uses virtio devices of two pairs of queues.
func TestPairs(t *testing.T) {
	t.Parallel()
	var devices []string
	for i := range 2 {
		devices = append(devices, "-netdev", fmt.Sprintf("tap,id=n%d,ifname=t%d,queues=2,script=no,downscript=no", i, i))
		devices = append(devices, device(i, "virtio-net-pci,mq=on,vectors=6,disable-legacy=on,iommu_platform=on", fmt.Sprint("n", i))...)
	}
	guest{
		devices: devices, wires: bridge, iommu: "intremap=on", modules: append(vfio(), virtioModules...),
		tests: []string{"TestPairs"}, env: []string{"MODE=vfio"},
	}.run(t)
}
