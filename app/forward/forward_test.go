package forward

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/nic/nictest"
	"glassnic/packet"
)

func port(t testing.TB, cfg nictest.Config) *nictest.Port {
	t.Helper()
	p, err := nictest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("%s: %v", cfg.Name, err)
		}
	})
	return p
}

// pair returns two ports, in one domain or in two.
func pair(t testing.TB, cfg nictest.Config, shared bool) (a, b *nictest.Port) {
	if shared {
		cfg.Memory = nictest.NewMemory()
	}
	cfg.Name, cfg.Port = "a", 1
	a = port(t, cfg)
	cfg.Name, cfg.Port = "b", 2
	return a, port(t, cfg)
}

func add(a, b Traffic) Traffic {
	drops := map[string]uint64{}
	for k := range a.Drops {
		drops[k] = a.Drops[k] + b.Drops[k]
	}
	for k := range b.Drops {
		drops[k] = a.Drops[k] + b.Drops[k]
	}
	return Traffic{
		RxPackets: a.RxPackets + b.RxPackets, RxBytes: a.RxBytes + b.RxBytes,
		TxPackets: a.TxPackets + b.TxPackets, TxBytes: a.TxBytes + b.TxBytes, Drops: drops,
	}
}

func adds(t *testing.T, what string, tr Traffic) {
	t.Helper()
	sum := tr.TxPackets
	for _, n := range tr.Drops {
		sum += n
	}
	if tr.RxPackets != sum {
		t.Errorf("%s: rx %d, tx %d, drops %v", what, tr.RxPackets, tr.TxPackets, tr.Drops)
	}
}

func same(a, b Traffic) bool {
	a, b = add(a, Traffic{}), add(b, Traffic{})
	return fmt.Sprint(a) == fmt.Sprint(b)
}

// TestAccounting floods both ports of a running forwarder while their transmit queues are emptied slowly,
// so that frames are sent, held and dropped, and counts on both sides.
func TestAccounting(t *testing.T) {
	for _, c := range []struct {
		name     string
		shared   bool
		patience int
		buffers  int
	}{
		{"one domain", true, 3, 512},
		{"one domain, no patience", true, -1, 512},
		{"two domains", false, 3, 512},
		{"two domains, no patience", false, -1, 512},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b := pair(t, nictest.Config{Queues: 2, Ring: 64, Buffers: c.buffers, Room: 256}, c.shared)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var intervals []Report
			var drops atomic.Uint64
			type result struct {
				Report
				error
			}
			done := make(chan result)
			go func() {
				r, err := Run(ctx, Config{
					A: a, B: b, Batch: 16, Patience: c.patience, Interval: 5 * time.Millisecond, Touch: true,
				}, func(r Report) {
					intervals = append(intervals, r)
					drops.Add(r.Drops[TxFull] + r.Drops[NoBuffer])
				})
				done <- result{r, err}
			}()
			var arrived, came [2]uint64 // by direction
			var bytes [2]uint64
			frame := make([]byte, 600)
			for i := 0; i < 1000 || drops.Load() < 100 || came[0] < 100 || came[1] < 100; i++ {
				d, q := i%2, i/2%2
				from, to := a, b
				if d == 1 {
					from, to = b, a
				}
				size := 60 + i%540
				for range 8 {
					arrived[d] += uint64(from.Arrive(q, frame[:size]))
				}
				came[d] += uint64(to.Sent(q, 5, func(f *packet.Buf) { bytes[d] += uint64(f.TotalLen()) }))
			}
			// Everything that arrived has been received before the end.
			for _, p := range []*nictest.Port{a, b} {
				for {
					if s, _ := p.Stats(); s.RxPackets == arrived[p.Info().Port-1] {
						break
					}
					time.Sleep(time.Millisecond)
				}
			}
			cancel()
			r := <-done
			if r.error != nil {
				t.Fatal(r.error)
			}
			for d, to := range []*nictest.Port{b, a} {
				for q := range 2 {
					came[d] += uint64(to.Sent(q, 64, func(f *packet.Buf) { bytes[d] += uint64(f.TotalLen()) }))
				}
				dir := r.Directions[d]
				if dir.RxPackets != arrived[d] || dir.TxPackets != came[d] || dir.TxBytes != bytes[d] {
					t.Errorf("direction %d: %d arrived, %d came out with %d bytes: %+v", d, arrived[d], came[d], bytes[d], dir)
				}
				adds(t, "direction", dir.Traffic)
			}
			var sum Traffic
			for _, i := range intervals {
				if i.Type != "interval" {
					t.Errorf("type %q", i.Type)
				}
				adds(t, "interval", i.Traffic)
				sum = add(sum, i.Traffic)
			}
			adds(t, "total", r.Traffic)
			if !same(sum, r.Traffic) || !same(add(r.Directions[0].Traffic, r.Directions[1].Traffic), r.Traffic) {
				t.Errorf("intervals add up to %+v, directions are %+v, total is %+v", sum, r.Directions, r.Traffic)
			}
			if r.Type != "total" || r.Drops[TxFull]+r.Drops[NoBuffer] < 100 || r.TicksPerPacket <= 0 || r.Seconds <= 0 {
				t.Errorf("total %+v", r.Report)
			}
		})
	}
}

// one returns the worker of two ports with one queue each.
func one(t testing.TB, cfg Config) *forwarder {
	t.Helper()
	ws, err := cfg.workers()
	if err != nil {
		t.Fatal(err)
	}
	if len(ws) != 1 {
		t.Fatalf("%d workers", len(ws))
	}
	t.Cleanup(ws[0].finish)
	return ws[0]
}

func TestTouch(t *testing.T) {
	for _, touch := range []bool{false, true} {
		a, b := pair(t, nictest.Config{}, true)
		w := one(t, Config{A: a, B: b, Touch: touch})
		a.Arrive(0, []byte{1, 2, 3}, []byte{1, 255}, []byte{7}, nil)
		w.step(0)
		var got []string
		b.Sent(0, 9, func(f *packet.Buf) { got = append(got, fmt.Sprint(f.Bytes())) })
		want := []string{"[1 2 3]", "[1 255]", "[7]", "[]"}
		if touch {
			want = []string{"[1 3 3]", "[1 0]", "[7]", "[]"}
		}
		if !slices.Equal(got, want) {
			t.Errorf("touch %v: %v", touch, got)
		}
	}
}

// TestPatience: frames that do not fit are offered as often as told, with receiving paused.
func TestPatience(t *testing.T) {
	for _, patience := range []int{-1, 1, 5} {
		a, b := pair(t, nictest.Config{Ring: 4}, true)
		w := one(t, Config{A: a, B: b, Batch: 4, Patience: patience})
		d := w.dirs[0]
		for range 4 {
			a.Arrive(0, []byte{1})
		}
		w.step(0)
		a.Arrive(0, []byte{2}, []byte{3}, []byte{4})
		for range max(patience, 0) {
			w.step(0)
			if len(d.held) != 3 || d.c.txFull != 0 {
				t.Fatalf("patience %d: %d held, %d dropped", patience, len(d.held), d.c.txFull)
			}
		}
		w.step(0)
		if len(d.held) != 0 || d.c.txFull != 3 || d.c.rxPackets != 7 || d.c.txPackets != 4 || d.c.txBytes != 4 {
			t.Fatalf("patience %d: %+v", patience, d.c)
		}

		// A partial success renews the patience and keeps the order.
		if patience < 2 {
			continue
		}
		a.Arrive(0, []byte{5}, []byte{6}, []byte{7})
		w.step(0)
		var order []byte
		see := func(f *packet.Buf) { order = append(order, f.Bytes()[0]) }
		for range 3 {
			for range patience - 1 {
				w.step(0)
			}
			b.Sent(0, 1, see)
			w.step(0)
		}
		b.Sent(0, 4, see)
		if d.c.txFull != 3 || string(order) != "\x01\x01\x01\x01\x05\x06\x07" {
			t.Errorf("order %v, %+v", order, d.c)
		}
	}
}

func TestStopWithFramesInHand(t *testing.T) {
	a, b := pair(t, nictest.Config{Ring: 2}, true)
	w := one(t, Config{A: a, B: b})
	a.Arrive(0, []byte{1}, []byte{1})
	w.step(0)
	a.Arrive(0, []byte{1}, []byte{1})
	w.step(0)
	if len(w.dirs[0].held) != 2 {
		t.Fatal("nothing held")
	}
	m := newMeter(&Config{A: a, B: b}, []*forwarder{w})
	w.collect()
	w.published.Put(&w.state)
	adds(t, "with frames in hand", m.total().Traffic)
	if n := m.total().RxPackets; n != 2 {
		t.Errorf("%d frames counted whose fate is known, want 2", n)
	}
	w.finish()
	r := m.total()
	adds(t, "at the end", r.Traffic)
	if r.RxPackets != 4 || r.Drops[TxFull] != 2 {
		t.Errorf("%+v", r)
	}
}
