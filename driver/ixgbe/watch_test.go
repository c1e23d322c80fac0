package ixgbe_test

import (
	"errors"
	"strings"
	"testing"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
)

var _ nic.Watched = (*ixgbe.Device)(nil)

// TestTrouble has a card stand still because its wire takes nothing, go on, lose its link and be pulled.
func TestTrouble(t *testing.T) {
	shorten(t, 0, "stall")
	r := open(t, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640, LinkWait: noWait})
	well := func(when string) {
		t.Helper()
		for range 3 {
			if err := r.dev.Trouble(); err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
	}
	send := func(n int) {
		t.Helper()
		for range n {
			if r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(60, 1), 60)}) != 1 {
				t.Fatal("the ring is full")
			}
		}
		r.step()
	}
	r.step()
	well("at first")
	send(40)
	for range 70 {
		r.wire.put(frame(60, 1))
	}
	r.step()
	well("after frames each way, with a worker that does not poll")
	r.receive()
	well("after they were fetched")
	r.wire.full = true
	send(3)
	_ = r.dev.Trouble()
	if err := r.dev.Trouble(); !errors.Is(err, nic.ErrStalled) || !strings.Contains(err.Error(), "transmit queue 0: no progress for 0s: the card has descriptors and a link") {
		t.Errorf("a wire that takes nothing: %v", err)
	}
	r.wire.down = true
	r.step()
	well("without a link")
	r.wire.down, r.wire.full = false, false
	r.step()
	well("after it went on")
	r.sim.Card.Inject(model.Pulled)
	if err := r.dev.Trouble(); !errors.Is(err, nic.ErrGone) {
		t.Errorf("pulled: %v", err)
	}
	r.sim.Card.Heal(model.Pulled)
}
