package vhostuser

import (
	"testing"
	"time"

	"glassnic/bench"
)

// Frames circulate between either end and DPDK's while they are measured. How fast is not for a test to say.
func TestBench(t *testing.T) {
	opt := bench.VhostOptions{Rings: []string{"packed"}, Slice: 50 * time.Millisecond, Rounds: 2}
	var all []bench.VhostResult
	if err := bench.Vhost(t.Context(), opt, func(r bench.VhostResult) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	if len(all) != 4 {
		t.Fatalf("%d results, want two roles with two ends", len(all))
	}
	for _, r := range all {
		if r.Packets == 0 || r.MppsP50 <= 0 || r.TicksP50 <= 0 || r.PartnerTicksP50 <= 0 || (r.TicksOfDPDK > 0) != (r.End == bench.EndGlassnic) {
			t.Errorf("no measurement: %+v", r)
		}
	}
}
