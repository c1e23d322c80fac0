package ixgbe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
)

// atRest makes sure that a card which nobody drives any more leaves memory alone, even with bus
// mastering on.
func atRest(t *testing.T, s *sim.Trapped, w *script) {
	t.Helper()
	if n := s.Space.InUse(); n != 0 {
		t.Errorf("%d bytes of DMA memory still allocated", n)
	}
	before, faults := s.Card.Totals(), s.Space.Count()
	s.Card.SetBusMaster(true)
	for i := range 20 {
		w.put(frame(60, byte(i)))
		s.Card.Step(256)
	}
	after := s.Card.Totals()
	if after.RxHost != before.RxHost || after.RxFault != before.RxFault || after.TxSent != before.TxSent || after.TxFault != before.TxFault || s.Space.Count() != faults {
		t.Errorf("the card goes on with DMA: %+v, before %+v", after, before)
	}
	s.Card.SetBusMaster(false)
}

// Of a card that stops neither when asked nor when reset, the memory is kept: nobody else may get it.
func TestNeverStops(t *testing.T) {
	shorten(t, time.Millisecond, "master", "reset", "drain")
	s, _ := card(t, model.Config{})
	d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), small)
	if err != nil {
		t.Fatal(err)
	}
	used := s.Space.InUse()
	s.Card.Inject(model.StuckMaster | model.StuckReset)
	err = d.Close()
	if err == nil || !strings.Contains(err.Error(), "ixgbe sim:test: close: STATUS.GIO still set") || !strings.Contains(err.Error(), "may still write") || !strings.Contains(err.Error(), "power-cycle") {
		t.Errorf("close: %v", err)
	}
	if n := s.Space.InUse(); n != used {
		t.Errorf("%d of %d bytes kept", n, used)
	}
	if err := d.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
}

// After Close the card does no DMA, whatever is on the wire and in its rings; what it could still send
// it has sent.
func TestCloseDrains(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		if stuck {
			shorten(t, 5*time.Millisecond, "drain")
		}
		var s *sim.Trapped
		var w *script
		s, w = card(t, model.Config{Trace: func(e model.Event) {
			// The card goes on while the driver waits for it.
			if !e.Write && e.Off == facts.TDH(0) {
				w.full = stuck
				s.Card.Step(4)
			}
		}})
		d := openOn(t, s, small)
		r := &rig{t: t, sim: s, wire: w, dev: d}
		w.full = true
		var want [][]byte
		for i := range 40 {
			want = append(want, frame(60+i, byte(i)))
			r.send(want[i], 200)
			w.put(want[i])
		}
		r.sim.Card.Step(8)
		held := make([]*packet.Buf, 4)
		n := d.RxQueue(0).Receive(held)
		packet.Free(held[:n])
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		if stuck {
			want = nil
		}
		same(t, "sent before the end", w.out, want)
		atRest(t, s, w)
	}
}

// A buffer that the application still holds is told by Close, and nothing is pulled from under it.
func TestCloseTellsLeaks(t *testing.T) {
	s, w := card(t, model.Config{})
	d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), small)
	if err != nil {
		t.Fatal(err)
	}
	w.put(frame(60, 1))
	for range 10 {
		s.Card.Step(8)
	}
	batch := make([]*packet.Buf, 4)
	if n := d.RxQueue(0).Receive(batch); n != 1 {
		t.Fatalf("%d frames", n)
	}
	pool := d.Info().Pool
	if err := d.Close(); !errors.Is(err, packet.ErrLeaked) || !strings.Contains(err.Error(), "1 of 640") {
		t.Errorf("close: %v", err)
	}
	same(t, "still there", [][]byte{batch[0].AppendTo(nil)}, [][]byte{frame(60, 1)})
	packet.Free(batch[:1])
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	atRest(t, s, w)
}

// sticky is a card of which a queue does not stop until it is reset.
type sticky struct {
	mmio.Hook
	reg    uint32 // RXDCTL or TXDCTL
	on     bool
	resets int
}

func (s *sticky) Read32(off uint32) uint32 {
	v := s.Hook.Read32(off)
	if s.on && off == s.reg {
		v |= facts.RxdctlENABLE
	}
	return v
}

func (s *sticky) Write32(off, v uint32) {
	if off == facts.CTRL && v&facts.CtrlRST != 0 {
		s.resets++
	}
	s.Hook.Write32(off, v)
}

// A queue that does not stop when asked stops when the card is reset, and the other queues are stopped
// all the same.
func TestCloseStuckQueue(t *testing.T) {
	shorten(t, time.Millisecond, "queue")
	for _, reg := range []uint32{facts.RXDCTL(1), facts.TXDCTL(1)} {
		s, w := card(t, model.Config{})
		hook := &sticky{Hook: s.Card, reg: reg}
		region := mmio.Trap(facts.BARSize, hook)
		d, err := nic.OpenFunction(context.Background(), &function{Function: s.Function("sim:test"), region: &region}, small)
		if err != nil {
			t.Fatal(err)
		}
		hook.on, hook.resets = true, 0
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if hook.resets != 1 {
			t.Errorf("%d resets of a card with a queue that is stuck, want 1", hook.resets)
		}
		atRest(t, s, w)
	}
}
