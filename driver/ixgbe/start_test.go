package ixgbe_test

import (
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

func TestStartAndCloseOrder(t *testing.T) {
	var trace []named
	s, _ := card(t, model.Config{Trace: func(e model.Event) { trace = append(trace, name(e)) }})
	d := openOn(t, s, nic.Config{
		RxQueues: startQueues, TxQueues: startQueues, RxRing: startRing, TxRing: startRing, MTU: startMTU, Promiscuous: true,
	})
	if err := matches(trace, startUp()); err != nil {
		t.Error("open:", err)
	}
	// Each single line counts: without it, or swapped with the next, the same trace does not match.
	full := startUp()
	for i := range full {
		less := append(append([]access(nil), full[:i]...), full[i+1:]...)
		if full[i].verb != "until" && full[i].verb != "read" && full[i].reg != "DMATXCTL" && matches(trace, less) == nil {
			t.Errorf("the sequence also matches without line %d, %s %s", i, full[i].verb, full[i].reg)
		}
	}
	trace = nil
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := matches(trace, shutDown()); err != nil {
		t.Error("close:", err)
	}
	if ixgbe.ResetPause < 10*time.Millisecond {
		t.Errorf("the driver waits %v after a reset, want 10ms (4.6.3.2)", ixgbe.ResetPause)
	}
}

// The relatives of the 82599 differ in the size of the packet buffer, and their PHYs start the link.
func TestStartOfModels(t *testing.T) {
	for _, c := range []struct {
		device uint16
		buffer uint32 // bytes
		link   bool   // started by AUTOC
	}{{0x10fb, 512 << 10, true}, {0x154d, 512 << 10, true}, {0x1528, 384 << 10, false}, {0x1563, 384 << 10, false}, {0x15c8, 384 << 10, false}} {
		var buffer, mark uint32
		link := false
		s, w := card(t, model.Config{Device: c.device, Trace: func(e model.Event) {
			switch {
			case !e.Write:
			case e.Off == facts.RXPBSIZE(0):
				buffer = e.Value
			case e.Off == facts.FCRTH(0):
				mark = e.Value
			case e.Off == facts.AUTOC:
				link = true
			}
		}})
		r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{})}
		if buffer != c.buffer || mark != c.buffer-0x6000 || link != c.link {
			t.Errorf("device %04x: packet buffer of %d bytes, mark at %d, link started: %v", c.device, buffer, mark, link)
		}
		r.wire.put(frame(60, 1))
		r.step()
		for _, f := range r.receive() {
			r.send(f, 60)
		}
		r.step()
		same(t, "echoed", r.wire.out, [][]byte{frame(60, 1)})
	}
}

// A card that goes on with DMA when told to stop is reset twice (5.2.5.3.2).
func TestDoubleReset(t *testing.T) {
	shorten(t, time.Millisecond, "master")
	for _, stuck := range []bool{false, true} {
		resets := 0
		s, _ := card(t, model.Config{Trace: func(e model.Event) {
			if e.Write && e.Off == facts.CTRL && e.Value&facts.CtrlRST != 0 {
				resets++
			}
		}})
		if stuck {
			s.Card.Inject(model.StuckMaster)
		}
		openOn(t, s, small)
		if want := map[bool]int{false: 1, true: 2}[stuck]; resets != want {
			t.Errorf("stuck %v: %d resets, want %d", stuck, resets, want)
		}
		s.Card.Heal(model.StuckMaster)
	}
}
