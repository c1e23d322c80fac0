package ixgbe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

// shorten makes the driver lose patience soon in one test.
func shorten(t *testing.T, to time.Duration, names ...string) {
	t.Helper()
	t.Cleanup(ixgbe.LookOnce())
	for _, name := range names {
		limit := ixgbe.Limits[name]
		before := *limit
		*limit = to
		t.Cleanup(func() { *limit = before })
	}
}

// small makes ports open fast.
var small = nic.Config{RxQueues: 2, TxQueues: 2, RxRing: 64, TxRing: 64, Buffers: 640, LinkWait: noWait}

// Each handshake that never ends is an error that names device, step, section and cure, and leaves
// nothing behind.
func TestStuck(t *testing.T) {
	for _, c := range []struct {
		fault model.Faults
		limit string
		want  []string
	}{
		{model.StuckReset, "reset", []string{"reset: CTRL.RST", "4.2.1", "power-cycle", "rescan"}},
		{model.EEPROMNeverReady, "EEPROM", []string{"reset: EEPROM auto-read not done", "EEC.ARD", "4.6.3", "programmed?"}},
		{model.DMANeverReady, "DMA", []string{"reset: DMA initialisation not done", "RDRXCTL.DMAIDONE", "4.6.3", "power-cycle"}},
		{model.StuckRxEnable, "queue", []string{"receive queues: RXDCTL.ENABLE", "4.6.7.1", "power-cycle"}},
		{model.StuckTxEnable, "queue", []string{"transmit queues: TXDCTL.ENABLE", "4.6.8.1", "power-cycle"}},
	} {
		t.Run(c.limit+c.want[0], func(t *testing.T) {
			shorten(t, 5*time.Millisecond, c.limit, "drain")
			s, w := card(t, model.Config{})
			s.Card.Inject(c.fault)
			d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), small)
			if err == nil {
				d.Close()
				t.Fatal("a card that is stuck opens")
			}
			for _, want := range append(c.want, "ixgbe sim:test: ", "datasheet ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			if strings.Count(err.Error(), "sim:test") != 1 {
				t.Errorf("one trouble, more than one error: %v", err)
			}
			atRest(t, s, w)
			// The card is as good as before.
			s.Card.Heal(c.fault)
			r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, small)}
			w.in = nil
			r.sim.Card.Step(1)
			r.send(frame(60, 1), 60)
			r.step()
			same(t, "sent after the cure", w.out, [][]byte{frame(60, 1)})
		})
	}
}

// A card that does not stop its DMA for a reset is reset all the same, and started.
func TestStuckMaster(t *testing.T) {
	shorten(t, time.Millisecond, "master")
	s, w := card(t, model.Config{})
	s.Card.Inject(model.StuckMaster)
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, small)}
	w.put(frame(60, 1))
	r.step()
	if len(r.receive()) != 1 {
		t.Error("nothing received")
	}
	if err := r.dev.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	atRest(t, s, w)
}

// pull is a card that is pulled out of its slot after so many accesses.
type pull struct {
	mmio.Hook
	left, done int
}

func (p *pull) Read32(off uint32) uint32 {
	if p.done++; p.done > p.left {
		return ^uint32(0)
	}
	return p.Hook.Read32(off)
}

func (p *pull) Write32(off, v uint32) {
	if p.done++; p.done <= p.left {
		p.Hook.Write32(off, v)
	}
}

// Wherever in its start a card is pulled, Open says so, soon, and gives everything back; where it goes
// later, every call says so.
func TestPulledAnywhere(t *testing.T) {
	accesses := 0
	for at := 0; ; at++ {
		s, _ := card(t, model.Config{})
		hook := &pull{Hook: s.Card, left: at}
		region := mmio.Trap(facts.BARSize, hook)
		d, err := nic.OpenFunction(context.Background(), &function{Function: s.Function("sim:test"), region: &region}, small)
		if err == nil {
			accesses = hook.done
			if hook.done > at {
				t.Errorf("pulled after %d of %d accesses, and open all the same", at, hook.done)
			}
			if err := d.Close(); err != nil {
				t.Errorf("close: %v", err)
			}
		} else if !errors.Is(err, nic.ErrGone) || !strings.Contains(err.Error(), "ixgbe sim:test: ") || !strings.Contains(err.Error(), "pulled?") {
			t.Fatalf("pulled after %d accesses: %v", at, err)
		}
		if n := s.Space.InUse(); n != 0 {
			t.Fatalf("pulled after %d accesses: %d bytes still allocated", at, n)
		}
		if err == nil {
			break
		}
	}
	if accesses < 500 {
		t.Errorf("only %d accesses in a start", accesses)
	}
	// The same for the way down, with traffic in the rings.
	shorten(t, time.Millisecond, "drain")
	for at := 0; ; at++ {
		s, w := card(t, model.Config{})
		hook := &pull{Hook: s.Card, left: 1 << 30}
		region := mmio.Trap(facts.BARSize, hook)
		d, err := nic.OpenFunction(context.Background(), &function{Function: s.Function("sim:test"), region: &region}, small)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, sim: s, wire: w, dev: d.(*ixgbe.Device)}
		w.full = true
		w.put(frame(60, 1))
		r.send(frame(60, 2), 60)
		r.step()
		hook.left, hook.done = at, 0
		if err := d.Close(); err != nil && !errors.Is(err, nic.ErrGone) {
			t.Fatalf("pulled after %d accesses of Close: %v", at, err)
		}
		if n := s.Space.InUse(); n != 0 {
			t.Fatalf("pulled after %d accesses of Close: %d bytes still allocated", at, n)
		}
		if hook.done <= at {
			break
		}
	}
}

// A context that ends, ends whatever Open waits for.
func TestCancel(t *testing.T) {
	for _, c := range []struct {
		fault model.Faults
		reg   uint32 // read while waiting
	}{
		{model.StuckReset, facts.CTRL}, {model.EEPROMNeverReady, facts.EEC}, {model.DMANeverReady, facts.RDRXCTL},
		{model.StuckRxEnable, facts.RXDCTL(0)}, {model.StuckTxEnable, facts.TXDCTL(0)}, {model.LinkDown, facts.LINKS},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		looked := 0
		s, w := card(t, model.Config{Trace: func(e model.Event) {
			if !e.Write && e.Off == c.reg {
				if looked++; looked == 10 {
					cancel()
				}
			}
		}})
		s.Card.Inject(c.fault)
		cfg := small
		cfg.LinkWait = time.Hour
		_, err := nic.OpenFunction(ctx, s.Function("sim:test"), cfg)
		if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "ixgbe sim:test: ") {
			t.Errorf("fault %#x: %v", c.fault, err)
		}
		if looked > 30 {
			t.Errorf("fault %#x: %d looks after the context has ended", c.fault, looked-10)
		}
		atRest(t, s, w)
		cancel()
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	s, w := card(t, model.Config{})
	s.Card.Inject(model.LinkDown)
	cfg := small
	cfg.LinkWait = time.Hour
	if _, err := nic.OpenFunction(ctx, s.Function("sim:test"), cfg); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("deadline: %v", err)
	}
	atRest(t, s, w)
}

// A BAR that is missing or too small is no 82599.
func TestWrongBAR(t *testing.T) {
	tiny := mmio.Trap(0x4000, nil)
	for _, fn := range []*function{{region: &tiny}, {err: errors.New("no such file")}} {
		s, _ := card(t, model.Config{})
		fn.Function = s.Function("sim:test")
		_, err := nic.OpenFunction(context.Background(), fn, small)
		want := "16384 bytes of registers, want 131072"
		if fn.err != nil {
			want = "no such file"
		}
		if err == nil || !strings.Contains(err.Error(), "ixgbe sim:test: map BAR 0: "+want) {
			t.Errorf("%v, want %q", err, want)
		}
		if n := s.Space.InUse(); n != 0 {
			t.Errorf("%d bytes still allocated", n)
		}
	}
}
