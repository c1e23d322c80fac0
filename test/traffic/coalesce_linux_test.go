package traffic

import (
	"testing"

	"glassnic/nic"
)

// TestKernelCoalesced joins two hosts by modelled cards that put their TCP segments together and cut them again
// (fwd --large-frames): the kernels find all that arrives right, and forward has fewer frames to move than the cards.
func TestKernelCoalesced(t *testing.T) {
	need(t, "ip", "ping", "iperf3", "curl")
	hosts := newHosts(t)
	cfg := nic.Config{MTU: 1500, Promiscuous: true, Buffers: 8192, Offloads: nic.RxPartial | nic.RxSegment | nic.TxSegment}
	ports := [2]nic.Device{hosts[0].openTap(t, cfg)}
	cfg.Pool = ports[0].Info().Pool
	ports[1] = hosts[1].openTap(t, cfg)
	f := startForward(t, ports[0], ports[1], false)
	t.Run("ping", func(t *testing.T) { testPing(t, hosts, 1500) })
	t.Run("iperf3", func(t *testing.T) { testIperf(t, hosts, f) })
	t.Run("http", func(t *testing.T) { testHTTP(t, hosts) })
	testIntact(t, hosts)
	for i, port := range ports {
		in, err := port.Stats()
		if err != nil {
			t.Fatal(err)
		}
		d := f.direction(i)
		// Of some thousand frames of UDP and ICMP there are as many on both sides.
		if in.RxDropped != 0 || d.Drops["unfit"] != 0 || d.RxPackets > in.RxPackets*9/10 {
			t.Errorf("from host %d: %d frames at the card, %d for forward, %d dropped by the driver, %v by forward", i, in.RxPackets, d.RxPackets, in.RxDropped, d.Drops)
		}
	}
	f.stop(t)
}
