package vm

import "testing"

// TestKernelPorts uses interfaces of a kernel that is older than others, and has just started, as ports.
func TestKernelPorts(t *testing.T) {
	t.Parallel()
	guest{modules: []string{"veth"}, cpus: 2, tests: []string{"TestFirstGroup", "TestOneSend"}}.run(t)
}
