package textbook

import (
	"strings"
	"testing"
)

func TestFloor(t *testing.T) {
	r := newRig(t)
	f, err := OpenFloor(r.fns[0], r.fns[1])
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for !f.LinkUp() {
		r.step()
	}
	for i := range r.wires {
		r.wires[i].in = numbered(3000)
	}
	// Nothing may be overwritten while the other side's wire is full.
	r.wires[0].full, r.wires[1].full = true, true
	moved := 0
	for range 100 {
		r.step()
		moved += f.Forward(32)
	}
	if most := 2 * (floorRing - 2*floorReport + floorReport); moved > most || moved == 0 {
		t.Fatalf("%d frames went into rings that nobody empties, want up to %d", moved, most)
	}
	r.wires[0].full, r.wires[1].full = false, false
	for range 200 {
		r.step()
		moved += f.Forward(32)
	}
	r.step()
	want := numbered(3000)
	for _, w := range want {
		w[1]++
	}
	if moved != 6000 {
		t.Errorf("moved %d frames", moved)
	}
	same(t, r.wires[0].out, want)
	same(t, r.wires[1].out, want)
}

func TestFloorNeedsSharedMemory(t *testing.T) {
	r, other := newRig(t), newRig(t)
	if _, err := OpenFloor(r.fns[0], other.fns[1]); err == nil || !strings.Contains(err.Error(), "share") {
		t.Errorf("error %v", err)
	}
}
