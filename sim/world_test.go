package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

func newWorld(t *testing.T) *World {
	t.Helper()
	w, err := NewWorld(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := w.arena.Held(); n != 0 {
			t.Errorf("%d pages of memory are still in use", n)
		}
		for _, f := range w.space.Faults() {
			t.Error(f)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if w.shared.Bytes() != nil {
			t.Error("the memory is still there after Close")
		}
	})
	return w
}

func mustAdd(t *testing.T, w *World, name string, end wire.End) *Port {
	t.Helper()
	p, err := w.Add(name, ixgbe.Config{Wire: end})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// openPair has the driver open two ports of a world that runs.
func openPair(t *testing.T, a, b *Port) *pair {
	t.Helper()
	p := new(pair)
	for i, port := range []*Port{a, b} {
		fn, err := port.Function()
		if err != nil {
			t.Fatal(err)
		}
		if p.pool == nil {
			if p.pool, err = packet.NewPool(fn.DMA(), packet.PoolConfig{}); err != nil {
				t.Fatal(err)
			}
		}
		p.dev[i], err = nic.OpenFunction(context.Background(), fn, nic.Config{Pool: p.pool, Port: uint8(i), Promiscuous: true})
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// Whoever polls, a goroutine or the test itself, every frame comes out at the other port, in order.
func TestWorldForwards(t *testing.T) {
	const count = 20_000
	for _, poll := range []bool{false, true} {
		t.Run(fmt.Sprintf("poll=%v", poll), func(t *testing.T) {
			w := newWorld(t)
			a := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX, Stream: 1}, Count: count})
			b := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX, Stream: 2}, Count: count})
			pa, pb := mustAdd(t, w, "a", a.wire()), mustAdd(t, w, "b", b.wire())
			stop := start(t, w.Run)
			p := openPair(t, pa, pb)
			if pa.Card.MAC() == pb.Card.MAC() {
				t.Errorf("both cards are %x", pa.Card.MAC())
			}
			if poll {
				stop()
				batch := make([]*packet.Buf, 32)
				for still := 0; still < 20; still++ {
					n := w.Poll()
					for _, way := range [][2]nic.Device{{p.dev[0], p.dev[1]}, {p.dev[1], p.dev[0]}} {
						got := way[0].RxQueue(0).Receive(batch)
						for sent := 0; sent < got; {
							sent += way[1].TxQueue(0).Send(batch[sent:got])
							n += w.Poll()
						}
						n += got
					}
					if n > 0 {
						still = 0
					}
				}
				start(t, w.Run)
			} else {
				end := start(t, func(ctx context.Context) { forwardBoth(ctx, p.dev[0], p.dev[1]) })
				eventually(t, "all frames through", func() bool {
					return a.sink.Stats().TxFrames == count && b.sink.Stats().TxFrames == count
				})
				end()
			}
			wantExact(t, "a to b", b, count)
			wantExact(t, "b to a", a, count)
			for i, port := range []*Port{pa, pb} {
				var s nic.Stats
				// Counters are published once nothing moves any more.
				eventually(t, "the card's counters", func() bool {
					s = mustStats(t, p.dev[i])
					return s.TxPackets == count && port.Card.Totals().TxSent == count
				})
				if s.RxPackets != count || s.RxMissed+s.RxErrors+s.RxDropped+s.TxDropped != 0 {
					t.Errorf("port %d: %d in, %d missed, %d errors, %d and %d dropped", i, s.RxPackets, s.RxMissed, s.RxErrors, s.RxDropped, s.TxDropped)
				}
				if n := port.Card.Totals(); n.RxFrames != count || n.RxHost != count {
					t.Errorf("card %d: %+v", i, n)
				}
			}
			p.close(t)
		})
	}
}

// Ports come and go, each with a driver for a while, as traffic runs between two others.
func TestWorldPortsComeAndGo(t *testing.T) {
	const count = 30_000
	w := newWorld(t)
	a := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Stream: 1}, Count: count})
	b := newStation(t, wire.SourceConfig{Spec: traffic.Spec{Stream: 2}, Count: count})
	pa, pb := mustAdd(t, w, "a", a.wire()), mustAdd(t, w, "b", b.wire())
	start(t, w.Run)
	p := openPair(t, pa, pb)
	end := start(t, func(ctx context.Context) { forwardBoth(ctx, p.dev[0], p.dev[1]) })
	var guests sync.WaitGroup
	for g := range 3 {
		guests.Go(func() {
			for i := range 8 {
				if err := visit(w, fmt.Sprintf("guest %d.%d", g, i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	guests.Wait()
	eventually(t, "all frames through", func() bool {
		return a.sink.Stats().TxFrames == count && b.sink.Stats().TxFrames == count
	})
	end()
	wantExact(t, "a to b", b, count)
	wantExact(t, "b to a", a, count)
	p.close(t)
}

// visit plugs a card in, sends a few frames through a loop to itself, and takes it out.
func visit(w *World, name string) error {
	port, err := w.Add(name, ixgbe.Config{Wire: wire.NewLoop()})
	if err != nil {
		return err
	}
	fn, err := port.Function()
	if err != nil {
		return err
	}
	d, err := nic.OpenFunction(context.Background(), fn, nic.Config{RxRing: 64, TxRing: 64, Buffers: 256, Promiscuous: true})
	if err != nil {
		return errors.Join(err, w.Remove(port))
	}
	const frames = 20
	batch := make([]*packet.Buf, frames)
	n := d.Info().Pool.Alloc(batch)
	for _, b := range batch[:n] {
		b.SetBytes(make([]byte, 60))
	}
	if sent := d.TxQueue(0).Send(batch[:n]); sent != frames {
		err = fmt.Errorf("%s: sent %d of %d", name, sent, n)
	}
	for got := 0; got < frames && err == nil; runtime.Gosched() {
		n := d.RxQueue(0).Receive(batch)
		packet.Free(batch[:n])
		got += n
	}
	return errors.Join(err, d.Close(), w.Remove(port))
}

// A paced source loses frames, and never silently, at a port whose driver is late.
func TestWorldOverruns(t *testing.T) {
	const count = 50_000
	w := newWorld(t)
	var now atomic.Int64
	st := newStation(t, wire.SourceConfig{Rate: 1e6, Count: count, Clock: func() time.Duration { return time.Duration(now.Load()) }})
	port := mustAdd(t, w, "late", st.wire())
	start(t, w.Run)
	fn, err := port.Function()
	if err != nil {
		t.Fatal(err)
	}
	d, err := nic.OpenFunction(context.Background(), fn, nic.Config{RxRing: 64, Promiscuous: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "link after the driver's restart of it", func() bool {
		return r.Read32(facts.AUTOC)&facts.AutocRestartAN == 0 && r.Read32(facts.LINKS)&facts.LinksUP != 0
	})
	now.Store(int64(time.Second))
	var check traffic.Checker
	eventually(t, "a settled account", func() bool { return port.Card.Totals().RxFrames == count })
	drain(d, &check)
	n, s := port.Card.Totals(), mustStats(t, d)
	if got := check.Totals(); s.RxPackets != n.RxHost || got.OK != n.RxHost || got.OK != got.Frames() {
		t.Errorf("the driver received %d, %+v, of %+v", s.RxPackets, got, n)
	}
	if s.RxMissed == 0 || s.RxMissed != n.RxMissed+n.RxNoDescriptor {
		t.Errorf("the driver missed %d, of %+v", s.RxMissed, n)
	}
	// What came before the driver received is lost as well.
	if st.sent() != count || n.RxHost+n.RxMissed+n.RxNoDescriptor+n.RxDisabled != count {
		t.Errorf("%+v do not add up to %d of %d", n, st.sent(), count)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// Cards that always have something to do leave others their turn, also where there is one thread.
func TestWorldBusy(t *testing.T) {
	w := newWorld(t)
	st := newStation(t, wire.SourceConfig{})
	port := mustAdd(t, w, "p", st.wire())
	start(t, w.Run)
	fn, err := port.Function()
	if err != nil {
		t.Fatal(err)
	}
	d, err := nic.OpenFunction(context.Background(), fn, nic.Config{}) // takes no frame to others
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "frames to others", func() bool { return port.Card.Totals().RxFiltered > 10_000 })
	if s := mustStats(t, d); s.RxPackets != 0 || s.RxMissed != 0 {
		t.Errorf("%d received, %d missed", s.RxPackets, s.RxMissed)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
