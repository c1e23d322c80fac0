//go:build guest

package guest

import (
	"math"
	"os"
	"strconv"
	"testing"
)

// TestServed forwards between two cards whose wires send and bring back so many frames, all through VFIO.
func TestServed(t *testing.T) {
	frames, err := strconv.ParseUint(os.Getenv("FRAMES"), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	c := cards(t)
	if len(c) != 2 {
		t.Fatalf("cards %+v", c)
	}
	giveBack := take(t, c...)
	f := forward(t, c[0].addr, c[1].addr, "--promisc", "--ring", strconv.Itoa(ring), "--patience", strconv.Itoa(math.MaxInt32))
	await(t, "the last frame", func() bool {
		f.lives(t)
		return f.moved.Load() >= 2*frames || f.quiet.Load() > 2
	})
	total := f.end(t)
	t.Logf("%+v", total)
	if total.RxPackets < frames {
		t.Errorf("%d frames were sent", frames)
	}
	giveBack()
}
