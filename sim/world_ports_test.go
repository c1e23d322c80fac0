package sim

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"glassnic/bus"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

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
