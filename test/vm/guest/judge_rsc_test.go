//go:build guest

package guest

import "testing"

// coalescing has the kernel turn receive side coalescing (large receive offload, datasheet 7.11) on and off. Coalesced
// frames are fewer for the kernel than for the card; fewer than half where segments are small against the limit of a large
// frame, and with jumbo frames, of which few fit in one, only some.
func (j *judge) coalescing(t *testing.T, jumbo bool) {
	t.Helper()
	for _, on := range []bool{true, false} {
		state := "off"
		if on {
			state = "on"
		}
		command(t, "ethtool", "-K", j.name, "lro", state)
		j.says(t, "large-receive-offload: "+state, "ethtool", "-k", j.name)
		j.up(t)
		j.ping(t, peer, 56)
		before := j.statistics(t)
		j.transfer(t, "lro "+state, peer, true)
		n := j.statistics(t)
		for name := range n {
			n[name] -= before[name]
		}
		packets, wire := n["rx_packets"], n["rx_pkts_nic"]
		segments, frames := n["hw_rsc_aggregated"], n["hw_rsc_flushed"]
		t.Logf("lro %s: %d frames on the wire, %d for the kernel; %d segments in %d coalesced frames", state, wire, packets, segments, frames)
		switch {
		case !on && (segments != 0 || frames != 0):
			t.Errorf("lro off: %d segments in %d frames", segments, frames)
		case on && frames == 0:
			t.Errorf("lro on: nothing was coalesced")
		case on && !jumbo && (packets > wire/2 || segments < 2*frames):
			t.Errorf("lro on: %d frames on the wire, %d for the kernel; %d segments in %d coalesced frames", wire, packets, segments, frames)
		}
		j.transfer(t, "lro "+state, peer, false)
	}
}
