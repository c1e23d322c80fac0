package ixgbe

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	chip "glassnic/chip/ixgbe"
)

// A driver that never moves the tail gets what the ring has room for, complete, and the rest waits or is dropped.
func TestCoalesceWithoutDescriptors(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, drop := range []uint32{0, chip.SrrctlDropEN} {
			r := newCoalescer(t, polled, 8, 1, chip.RscctlMAXDESC4)
			r.card.lossy = true
			r.reg.Set(chip.SRRCTL(0), drop)
			r.step(0)
			frames := run(1, 0, 900, 40)
			r.port.push(frames...)
			for range 5 {
				r.step(64)
			}
			packets := 0
			for at := range 7 {
				w0, w1 := r.rx.words(at)
				if w1&chip.RxDD == 0 {
					t.Fatalf("descriptor %d of 7 is not done", at)
				}
				packets += int(w0&chip.RxRSCCntMask>>chip.RxRSCCntShift) - 1
			}
			if n := r.card.Totals(); n.RxHost != uint64(packets) || (n.RxNoDescriptor > 0) != (drop != 0) {
				t.Errorf("%d packets, %+v", packets, n)
			}
			if len(r.card.rsc.open) != 0 {
				t.Error("a coalescing holds on to a full ring")
			}
			r.clean()
		}
	})
}

// A coalescing does not go on beyond the tail.
func TestCoalesceTail(t *testing.T) {
	r := newCoalescer(t, false, 8, 1, chip.RscctlMAXDESC16)
	frames := run(1, 0, 3000, 3) // of three descriptors each, of 7
	r.port.push(frames...)
	r.step(64)
	if head := r.reg.Read32(chip.RDH(0)); head > 7 {
		t.Errorf("RDH is %d", head)
	}
	got := r.ripe()
	if len(got) != 1 {
		t.Fatalf("%d frames", len(got))
	}
	got[0].whole(t, "before the tail", frames[:2])
	r.step(64)
	if got = r.ripe(); len(got) != 1 {
		t.Fatalf("%d frames afterwards", len(got))
	}
	got[0].whole(t, "afterwards", frames[2:])
	r.clean()
}

// A ring that is taken away or set up anew is not written to any more.
func TestCoalesceRingGone(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for what, gone := range map[string]func(r *coalescer){
			"off":       func(r *coalescer) { r.reg.Clear(chip.RXDCTL(0), chip.RxdctlENABLE) },
			"head":      func(r *coalescer) { r.reg.Write32(chip.RDLEN(0), 8*16) },
			"elsewhere": func(r *coalescer) { r.reg.Write32(chip.RDBAL(0), uint32(r.alloc(64*16).IOVA)) },
			"reset":     func(r *coalescer) { r.reg.Write32(chip.CTRL, chip.CtrlRST) },
			"master":    func(r *coalescer) { r.card.SetBusMaster(false) },
			"master, and a reason to complete": func(r *coalescer) {
				r.card.SetBusMaster(false)
				r.step(0)
				r.reg.Write32(chip.RSCCTL(0), 0)
			},
		} {
			r := newCoalescer(t, polled, 64, 2, chip.RscctlMAXDESC4)
			r.port.push(run(1, 0, 900, 3)...)
			r.step(16)
			gone(r)
			before := bytes.Clone(r.rx.ring.Bytes)
			r.now += time.Millisecond
			r.step(16)
			r.now += time.Millisecond
			r.step(16)
			if !bytes.Equal(before, r.rx.ring.Bytes) {
				t.Errorf("%s: the ring was written to", what)
			}
		}
	})
}

// Buffers that the card may not write to stop the queue, and that is counted.
func TestCoalesceFault(t *testing.T) {
	for _, at := range []int{0, 1} { // which buffer
		r := newCoalescer(t, false, 64, 1, chip.RscctlMAXDESC4)
		binary.LittleEndian.PutUint64(r.rx.ring.Bytes[at*16:], 1<<40)
		r.port.push(run(1, 0, 900, 3)...)
		for range 3 {
			r.step(16)
			r.now += time.Millisecond
		}
		if n := r.card.Totals(); n.RxFault != 1 || r.space.Count() == 0 || len(r.card.rsc.open) != 0 {
			t.Errorf("buffer %d: %+v", at, n)
		}
	}
}

// What a killed card had gathered ends, said to be bad, and all goes on; descriptors that the driver has posted again are
// not touched.
func TestCoalesceResume(t *testing.T) {
	r := newCoalescer(t, true, 32, 1, chip.RscctlMAXDESC8)
	for round := range 20 {
		a, b := run(1, 0, 900, 3), run(2, 0, 900, 3)
		for i := range a {
			r.port.push(a[i], b[i], udp(frame(60, i)))
		}
		r.step(16)
		r.boot(Config{
			Name: "test", Memory: r.space, Wire: r.port, Regs: r.card.Registers(), Resume: true,
			Clock: func() time.Duration { return r.now },
		})
		bad, alone := 0, 0
		for _, g := range r.take() {
			switch {
			case g.w1&chip.RxRXE != 0:
				bad++
			case g.alone:
				alone++
			}
		}
		if bad != 2 || alone != 3 {
			t.Fatalf("round %d: %d bad, %d by themselves", round, bad, alone)
		}
		r.port.push(a...)
		r.step(16)
		got := r.ripe()
		if len(got) != 1 {
			t.Fatalf("round %d: %d frames afterwards", round, len(got))
		}
		got[0].whole(t, "afterwards", a)
	}
	r.clean()
}

// The descriptor at the tail is the driver's, although it has filled it.
func TestCoalesceResumeAtTail(t *testing.T) {
	r := newCoalescer(t, true, 32, 1, chip.RscctlMAXDESC8)
	r.port.push(run(1, 0, 900, 5)...)
	r.step(16)
	r.ripe()
	tail := r.rx.tail
	r.card.rxq[0].journal.open = uint32(tail) // as a kill before that was brought up to date leaves it
	r.boot(Config{
		Name: "test", Memory: r.space, Wire: r.port, Regs: r.card.Registers(), Resume: true,
		Clock: func() time.Duration { return r.now },
	})
	if d := asDescriptors(r.rx.ring.Bytes)[tail]; d.lo != r.rx.bufs[tail].IOVA || d.hi != 0 {
		t.Errorf("descriptor %#x", d)
	}
}

// A driver may set what it likes at any time, and the wire bring any segments.
func FuzzCoalesce(f *testing.F) {
	f.Add(false, []byte{0, 1, 2, 3, 9, 40, 80, 120, 160, 200, 240})
	f.Add(true, []byte{7, 7, 7, 7, 1, 255, 3, 3, 3, 9, 13, 26, 39})
	f.Fuzz(func(t *testing.T, polled bool, input []byte) {
		r := newCoalescer(t, polled, 16, 1, chip.RscctlMAXDESC8)
		sequence := [4]uint32{}
		for i := 0; i+1 < len(input) && i < 400; i += 2 {
			v := input[i+1]
			switch input[i] % 8 {
			case 0, 1, 2, 3:
				c := v & 3
				s := tcp{port: int(c), sequence: sequence[c], payload: int(v) * 37 % 3000, flags: v >> 3 & 9, stamp: uint32(v & 4)}
				if sequence[c] += uint32(s.payload); v&0x1f == 0x1f {
					sequence[c] -= 3
				}
				r.port.push(s.frame())
			case 4:
				r.step(int(v))
				r.now += time.Duration(v) * time.Microsecond
			case 5:
				r.reg.Write32(chip.RDT(0), uint32(v)&31)
			case 6:
				switch v & 7 {
				case 0:
					r.reg.Write32(chip.RSCCTL(0), uint32(v>>3))
				case 1:
					r.reg.Write32(chip.SRRCTL(0), uint32(v>>3)|chip.SrrctlDESCTYPEAdvOneBuf|2<<chip.SrrctlBSIZEHEADERShift)
				case 2:
					r.reg.Write32(chip.RDLEN(0), uint32(v>>3)*128)
				case 3:
					r.reg.Write32(chip.RXDCTL(0), uint32(v>>3&1)*chip.RxdctlENABLE)
				case 4:
					r.reg.Write32(chip.EITR(0), uint32(v))
				case 5:
					r.reg.Write32(chip.CTRL, uint32(v>>7)*chip.CtrlRST)
				case 6:
					r.reg.Write32(chip.RDH(0), uint32(v>>3))
				case 7:
					binary.LittleEndian.PutUint64(r.rx.ring.Bytes[v>>3&15*16:], uint64(v)<<12)
				}
			case 7:
				binary.LittleEndian.PutUint64(r.rx.ring.Bytes[int(v>>4)*16+8:], 0)
			}
		}
		for range 4 {
			r.step(256)
			r.now += time.Millisecond
		}
		if n := r.card.Totals(); n.RxFrames != n.RxHost+n.RxFiltered+n.RxBadCRC+n.RxShort+n.RxLong+n.RxMissed+n.RxNoDescriptor+n.RxDisabled+n.RxFault {
			t.Fatalf("the account does not add up: %+v", n)
		}
		if len(r.card.rsc.open) > rscContexts {
			t.Fatal("contexts")
		}
	})
}
