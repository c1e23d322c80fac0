package vm

import (
	"fmt"
	"strings"
	"testing"
)

// bridge returns commands that make two TAP interfaces of several queues on one wire, where nothing sends by itself:
// t0 and t1 on wire 0. Each holds as many frames as are ever under way.
func bridge(wire int) string {
	s := strings.ReplaceAll("ip link add brW type bridge mcast_snooping 0\n", "W", fmt.Sprint(wire))
	for i := range 2 {
		s += strings.NewReplacer("T", fmt.Sprint("t", 2*wire+i), "W", fmt.Sprint(wire)).Replace(`
ip tuntap add T mode tap multi_queue
ip link set T addrgenmode none txqueuelen 10000
ip link set T master brW up
`)
	}
	return s + strings.ReplaceAll("ip link set brW addrgenmode none\nip link set brW up\n", "W", fmt.Sprint(wire))
}

// pairs returns the arguments of a device of two pairs of queues, on TAP interface i.
func pairs(i int, model string) []string {
	id := fmt.Sprint("n", i)
	tap := fmt.Sprintf("tap,id=%s,ifname=t%d,queues=2,script=no,downscript=no", id, i)
	return append([]string{"-netdev", tap}, device(i, model, id)...)
}

// TestPairs uses virtio devices of two pairs of queues.
func TestPairs(t *testing.T) {
	t.Parallel()
	const model = "virtio-net-pci,mq=on,vectors=6,disable-legacy=on,iommu_platform=on"
	guest{
		devices: append(pairs(0, model), pairs(1, model)...), wires: bridge(0), iommu: "intremap=on",
		modules: append(vfio(), virtioModules...), tests: []string{"TestPairs"}, env: []string{"MODE=vfio"},
	}.run(t)
}
