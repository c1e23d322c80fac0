package e1000_test

import (
	"testing"

	"glassnic/bus/irq"
	facts "glassnic/chip/e1000"
	"glassnic/nic"
)

// relength, unend and damage change what a descriptor reports, in the format of the card's family.
func (c *card) relength(w1 uint64, n int) uint64 {
	if c.Kind == facts.Legacy {
		return w1&^0xffff | uint64(n)
	}
	return w1&^(0xffff<<32) | uint64(n)<<32
}

func (c *card) unend(w1 uint64) uint64 {
	if c.Kind == facts.Legacy {
		return w1 &^ (1 << 33)
	}
	return w1 &^ 2
}

func (c *card) damage(w1 uint64) uint64 {
	if c.Kind == facts.Legacy {
		return w1 | 1<<47
	}
	return w1 | 1<<31
}

// What a lie costs is counted, and the next honest frames come through.
func TestLiesAreCounted(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		for _, l := range []struct {
			name    string
			lie     func(c *card, w1 uint64) uint64
			mtu     int
			dropped uint64 // of 20 frames
			lost    int    // of those after it
		}{
			{"length beyond the buffer", func(c *card, w1 uint64) uint64 { return c.relength(w1, 2049) }, 1500, 20, 0},
			{"length beyond the buffer, jumbo", func(c *card, w1 uint64) uint64 { return c.relength(w1, 2049) }, 9000, 20, 0},
			{"longest length", func(c *card, w1 uint64) uint64 { return c.relength(w1, 65535) }, 9000, 20, 0},
			{"length beyond the MTU", func(c *card, w1 uint64) uint64 { return c.relength(w1, 1523) }, 1500, 20, 0},
			{"no length", func(c *card, w1 uint64) uint64 { return c.relength(w1, 0) }, 1500, 20, 0},
			{"damaged", func(c *card, w1 uint64) uint64 { return c.damage(w1) }, 1500, 20, 0},
			{"damaged, jumbo", func(c *card, w1 uint64) uint64 { return c.damage(w1) }, 9000, 20, 0},
			// What has no end is cut off at the longest frame, and its end is that of the first honest one.
			{"no end", func(c *card, w1 uint64) uint64 { return c.unend(w1) }, 1500, 1, 1},
			{"no end, jumbo", func(c *card, w1 uint64) uint64 { return c.unend(w1) }, 9000, 1, 1},
		} {
			t.Run(l.name, func(t *testing.T) {
				c := newCard(c.device)
				r := open(t, c, nic.Config{MTU: l.mtu, RxRing: 64, TxRing: 64, Buffers: 1024})
				c.lie = func(w0, w1 uint64) (uint64, uint64) { return w0, l.lie(c, w1) }
				for i := range 20 {
					r.put(frame(1000, byte(i)))
				}
				r.step()
				if got := r.receive(0, 8); len(got) != 0 {
					t.Errorf("%d frames received", len(got))
				}
				if n := r.stats().RxDropped; n != l.dropped {
					t.Errorf("%d dropped, want %d", n, l.dropped)
				}
				c.lie = nil
				var want [][]byte
				for i := range 100 {
					want = append(want, frame(1000, byte(i)))
					r.put(want[i])
				}
				r.step()
				same(t, "after the lies", r.receive(0, 32), want[l.lost:])
			})
		}
	})
}

// A ring full of done bits that was never given is believed for one turn, and every call returns.
func TestDoneWithoutEnd(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		c.set = &interrupts{kind: irq.MSI, vectors: 1}
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 2048, Interrupts: true})
		w0, w1 := c.report(60, false, 0)
		mem := r.dev.RingMemory(0)
		for i := 0; i < len(mem); i += 16 {
			put64(mem[i:], w0)
			put64(mem[i+8:], w1)
		}
		if got := r.receive(0, 64); len(got) != 0 {
			t.Errorf("%d frames", len(got))
		}
		if n := r.stats().RxDropped; n == 0 || n > 2 {
			t.Errorf("%d dropped", n)
		}
		// The turn has ended at the end of the ring; the next descriptor is the first.
		put64(mem[8:], w1)
		if r.dev.RxQueue(0).(nic.Waiter).Arm() {
			t.Error("the worker may sleep over a descriptor that is done")
		}
	})
}

func put64(b []byte, v uint64) {
	for i := range 8 {
		b[i] = byte(v >> (8 * i))
	}
}
