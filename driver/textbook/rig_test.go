package textbook

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"glassnic/bus"
	"glassnic/sim"
	"glassnic/sim/iommu"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// script is a wire that delivers what a test puts in and keeps what the card sends.
type script struct {
	in   [][]byte
	out  [][]byte
	full bool
}

func (s *script) Receive(frames []wire.Frame) int {
	n := min(len(frames), len(s.in))
	for i := range frames[:n] {
		frames[i] = wire.Frame{Data: s.in[i]}
	}
	s.in = s.in[n:]
	return n
}

func (s *script) Send(frames []wire.Frame) int {
	if s.full {
		return 0
	}
	for _, f := range frames {
		s.out = append(s.out, bytes.Clone(f.Data))
	}
	return len(frames)
}

func (s *script) Up() bool     { return true }
func (s *script) Close() error { return nil }

// rig is two trapped cards that share memory; a stray DMA of either fails the test.
type rig struct {
	space *iommu.Space
	cards [2]*sim.Trapped
	wires [2]*script
	fns   [2]bus.Function
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{space: iommu.New()}
	for i := range r.cards {
		r.wires[i] = &script{}
		var err error
		if r.cards[i], err = sim.NewTrapped(model.Config{Memory: r.space, Wire: r.wires[i]}); err != nil {
			t.Fatal(err)
		}
		r.fns[i] = r.cards[i].Function(fmt.Sprintf("sim:%d", i))
	}
	t.Cleanup(func() {
		for _, f := range r.space.Faults() {
			t.Error(f)
		}
		if n := r.space.InUse(); n != 0 {
			t.Errorf("%d bytes of DMA memory left over", n)
		}
	})
	return r
}

func (r *rig) step() {
	for moved := 1; moved > 0; {
		moved = r.cards[0].Card.Step(64) + r.cards[1].Card.Step(64)
	}
}

func (r *rig) open(t *testing.T, cfg Config) (a, b *Device) {
	t.Helper()
	var ports [2]*Device
	for i := range ports {
		var err error
		if ports[i], err = Open(r.fns[i], cfg); err != nil {
			t.Fatal(err)
		}
		for !ports[i].LinkUp() {
			r.step()
		}
	}
	t.Cleanup(func() {
		if err := errors.Join(ports[0].Stop(), ports[1].Stop(), ports[0].Close(), ports[1].Close()); err != nil {
			t.Error(err)
		}
	})
	return ports[0], ports[1]
}

// numbered makes frames that differ, of lengths from 60 to 1514.
func numbered(n int) [][]byte {
	frames := make([][]byte, n)
	for i := range frames {
		f := make([]byte, 60+i*37%1455)
		for k := range f {
			f[k] = byte(k + i)
		}
		copy(f[14:], fmt.Sprintf("frame %06d", i))
		copy(f, "\x02\x00\x00\x00\x00\x02\x02\x00\x00\x00\x00\x01\x88\xb5")
		frames[i] = f
	}
	return frames
}

func same(t *testing.T, got, want [][]byte) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i := range want {
		if !bytes.Equal(got[i], want[i]) {
			t.Fatalf("frame %d is\n%x, want\n%x", i, got[i], want[i])
		}
	}
}

// account fails unless every buffer of a port's pool is where it belongs.
func account(t *testing.T, d *Device, elsewhere int) {
	t.Helper()
	if got := d.pool.top + len(d.rx.ring) + elsewhere; got != len(d.pool.free) {
		t.Errorf("%d buffers free, %d in the receive ring, %d elsewhere: %d of %d", d.pool.top, len(d.rx.ring), elsewhere, got, len(d.pool.free))
	}
}

func (d *Device) unsent() int { return (d.tx.next - d.tx.clean) & (len(d.tx.ring) - 1) }
