//go:build guest

package guest

import (
	"testing"
	"time"

	"glassnic/bench/ladder"
)

// TestOVS: Open vSwitch in the kernel forwards and changes what the ladder sends, and all of it is accounted for.
func TestOVS(t *testing.T) {
	results, err := ladder.Run(t.Context(), ladder.Options{Rungs: []string{"ovs"}, Duration: time.Millisecond, Slice: 300 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	t.Logf("%+v", r)
	if r.Skipped != "" || r.Sent == 0 || r.Received != r.Sent+r.Dropped || r.Offered != r.Received+r.Missed {
		t.Error("counters do not add up")
	}
	if r.Arrived == 0 || r.Arrived > r.Sent || r.Wrong != 0 {
		t.Error("frames are not as they should be")
	}
}
