package sim

import (
	"context"
	"strings"
	"testing"
	"time"

	"glassnic/bus"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func newTrapped(t *testing.T, cfg ixgbe.Config) *Trapped {
	t.Helper()
	s, err := NewTrapped(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range s.Space.Faults() {
			t.Error(f)
		}
	})
	return s
}

func TestTrappedFunction(t *testing.T) {
	s := newTrapped(t, ixgbe.Config{Device: 0x1528})
	fn := s.Function("sim:it")
	if id := fn.ID(); id.String() != "8086:1528" || id.Class != 0x020000 || id.Subvendor != 0x8086 {
		t.Errorf("ID %+v", id)
	}
	if fn.Address() != "sim:it" || fn.NUMANode() != -1 || fn.Config() != nil || fn.DMA().Domain() != s.Space.Domain() {
		t.Errorf("%s on node %d, config %v", fn.Address(), fn.NUMANode(), fn.Config())
	}
	for _, n := range []int{-1, 1, 5} {
		if r, err := fn.BAR(n); err == nil || r.Size() != 0 || !strings.Contains(text(err), "sim:it") || !strings.Contains(text(err), "BAR 0") {
			t.Errorf("BAR %d: %d bytes, %v", n, r.Size(), err)
		}
	}
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != facts.BARSize || !r.SeesReads() {
		t.Errorf("BAR of %d bytes, sees reads %v", r.Size(), r.SeesReads())
	}
	first := r.Read32(facts.RDLEN(3))
	for name, reset := range map[string]func() error{
		"Reset":        fn.Reset,
		"new function": func() error { s.Function("sim:again"); return nil },
	} {
		r.Write32(facts.RDLEN(3), 0x1000)
		if r.Read32(facts.RDLEN(3)) != 0x1000 {
			t.Fatalf("%s: the register cannot be written", name)
		}
		if err := reset(); err != nil || r.Read32(facts.RDLEN(3)) != first {
			t.Errorf("%s: %v, RDLEN is %#x", name, err, r.Read32(facts.RDLEN(3)))
		}
	}
}

func TestNewTrapped(t *testing.T) {
	space := iommu.New()
	a, b := newTrapped(t, ixgbe.Config{Memory: space}), newTrapped(t, ixgbe.Config{Memory: space})
	if a.Space != space || a.Function("a").DMA().Domain() != b.Function("b").DMA().Domain() {
		t.Error("cards with one memory have two domains")
	}
	if c := newTrapped(t, ixgbe.Config{}); c.Space == nil || c.Space.Domain() == space.Domain() {
		t.Error("a card without memory did not get its own")
	}
	if _, err := NewTrapped(ixgbe.Config{Device: 0x100e}); err == nil || !strings.Contains(text(err), "100e") {
		t.Errorf("a card of another family: %v", err)
	}
}

// A closed function does no DMA, whatever its rings say, until the next one is made.
func TestTrappedBusMaster(t *testing.T) {
	st := newStation(t, wire.SourceConfig{Count: 10})
	s := newTrapped(t, ixgbe.Config{Wire: st.wire()})
	fn := s.Function("sim:it")
	_, err := nic.OpenFunction(context.Background(), fn, nic.Config{Promiscuous: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := fn.Close(); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if n := s.Card.Step(64); n != 0 {
			t.Fatalf("%d frames moved after Close", n)
		}
	}
	if st.sent() != 0 {
		t.Errorf("%d frames left the wire", st.sent())
	}
	if err := fn.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	d, err := nic.OpenFunction(context.Background(), s.Function("sim:it"), nic.Config{Promiscuous: true})
	if err != nil {
		t.Fatal(err)
	}
	if n := s.Card.Step(64); n != 10 {
		t.Errorf("%d of 10 frames moved after reopening", n)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	for want, e := range map[string]ixgbe.Event{
		"write CTRL 0x4000008 LRST=0x1 RST=0x1 (8.2.3.1.1)": {Write: true, Off: facts.CTRL, Value: facts.CtrlRST | facts.CtrlLRST},
		"read RDT[70] 0x1ff RDT=0x1ff (8.2.3.8.5)":          {Off: facts.RDT(70), Value: 0x1ff},
		"read RXCTRL 0x0 (8.2.3.8.10)":                      {Off: facts.RXCTRL},
		"read 0x1ff00 0x7 (no such register)":               {Off: 0x1ff00, Value: 7},
	} {
		if got := Describe(e); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A paced source does not wait: frames that the driver does not take in time are lost and counted, by
// the queue where it drops (QPRDC), else by the packet buffer (RXMPC). All of them are accounted for.
func TestPacedSourceOverruns(t *testing.T) {
	const count = 20_000
	for name, c := range map[string]struct {
		drop, wait      bool
		queue, buffered bool // where frames are lost
	}{
		"queue drops":  {drop: true, queue: true},
		"buffer full":  {buffered: true},
		"source waits": {wait: true, drop: true},
	} {
		t.Run(name, func(t *testing.T) {
			var now time.Duration
			st := newStation(t, wire.SourceConfig{
				Spec: traffic.Spec{Size: 1000}, Rate: 1e6, Wait: c.wait, Count: count, Clock: func() time.Duration { return now },
			})
			s := newTrapped(t, ixgbe.Config{Wire: st.wire()})
			fn := s.Function("sim:it")
			d, err := nic.OpenFunction(context.Background(), fn, nic.Config{RxRing: 64, Promiscuous: true})
			if err != nil {
				t.Fatal(err)
			}
			r, err := fn.BAR(0)
			if err != nil {
				t.Fatal(err)
			}
			if !c.drop {
				r.Clear(facts.SRRCTL(0), facts.SrrctlDropEN)
				r.Write32(facts.RXPBSIZE(0), 32<<10)
			}
			var check traffic.Checker
			received := 0
			for quiet := 0; quiet < 50; quiet++ {
				now += 100 * time.Microsecond
				moved := 0
				for range 4 { // the card is faster than the driver
					moved += s.Card.Step(256)
				}
				got := drain(d, &check)
				if received += got; got+moved > 0 {
					quiet = 0
				}
			}
			stats := mustStats(t, d)
			mpc, qprdc := counter(t, stats, "RXMPC[0]"), counter(t, stats, "QPRDC[0]")
			if st.sent() != count || stats.RxPackets != uint64(received) || stats.RxPackets+stats.RxMissed != count {
				t.Errorf("%d sent; the driver took %d and says %d received, %d missed", st.sent(), received, stats.RxPackets, stats.RxMissed)
			}
			if mpc > 0 != c.buffered || qprdc > 0 != c.queue || mpc+qprdc != stats.RxMissed {
				t.Errorf("RXMPC %d, QPRDC %d, of %d missed", mpc, qprdc, stats.RxMissed)
			}
			card := s.Card.Totals()
			want := ixgbe.Totals{RxFrames: count, RxHost: uint64(received), RxBytes: uint64(received) * 1000, RxMissed: mpc, RxNoDescriptor: qprdc}
			if card != want {
				t.Errorf("the card counted %+v, want %+v", card, want)
			}
			if n := check.Totals(); n.OK != uint64(received) || n.OK != n.Frames() || n.Lost > stats.RxMissed {
				t.Errorf("received %+v", n)
			}
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

var _ bus.Function = (*function)(nil)
