package forward

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

func TestSettings(t *testing.T) {
	a, b := pair(t, nictest.Config{Queues: 2}, true)
	c := port(t, nictest.Config{Name: "c", Queues: 3})
	for _, bad := range []struct {
		cfg  Config
		want string
	}{
		{Config{}, "two ports"},
		{Config{A: a}, "two ports"},
		{Config{A: a, B: b, Batch: -1}, "batch"},
		{Config{A: a, B: b, Batch: packet.MaxTake + 1}, "batch"},
		{Config{A: a, B: c}, "c has 3 receive queues and a 2 transmit queues"},
		{Config{A: a, B: b, CPUs: []int{-1}}, "worker 0"},
	} {
		r, err := Run(t.Context(), bad.cfg, nil)
		if err == nil || !strings.Contains(err.Error(), bad.want) || r.Type != "total" {
			t.Errorf("want an error with %q, got %v", bad.want, err)
		}
	}
}

func TestPortGone(t *testing.T) {
	a, b := pair(t, nictest.Config{}, true)
	b.SetLink(nic.Link{}, fmt.Errorf("b: all registers read 0xFFFFFFFF: %w", nic.ErrGone))
	a.Arrive(0, []byte{1})
	_, err := Run(t.Context(), Config{A: a, B: b, Interval: time.Millisecond}, nil)
	if err == nil || !strings.Contains(err.Error(), "0xFFFFFFFF") {
		t.Errorf("%v", err)
	}
}

// TestNames fixes the names that programs read.
func TestNames(t *testing.T) {
	a, b := pair(t, nictest.Config{}, true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, err := Run(ctx, Config{A: a, B: b}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Seconds = 0
	text, err := json.Marshal(r)
	traffic := `"rx_packets":0,"rx_bytes":0,"tx_packets":0,"tx_bytes":0,"drops":{"no_buffer":0,"tx_full":0,"unfit":0},` +
		`"ticks_per_packet":0,"mpps":0,"mbit_s":0,"mbit_s_framed":0`
	want := `{"type":"total","seconds":0,` + traffic + `,"directions":[{"from":"a","to":"b",` + traffic + `},{"from":"b","to":"a",` + traffic + `}]}`
	if err != nil || string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestNoGoAllocations(t *testing.T) {
	if packet.Checking {
		return // remembering call sites allocates
	}
	for _, shared := range []bool{true, false} {
		a, b := pair(t, nictest.Config{Ring: 512}, shared)
		w := one(t, Config{A: a, B: b, Touch: true, Patience: -1})
		// The test puts into the receive queues what came out of the transmit queues.
		frame := make([]byte, 60)
		last := uint64(0)
		loop := func() {
			for range 48 { // more than a batch, so that some are dropped in the end
				a.Arrive(0, frame)
				b.Arrive(0, frame)
			}
			last = w.step(last)
			last = w.step(last)
			a.Sent(0, 64, nil)
			b.Sent(0, 20, nil)
		}
		for range 600 {
			loop() // until the pools' caches have what they need, and past a publication
		}
		if n := testing.AllocsPerRun(300, loop); n != 0 {
			t.Errorf("shared %v: %v allocations per loop", shared, n)
		}
		if w.dirs[0].c.txFull == 0 || w.dirs[1].c.txPackets == 0 {
			t.Errorf("shared %v: %+v", shared, w.dirs[0].c)
		}
	}
}

// stalled is a port that stands still for its card.
type stalled struct{ *nictest.Port }

func (stalled) Trouble() error { return fmt.Errorf("b: transmit queue 0: %w", nic.ErrStalled) }

// TestStalled has a port in trouble told of once while the run goes on, and in its error at the end.
func TestStalled(t *testing.T) {
	a, b := pair(t, nictest.Config{}, true)
	ctx, stop := context.WithCancel(t.Context())
	heard, intervals := 0, 0
	cfg := Config{A: a, B: stalled{b}, Interval: time.Millisecond, Trouble: func(err error) {
		if !errors.Is(err, nic.ErrStalled) {
			t.Error(err)
		}
		heard++
	}}
	_, err := Run(ctx, cfg, func(Report) {
		if intervals++; intervals == 5 {
			stop()
		}
	})
	if !errors.Is(err, nic.ErrStalled) || heard != 1 {
		t.Errorf("%v, heard %d times", err, heard)
	}
}
