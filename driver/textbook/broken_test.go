package textbook

import (
	"strings"
	"testing"
	"time"

	model "glassnic/sim/ixgbe"
)

// A card that lies about a frame makes it a counted drop.
func TestLyingCard(t *testing.T) {
	for name, fault := range map[string]model.Faults{"length": model.LieRxLength, "early": model.LieRxEarly, "EOP": model.LieRxNoEOP, "unposted": model.LieRxUnposted} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			a, _ := r.open(t, Config{})
			r.cards[0].Card.Inject(fault)
			r.wires[0].in = numbered(1000)
			batch := make([]*Buf, 32)
			got := 0
			for range 100 {
				r.step()
				n := a.Receive(batch)
				for _, b := range batch[:n] {
					if len(b.Bytes()) > a.pool.room {
						t.Fatalf("a frame of %d bytes in a buffer of %d", len(b.Bytes()), a.pool.room)
					}
				}
				Free(batch[:n])
				got += n
			}
			if total := uint64(got) + a.Dropped; fault != model.LieRxUnposted && total != 1000 {
				t.Errorf("%d received and %d dropped, want 1000 together", got, a.Dropped)
			}
			if fault&(model.LieRxLength|model.LieRxNoEOP) != 0 && a.Dropped == 0 {
				t.Error("nothing dropped")
			}
			account(t, a, 0)
		})
	}
}

func TestBrokenCard(t *testing.T) {
	defer func(l time.Duration) { limit = l }(limit)
	limit = 20 * time.Millisecond
	for fault, want := range map[model.Faults]string{
		model.StuckReset:       "4.6.3.2",
		model.EEPROMNeverReady: "EEC.ARD",
		model.DMANeverReady:    "RDRXCTL.DMAIDONE",
		model.StuckRxEnable:    "RXDCTL.ENABLE",
		model.StuckTxEnable:    "TXDCTL.ENABLE",
		model.Pulled:           "reset",
	} {
		t.Run(want, func(t *testing.T) {
			r := newRig(t)
			r.cards[0].Card.Inject(fault)
			_, err := Open(r.fns[0], Config{})
			if err == nil {
				t.Fatal("opened")
			}
			if s := err.Error(); !strings.Contains(s, want) || !strings.Contains(s, "sim:0") {
				t.Errorf("error %q does not name the card and %q", s, want)
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	for _, cfg := range []Config{
		{Ring: 100}, {Ring: 32}, {Ring: 8192}, {Buffers: 1000}, {Buffers: 1 << 21}, {Stride: 1024}, {Stride: 2050}, {Stride: 1 << 15},
		{ReportEvery: 3}, {ReportEvery: 64}, {ReportEvery: -1},
	} {
		r := newRig(t)
		if d, err := Open(r.fns[0], cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
			d.Close()
		}
	}
}
