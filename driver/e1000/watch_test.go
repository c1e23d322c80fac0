package e1000_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"glassnic/bus"
	facts "glassnic/chip/e1000"
	"glassnic/nic"
)

// stalls checks that a second look, and no first one, finds a queue that stands still.
func (r *rig) stalls(queue, why string) {
	r.t.Helper()
	if err := r.dev.Trouble(); err != nil {
		r.t.Errorf("after one look: %v", err)
	}
	err := r.dev.Trouble()
	if !errors.Is(err, nic.ErrStalled) || !strings.Contains(err.Error(), queue) || !strings.Contains(err.Error(), why) {
		r.t.Errorf("%v, want %s: %s", err, queue, why)
	}
}

// well checks that several looks find nothing.
func (r *rig) well(when string) {
	r.t.Helper()
	for range 3 {
		if err := r.dev.Trouble(); err != nil {
			r.t.Errorf("%s: %v", when, err)
		}
	}
}

func TestTroubleTransmit(t *testing.T) {
	shorten(t, 0, "stall")
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		r.well("at first")
		for range 40 {
			r.send(0, frame(60, 1), 60)
			r.step()
		}
		r.well("after frames that were reported")
		c.full = true
		r.send(0, frame(60, 1), 60)
		r.step()
		r.stalls("transmit queue 0", "descriptors and a link")
		c.down = true
		r.well("without a link")
		c.down, c.full = false, false
		r.step()
		r.well("after it went on")
		c.silent = true
		for range 20 {
			r.send(0, frame(60, 1), 60)
		}
		r.step()
		r.stalls("transmit queue 0", "does not say that they are sent")
	})
}

func TestTroubleReceive(t *testing.T) {
	shorten(t, 0, "stall")
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		for range 70 {
			r.put(frame(60, 1))
		}
		r.step()
		r.well("with a worker that does not poll")
		r.receive(0, 32)
		r.step()
		c.onRead = func(off uint32) (uint32, bool) { return 1, off == facts.MPC }
		_ = r.dev.Trouble() // from here on they count
		r.stalls("receive queue 0", "misses frames")
		c.onRead = nil
		c.silent = true
		for range 64 {
			r.put(frame(60, 1))
		}
		r.step()
		if n := len(r.receive(0, 32)); n != 0 {
			t.Fatalf("%d frames of a silent card", n)
		}
		r.stalls("receive queue 0", "does not say that they are filled")
	})
}

func TestTroubleOfBus(t *testing.T) {
	shorten(t, 0, "stall")
	r := open(t, newCard(families["82574"]), small)
	r.card.trouble = fmt.Errorf("here: %w", bus.ErrFault)
	r.card.full = true
	r.send(0, frame(60, 1), 60)
	_ = r.dev.Trouble()
	if err := r.dev.Trouble(); !errors.Is(err, nic.ErrFault) || !errors.Is(err, nic.ErrStalled) {
		t.Errorf("%v, want both", err)
	}
	r.card.trouble = fmt.Errorf("here: %w", bus.ErrGone)
	if err := r.dev.Trouble(); !errors.Is(err, nic.ErrGone) || errors.Is(err, nic.ErrStalled) {
		t.Errorf("%v, want the end alone", err)
	}
	r.card.trouble = nil
	r.card.pulled = true
	if err := r.dev.Trouble(); !errors.Is(err, nic.ErrGone) {
		t.Errorf("pulled: %v", err)
	}
	r.card.pulled = false
	if err := r.dev.Stop(); err != nil {
		t.Error(err)
	}
	r.well("after Stop")
}
