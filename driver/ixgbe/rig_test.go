package ixgbe_test

import (
	"context"
	"testing"
	"time"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

var _ nic.Device = (*ixgbe.Device)(nil)

// rig is the driver on a trapped card whose wire the test plays.
type rig struct {
	t    *testing.T
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
	for _, f := range frames {
		s.out = append(s.out, append([]byte(nil), f.Data...))
	}
	return len(frames)
}

func (s *script) Up() bool     { return !s.down }
func (s *script) Close() error { return nil }

// put has a frame arrive.
func (s *script) put(data []byte) { s.in = append(s.in, wire.Frame{Data: data}) }

// card makes a trapped card on which any stray DMA fails the test.
func card(t *testing.T, cfg model.Config) (*sim.Trapped, *script) {
	t.Helper()
	w := &script{}
	cfg.Wire = w
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
func open(t *testing.T, cfg nic.Config) *rig {
	t.Helper()
	s, w := card(t, model.Config{})
	return &rig{t: t, sim: s, wire: w, dev: openOn(t, s, cfg)}
}

func openOn(t *testing.T, s *sim.Trapped, cfg nic.Config) *ixgbe.Device {
	t.Helper()
	d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), cfg)
	if err != nil {
		t.Fatal(err)
	}
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
func (r *rig) receive() [][]byte {
	var all [][]byte
	batch := make([]*packet.Buf, 32)
	for {
		n := r.dev.RxQueue(0).Receive(batch)
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

const noWait = -time.Nanosecond
