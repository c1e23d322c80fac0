package forward

import (
	"bytes"
	"testing"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// large are two ports, the first of which gives large frames, with one of 20,000 bytes waiting at it among others. The
// second has a ring of a few frames.
func large(t *testing.T, shared bool, ring int, takes nic.Offloads, size int) (a, b *nictest.Port, payload []byte) {
	mem := [2]*nictest.Memory{nictest.NewMemory(), nictest.NewMemory()}
	if shared {
		mem[1] = mem[0]
	}
	a = port(t, nictest.Config{Name: "a", Port: 1, Buffers: 128, Memory: mem[0], Offloads: nic.RxSegment})
	b = port(t, nictest.Config{Name: "b", Port: 2, Buffers: 128, Memory: mem[1], Offloads: takes, Ring: ring})
	payload = pattern(20000)
	a.Arrive(0, pattern(60))
	if !a.ArriveLarge(0, nictest.TCP(false, payload), nictest.TCPStart4, nictest.TCPSum, size) {
		t.Fatal("no room")
	}
	a.Arrive(0, pattern(61))
	return a, b, payload
}

// Before a port that does not take large frames they are cut, whether the ring has room for all segments or not.
func TestLargeCut(t *testing.T) {
	for _, shared := range []bool{true, false} {
		for _, ring := range []int{512, 5} {
			a, b, want := large(t, shared, ring, 0, 1000)
			w := one(t, Config{A: a, B: b})
			var got [][]byte
			for range 20 {
				w.step(0)
				b.Sent(0, 512, func(f *packet.Buf) {
					if !f.Complete(packet.TxMask) {
						t.Errorf("flags %#x", f.Flags())
					}
					if f.Port() != 1 {
						t.Errorf("port of reception became %d", f.Port())
					}
					got = append(got, f.AppendTo(nil))
				})
			}
			if len(got) != 22 || !bytes.Equal(got[0], pattern(60)) || !bytes.Equal(got[21], pattern(61)) {
				t.Fatalf("%d frames, or in another order", len(got))
			}
			if payload, err := nictest.Payload(false, 1000, got[1:21]); err != nil || !bytes.Equal(payload, want) {
				t.Errorf("%v, %d bytes", err, len(payload))
			}
			w.finish()
			if c := w.dirs[0].c; c.rxPackets != 3 || c.txPackets != 3 || c.rxBytes != 60+61+20054 || c.txBytes != c.rxBytes || c.txFull+c.noBuffer+c.unfit != 0 {
				t.Errorf("%+v", c)
			}
		}
	}
}

// A port that takes large frames gets them as they are.
func TestLargeWhole(t *testing.T) {
	for _, shared := range []bool{true, false} {
		a, b, want := large(t, shared, 512, nic.TxSegment, 1000)
		w := one(t, Config{A: a, B: b})
		w.step(0)
		var got [][]byte
		b.Sent(0, 512, func(f *packet.Buf) {
			if size, ok := f.SegmentSize(); ok != (len(got) == 1) || ok && size != 1000 {
				t.Errorf("frame %d: segments of %d, %v", len(got), size, ok)
			}
			got = append(got, f.AppendTo(nil))
		})
		if len(got) != 3 || !bytes.Equal(got[1], nictest.TCP(false, want)) {
			t.Errorf("%d frames", len(got))
		}
		w.finish()
	}
}

// Frames that cannot be cut are dropped and counted, and so is one that is stuck at the end.
func TestLargeLost(t *testing.T) {
	a, b, _ := large(t, true, 512, 0, 5)
	w := one(t, Config{A: a, B: b})
	w.step(0)
	if n := b.Sent(0, 512, nil); n != 2 {
		t.Errorf("%d frames", n)
	}
	if c := w.dirs[0].c; c.rxPackets != 3 || c.txPackets != 2 || c.unfit != 1 || c.txBytes != 60+61 {
		t.Errorf("%+v", c)
	}
	w.finish()

	a, b, _ = large(t, true, 5, 0, 1000)
	w = one(t, Config{A: a, B: b, Patience: 3})
	w.step(0)
	w.finish()
	if c := w.dirs[0].c; c.rxPackets != 3 || c.txPackets != 1 || c.txFull != 2 || c.txBytes != 60 {
		t.Errorf("%+v", c)
	}
	if n := b.Sent(0, 512, nil); n != 5 {
		t.Errorf("%d frames", n)
	}
	for _, p := range []*nictest.Port{a, b} {
		if pool := p.Info().Pool; pool.Available() != pool.Len() {
			t.Errorf("%d of %d buffers are back", pool.Available(), pool.Len())
		}
	}
}

// A worker does not go to sleep over a large frame that it has not sent to its end.
func TestLargeAwake(t *testing.T) {
	a := port(t, nictest.Config{Name: "a", Offloads: nic.RxSegment})
	b := port(t, nictest.Config{Name: "b", Ring: 5})
	w := one(t, Config{A: a, B: b})
	a.ArriveLarge(0, nictest.TCP(true, pattern(7000)), nictest.TCPStart6, nictest.TCPSum, 1000)
	for _, want := range []int{5, 2} {
		w.step(0)
		if asleep := w.settle(); asleep != (want == 2) {
			t.Errorf("asleep: %v", asleep)
		}
		if n := b.Sent(0, 512, nil); n != want {
			t.Errorf("%d frames, want %d", n, want)
		}
	}
	w.finish()
}
