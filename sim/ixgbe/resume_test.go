package ixgbe

import (
	"bytes"
	"testing"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// restart gives the register file to a new card, as a new process does.
func (r *rig) restart() {
	r.t.Helper()
	r.boot(Config{Name: "test", Memory: r.space, Wire: r.port, Regs: r.card.Registers(), Resume: true})
}

func TestResume(t *testing.T) {
	r := newRig(t, true)
	r.start()
	r.setRSS(chip.MrqcUDPIPv4, func(int) uint32 { return 0 })
	rx, tx := r.rx(0, 32, 2, 0), r.tx(0, 32)
	for i := range 50 {
		f := udp(frame(200, i))
		r.port.push(f)
		tx.send(f)
		tx.kick()
		if i%3 == 0 {
			r.restart()
		}
		r.port.out = nil
		if n := r.step(16); n != 2 {
			t.Fatalf("round %d: moved %d frames, want 2", i, n)
		}
		got := rx.take()
		if len(got) != 1 || !bytes.Equal(got[0].data, f) || len(r.port.out) != 1 || !bytes.Equal(r.port.out[0], f) {
			t.Fatalf("round %d: received %d, sent %d", i, len(got), len(r.port.out))
		}
		if chip.RxHash(got[0].w0) == 0 {
			t.Fatal("RSS is off")
		}
		if !tx.done((tx.tail + 31) % 32) {
			t.Fatalf("round %d: no DD", i)
		}
	}
	if v := r.reg.Read32(chip.GPRC); v != 50 {
		t.Errorf("GPRC = %d, want 50: the counters do not go on", v)
	}
	r.clean()

	// A register file that nobody has used, or one that a kill left in the middle of a reset, is reset.
	clear(r.card.Registers())
	r.restart()
	if v := r.reg.Read32(chip.LEDCTL); v != 0x05040100 {
		t.Errorf("LEDCTL = %#x in a new register file", v)
	}
	r.reg.Write32(chip.LEDCTL, 0)
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	r.restart()
	if !r.wait(chip.CTRL, chip.CtrlRST, 0) || r.reg.Read32(chip.LEDCTL) != 0x05040100 {
		t.Error("a reset under way is not taken up")
	}
}

// A kill between any two stores of a write-back must leave a state from which both sides go on.
func TestResumeReceiveAtEachStore(t *testing.T) {
	const w0, w1 = chip.RxPktIPv4, chip.RxDD | chip.RxEOP | 60<<chip.RxLenShift
	for stores := range 7 {
		for _, before := range []int{0, 5, 31} { // the head when the kill comes
			for _, consumed := range []bool{false, true} {
				if consumed && stores < 6 {
					continue
				}
				r := newRig(t, true)
				r.start()
				rx := r.rx(0, 32, 2, 0)
				for i := range before {
					r.port.push(frame(60, i))
					r.step(1)
					rx.take()
				}
				q := &r.card.rxq[0]
				p := q.head
				d := &asDescriptors(rx.ring.Bytes)[p]
				addr := d.lo
				copy(rx.bufs[p].Bytes, frame(60, before))
				for i, store := range []func(){
					func() { q.journal.addr = addr },
					func() { q.journal.lo = w0 },
					func() { q.journal.current = p },
					func() { d.lo = w0 },
					func() { q.journal.next = (p + 1) % q.size },
					func() { d.hi = w1 },
				} {
					if i < stores {
						store()
					}
				}
				if consumed {
					rx.take() // and posted again
				}
				r.restart()
				for i := before + 1; i < before+100; i++ {
					r.port.push(frame(60, i))
				}
				next := before + 1
				for range 20 {
					r.step(64)
					for _, g := range rx.take() {
						if bytes.Equal(g.data, frame(60, before)) {
							if stores < 6 {
								t.Errorf("%d stores: the frame arrived although DD was not written", stores)
							}
							continue
						}
						if !bytes.Equal(g.data, frame(60, next)) {
							t.Fatalf("%d stores at %d: %x, want frame %d", stores, before, g.data[:18], next)
						}
						next++
					}
				}
				if next != before+100 {
					t.Errorf("%d stores at %d, consumed %v: stuck before frame %d", stores, before, consumed, next)
				}
				r.clean()
			}
		}
	}
}

// A frame whose first descriptors were handed over gets an end that says it is bad.
func TestResumeWithinFrame(t *testing.T) {
	r := newRig(t, true)
	r.start()
	rx := r.rx(0, 32, 2, 0)
	q := &r.card.rxq[0]
	d := &asDescriptors(rx.ring.Bytes)[0]
	q.open(r.card, "test", false)
	q.writeBack(d, d.lo, 0, chip.RxDD|2048<<chip.RxLenShift, partial)
	r.restart()
	f := frame(60, 1)
	r.port.push(f)
	r.step(16)
	got := rx.take()
	if len(got) != 2 || got[0].w1&chip.RxRXE == 0 || got[0].descs != 2 || !bytes.Equal(got[1].data, f) || got[1].w1&chip.RxRXE != 0 {
		t.Fatalf("%d frames: %+v", len(got), got)
	}
	r.restart()
	r.port.push(f)
	r.step(16)
	if got = rx.take(); len(got) != 1 || !bytes.Equal(got[0].data, f) {
		t.Fatalf("%d frames afterwards", len(got))
	}
}

// A kill after sending and before the write-back must not leave the driver waiting.
func TestResumeSend(t *testing.T) {
	r := newRig(t, true)
	r.start()
	tx := r.tx(0, 32)
	for range 20 {
		tx.send(frame(60, 1))
	}
	tx.kick()
	q := &r.card.txq[0]
	r.port.take = 7
	r.step(16)
	// What complete does, and the first two stores of flush.
	store32(&q.journal.next, 12)
	ring := asDescriptors(tx.ring.Bytes)
	ring[7].hi, ring[8].hi = chip.TxDD, chip.TxDD
	r.port.take = -1
	// The driver has seen all of these and used their places for more.
	for range 21 {
		tx.send(frame(70, 1))
	}
	tx.kick()
	r.restart()
	for i := range 32 {
		if want := i >= 9 && i < 12; tx.done(i) != want {
			t.Errorf("DD of descriptor %d is %v", i, tx.done(i))
		}
	}
	r.port.out = nil
	r.step(64)
	if len(r.port.out) != 29 {
		t.Errorf("sent %d frames, want the 29 left", len(r.port.out))
	}
	r.clean()
}

// Damaged journals and rings come from a driver that writes what it likes.
func FuzzResume(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint32(5), uint32(6), uint64(7), uint32(1024))
	f.Add([]byte{255}, ^uint32(0), uint32(63), ^uint64(0), ^uint32(0))
	f.Fuzz(func(t *testing.T, ring []byte, next, current uint32, addr uint64, size uint32) {
		r := newRig(t, true)
		r.start()
		rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
		copy(rx.ring.Bytes, ring)
		copy(tx.ring.Bytes, ring)
		for _, j := range []*journal{r.card.rxq[0].journal, r.card.txq[0].journal} {
			j.next, j.current, j.addr = next, current, addr
		}
		r.reg.Write32(chip.RDLEN(0), size)
		r.reg.Write32(chip.TDT(0), uint32(addr))
		r.restart()
		r.port.in = append(r.port.in, wire.Frame{Data: frame(3000, 1)}, wire.Frame{Data: frame(60, 1)})
		for range 3 {
			r.step(16)
		}
	})
}

// A driver describes frames that are alike once: what it said holds for the card that goes on.
func TestResumeContexts(t *testing.T) {
	r := newRig(t, true)
	r.start()
	tx := r.tx(0, 32)
	f, mac, ip, l4 := stack(false, protoTCP, 500, true)
	tx.raw(contextOf(false, protoTCP, mac, ip, l4, 0))
	for range 3 {
		tx.add(f, txPlain|chip.TxPOPTSIXSM|chip.TxPOPTSTXSM|chip.TxDCMDEOP|chip.TxDCMDRS|1<<chip.TxIDXShift|pay(len(f)))
		tx.kick()
		r.step(16)
		r.restart()
	}
	if len(r.port.out) != 3 || !right(r.port.out[2], false) {
		t.Errorf("%d frames", len(r.port.out))
	}
	r.clean()
}
