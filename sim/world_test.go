package sim

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"

	"glassnic/bus"
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

func TestWorldFunctionIsExclusive(t *testing.T) {
	w := newWorld(t)
	p := mustAdd(t, w, "only", nil)
	fn, err := p.Function()
	if err != nil {
		t.Fatal(err)
	}
	if r, err := fn.BAR(0); err != nil || r.SeesReads() || fn.Address() != "only" {
		t.Errorf("%s: sees reads %v, %v", fn.Address(), r.SeesReads(), err)
	}
	if _, err := p.Function(); !errors.Is(err, bus.ErrInUse) || !strings.Contains(text(err), "only") || !strings.Contains(text(err), "close it") {
		t.Errorf("second function: %v", err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	again, err := p.Function()
	if err != nil {
		t.Fatal(err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if _, err := p.Function(); !errors.Is(err, bus.ErrInUse) {
		t.Errorf("the first function's second Close let the port go: %v", err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// A function that is closed under its driver leaves the card reset.
func TestWorldCloseStopsDMA(t *testing.T) {
	w := newWorld(t)
	st := newStation(t, wire.SourceConfig{})
	port := mustAdd(t, w, "p", st.wire())
	start(t, w.Run)
	fn, err := port.Function()
	if err != nil {
		t.Fatal(err)
	}
	d, err := nic.OpenFunction(context.Background(), fn, nic.Config{Promiscuous: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "traffic", func() bool { return st.sent() > 0 })
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if rx, tx := r.Read32(facts.RXCTRL), r.Read32(facts.DMATXCTL); rx&facts.RxctrlRXEN != 0 || tx&facts.DmatxctlTE != 0 {
		t.Errorf("RXCTRL %#x, DMATXCTL %#x", rx, tx)
	}
	sent := st.sent()
	if drain(d, new(traffic.Checker)); st.sent() != sent {
		t.Errorf("%d frames left the wire after Close", st.sent()-sent)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// closing is a wire that counts its closings, the last of which fails as told.
type closing struct {
	wire.None
	n   int
	err error
}

func (c *closing) Close() error { c.n++; return c.err }

func TestWorldRemove(t *testing.T) {
	w := newWorld(t)
	first, second := &closing{}, &closing{err: errors.New("file not written")}
	a, b := mustAdd(t, w, "a", first), mustAdd(t, w, "b", second)
	if err := w.Remove(a); err != nil || first.n != 1 || second.n != 0 {
		t.Errorf("%v, closed %d and %d times", err, first.n, second.n)
	}
	if err := w.Remove(a); err != nil || first.n != 1 {
		t.Errorf("again: %v, closed %d times", err, first.n)
	}
	if _, err := a.Function(); err == nil || !strings.Contains(text(err), "a: ") {
		t.Errorf("function of a removed port: %v", err)
	}
	if c := mustAdd(t, w, "c", nil); c.Card.MAC() == b.Card.MAC() {
		t.Errorf("two cards are %x", c.Card.MAC())
	}
	if err := w.Remove(b); err == nil || !strings.Contains(text(err), "file not written") {
		t.Errorf("%v", err)
	}
	if _, err := w.Add("d", ixgbe.Config{MAC: [6]byte{1}}); err == nil || !strings.Contains(text(err), "d: ") {
		t.Errorf("group address: %v", err)
	}
}

// A wire that cannot be closed keeps neither the others open nor the memory.
func TestWorldCloses(t *testing.T) {
	w, err := NewWorld(4 << 20)
	if err != nil {
		t.Fatal(err)
	}
	ends := []*closing{{err: errors.New("first")}, {}, {err: errors.New("third")}}
	for i, end := range ends {
		mustAdd(t, w, fmt.Sprint(i), end)
	}
	if err := w.Close(); err == nil || text(err) != "first\nthird" {
		t.Errorf("%v", err)
	}
	for i, end := range ends {
		if end.n != 1 {
			t.Errorf("wire %d was closed %d times", i, end.n)
		}
	}
	if w.shared.Bytes() != nil {
		t.Error("the memory is still there")
	}
	if _, err := NewWorld(-1); err == nil {
		t.Error("a world of -1 bytes")
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
	st := newStation(t, wire.SourceConfig{Rate: 5e6, Count: count})
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
	eventually(t, "the source's end", func() bool { return st.sent() == count })
	var check traffic.Checker
	eventually(t, "a settled account", func() bool {
		drain(d, &check)
		return port.Card.Totals().RxFrames == count
	})
	drain(d, &check)
	n, s := port.Card.Totals(), mustStats(t, d)
	if got := check.Totals(); s.RxPackets != n.RxHost || got.OK != n.RxHost || got.OK != got.Frames() {
		t.Errorf("the driver received %d, %+v, of %+v", s.RxPackets, got, n)
	}
	if s.RxMissed == 0 || s.RxMissed != n.RxMissed+n.RxNoDescriptor {
		t.Errorf("the driver missed %d, of %+v", s.RxMissed, n)
	}
	// Before the driver had started, nobody received.
	if n.RxHost+n.RxMissed+n.RxNoDescriptor+n.RxDisabled != count || n.RxDisabled == 0 {
		t.Errorf("%+v do not add up to %d", n, count)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}
