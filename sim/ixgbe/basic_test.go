package ixgbe

import (
	"bytes"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestReceiveAndSend(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
		seq := 0
		for round := range 10 {
			var want [][]byte
			for i := range 40 {
				f := frame(60+i*13+round, seq)
				seq++
				want = append(want, f)
			}
			r.port.push(want...)
			r.step(256)
			got := rx.take()
			if len(got) != len(want) {
				t.Fatalf("round %d: received %d frames, want %d", round, len(got), len(want))
			}
			for i, g := range got {
				if !bytes.Equal(g.data, want[i]) {
					t.Fatalf("round %d frame %d: got %x want %x", round, i, g.data, want[i])
				}
				tx.send(g.data)
			}
			last := (tx.tail + 63) % 64
			if tx.done(last) {
				t.Fatal("DD is set before the tail was written")
			}
			tx.kick()
			r.port.out = nil
			r.step(256)
			if len(r.port.out) != len(want) {
				t.Fatalf("round %d: sent %d frames, want %d", round, len(r.port.out), len(want))
			}
			for i := range want {
				if !bytes.Equal(r.port.out[i], want[i]) {
					t.Fatalf("round %d: sent frame %d differs", round, i)
				}
			}
			if !tx.done(last) {
				t.Fatal("no DD after sending")
			}
		}
		if n := r.space.Count(); n != 0 {
			t.Fatalf("%d DMA faults: %v", n, r.space.Faults())
		}
		if v := r.reg.Read32(chip.GPRC); v != 400 {
			t.Errorf("GPRC = %d, want 400", v)
		}
		if v := r.reg.Read32(chip.QPTC(0)); v != 400 {
			t.Errorf("QPTC[0] = %d, want 400", v)
		}
		if v := r.reg.Read32(chip.RDH(0)); v != 400%64 {
			t.Errorf("RDH = %d, want %d", v, 400%64)
		}
	})
}
