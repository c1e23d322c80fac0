package vm

import "testing"

// TestVhostNet uses TAP interfaces by the kernel's own virtio device.
func TestVhostNet(t *testing.T) {
	t.Parallel()
	guest{modules: []string{"bridge", "veth", "tun", "vhost_net"}, cpus: 2, tests: []string{"TestVhostNet", "TestVhostNetNonsense", "TestVhostNetThrough"}}.run(t)
}
