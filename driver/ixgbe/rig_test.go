package ixgbe_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

var _ nic.Device = (*ixgbe.Device)(nil)

// tb is what a rig needs of a test, be it go test's or rapid's.
type tb interface {
	Helper()
	Error(...any)
	Errorf(string, ...any)
	Fatal(...any)
	Fatalf(string, ...any)
	Cleanup(func())
}

// rig is the driver on a trapped card whose wire the test plays.
type rig struct {
	t    tb
	sim  *sim.Trapped
	dev  *ixgbe.Device
	wire *script
}

// script is a wire that delivers what a test puts in and keeps what the card sends.
type script struct {
	in   []wire.Frame
	out  [][]byte
	full bool // takes nothing
	down bool
	// lossy is a wire that does not wait until the card has room.
	lossy bool
	// quiet keeps nothing of what is sent.
	quiet bool
}

func (s *script) Receive(frames []wire.Frame) int {
	n := copy(frames, s.in)
	s.in = s.in[n:]
	return n
}

func (s *script) Send(frames []wire.Frame) int {
	if s.full {
		return 0
	}
	if s.quiet {
		return len(frames)
	}
	for _, f := range frames {
		s.out = append(s.out, append([]byte(nil), f.Data...))
	}
	return len(frames)
}

func (s *script) Up() bool       { return !s.down }
func (s *script) Close() error   { return nil }
func (s *script) Overruns() bool { return s.lossy }

// put has a frame arrive.
func (s *script) put(data []byte) { s.in = append(s.in, wire.Frame{Data: data}) }

// card makes a trapped card on which any stray DMA fails the test, with a script for a wire.
func card(t tb, cfg model.Config) (*sim.Trapped, *script) {
	t.Helper()
	w, ok := cfg.Wire.(*script)
	if !ok {
		w = &script{}
	}
	cfg.Wire = w
	trace := cfg.Trace
	cfg.Trace = func(e model.Event) {
		if accesses.Add(e); trace != nil {
			trace(e)
		}
	}
	s, err := sim.NewTrapped(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, f := range s.Space.Faults() {
			t.Error(f)
		}
	})
	return s, w
}

// open starts the driver on a trapped card.
func open(t tb, cfg nic.Config) *rig {
	t.Helper()
	s, w := card(t, model.Config{})
	return &rig{t: t, sim: s, wire: w, dev: openOn(t, s, cfg)}
}

func openOn(t tb, s *sim.Trapped, cfg nic.Config) *ixgbe.Device {
	t.Helper()
	d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), cfg)
	if err != nil {
		t.Fatal(err)
	}
	// Runs before the check of card for stray DMA.
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if n := s.Space.InUse(); n != 0 {
			t.Errorf("%d bytes of DMA memory still allocated after Close", n)
		}
	})
	return d.(*ixgbe.Device)
}

// step lets the card move everything that it can.
func (r *rig) step() {
	for range 1000 {
		if r.sim.Card.Step(256) == 0 {
			return
		}
	}
	r.t.Fatal("the card does not come to rest")
}

// receive returns all frames that have arrived at queue 0, copied, and frees their buffers.
func (r *rig) receive() [][]byte { return r.receiveFrom(0, 32) }

// receiveFrom is receive for any queue and batch.
func (r *rig) receiveFrom(queue, size int) [][]byte {
	var all [][]byte
	batch := make([]*packet.Buf, size)
	for {
		n := r.dev.RxQueue(queue).Receive(batch)
		if n == 0 {
			return all
		}
		for _, b := range batch[:n] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(batch[:n])
		r.step()
	}
}

// buf returns a buffer of the port's pool with a copy of data, in parts of at most part bytes.
func (r *rig) buf(data []byte, part int) *packet.Buf {
	r.t.Helper()
	var head, last *packet.Buf
	for first := true; first || len(data) > 0; first = false {
		var one [1]*packet.Buf
		if r.dev.Info().Pool.Alloc(one[:]) == 0 {
			r.t.Fatal("pool empty")
		}
		b, n := one[0], min(part, len(data))
		if !b.SetBytes(data[:n]) {
			r.t.Fatalf("%d bytes do not fit a buffer", n)
		}
		data = data[n:]
		if head == nil {
			head = b
		} else {
			last.SetNext(b)
		}
		last = b
	}
	return head
}

// frame makes a frame of n bytes to the given last byte of address, filled with a pattern that seed
// chooses.
func frame(n int, seed byte) []byte {
	f := make([]byte, n)
	for i := range f {
		f[i] = byte(i)*7 + seed
	}
	copy(f, []byte{0x02, 0x00, 0x00, 0x82, 0x59, 0x90, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5})
	return f
}

// noWait opens a port whether it has a link or not.
const noWait = -time.Nanosecond

// same compares frames in order.
func same(t tb, what string, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d frames, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("%s: frame %d is %d bytes %.32x…, want %d bytes %.32x…", what, i, len(got[i]), got[i], len(want[i]), want[i])
		}
	}
}

// stats returns the port's statistics.
func (r *rig) stats() nic.Stats {
	r.t.Helper()
	s, err := r.dev.Stats()
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// counter returns one of the card's counters by name.
func (r *rig) counter(name string) uint64 {
	r.t.Helper()
	for _, c := range r.stats().Counters {
		if c.Name == name {
			return c.Value
		}
	}
	r.t.Fatalf("no counter %s", name)
	return 0
}

// brief is statistics without the card's own counters.
func brief(s nic.Stats) string {
	s.Counters = nil
	return fmt.Sprintf("%+v", s)
}
