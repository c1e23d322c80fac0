package vm

import "testing"

// TestOVS runs a rung of the ladder that wants a module of the kernel.
func TestOVS(t *testing.T) {
	t.Parallel()
	guest{modules: []string{"crc32c_generic", "openvswitch", "veth"}, cpus: 2, tests: []string{"TestOVS"}}.run(t)
}
