package ixgbe

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func pay(n int) uint64 { return uint64(n) << chip.TxPaylenShift }

func TestSendGathers(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		tx := r.tx(0, 64)
		var want [][]byte
		for round := range 20 {
			f := frame(9000, round)
			want = append(want, f)
			cut := []int{0, 14, 15, 2000, 8999, 9000}
			for i := range cut[1:] {
				w := uint64(txPlain) | pay(9000)
				if i == len(cut)-2 {
					w |= chip.TxDCMDEOP | chip.TxDCMDRS
				}
				tx.add(f[cut[i]:cut[i+1]], w)
			}
			last := (tx.tail + 63) % 64
			if round%3 == 0 { // without the end, nothing may happen
				end := tx.tail
				tx.tail = last
				tx.kick()
				r.step(16)
				if len(r.port.out) != len(want)-1 {
					t.Fatal("a frame was sent before its last descriptor")
				}
				tx.tail = end
			}
			tx.kick()
			r.step(16)
			if !tx.done(last) || tx.done((last+63)%64) {
				t.Fatalf("round %d: DD is not on the descriptor with RS alone", round)
			}
			if h := int(r.reg.Read32(chip.TDH(0))); h != tx.tail {
				t.Fatalf("round %d: TDH = %d, want %d", round, h, tx.tail)
			}
		}
		for i := range want {
			if i >= len(r.port.out) || !bytes.Equal(r.port.out[i], want[i]) {
				t.Fatalf("frame %d is not as queued", i)
			}
		}
		r.clean()
	})
}

func TestSendBackPressure(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		tx := r.tx(0, 64)
		r.port.take = 3
		for i := range 50 {
			if i%5 == 4 {
				tx.add(frame(100, i)[:50], txPlain|pay(100))
				tx.add(frame(100, i)[50:], txPlain|pay(100)|chip.TxDCMDEOP|chip.TxDCMDRS)
				continue
			}
			tx.send(frame(100, i))
		}
		tx.kick()
		for sent := 0; sent < 50; {
			r.step(256)
			if got := len(r.port.out); got != min(sent+3, 50) {
				t.Fatalf("sent %d frames after %d, want three more", got, sent)
			}
			sent = len(r.port.out)
			for i := range 50 {
				d := i + (i+1)/5 // descriptor with RS of frame i
				if tx.done(d) != (i < sent) {
					t.Fatalf("%d frames sent: DD of frame %d is %v", sent, i, tx.done(d))
				}
			}
		}
		for i, f := range r.port.out {
			if !bytes.Equal(f, frame(100, i)) {
				t.Fatalf("frame %d is not as queued", i)
			}
		}
		r.clean()
	})
}

func TestSendOdd(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		tx := r.tx(0, 64)
		withCRC := func(bad uint32) []byte {
			f := frame(80, 1)
			return binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(f)^bad)
		}
		eop := uint64(txPlain | chip.TxDCMDEOP)
		for _, c := range []struct {
			what  string
			data  []byte
			word  uint64
			out   int // length, 0 for none
			count func(Totals) uint64
		}{
			{"padded", frame(20, 1), eop | pay(20), 60, nil},
			{"context", nil, chip.TxDTYPContext | chip.TxDCMDDEXT, 0, nil},
			{"legacy", frame(60, 1), chip.TxDCMDEOP | chip.TxDCMDIFCS, 0, func(t Totals) uint64 { return t.TxUnsupported }},
			{"segmentation without a context", frame(60, 1), eop | chip.TxDCMDTSE | pay(60), 0, func(t Totals) uint64 { return t.TxMalformed }},
			{"wrong PAYLEN", frame(60, 1), eop | pay(61), 0, func(t Totals) uint64 { return t.TxMalformed }},
			{"too short", frame(13, 1), eop | pay(13), 0, func(t Totals) uint64 { return t.TxMalformed }},
			{"empty", nil, eop, 0, func(t Totals) uint64 { return t.TxMalformed }},
			{"unknown type", frame(60, 1), 5<<20 | chip.TxDCMDDEXT | chip.TxDCMDEOP | pay(60), 0, func(t Totals) uint64 { return t.TxMalformed }},
			{"own CRC", withCRC(0), eop&^chip.TxDCMDIFCS | pay(84), 80, nil},
			{"plain", frame(60, 1), eop | pay(60), 60, nil},
		} {
			before := r.card.Totals()
			out := len(r.port.out)
			at := tx.tail
			tx.add(c.data, c.word|chip.TxDCMDRS)
			tx.send(frame(70, 1)) // one behind it must go on in any case
			tx.kick()
			r.step(16)
			r.step(16)
			if !tx.done(at) {
				t.Errorf("%s: no DD", c.what)
			}
			got := r.port.out[out:]
			want := 1
			if c.out > 0 {
				want = 2
			}
			if len(got) != want || len(got[want-1]) != 70 || c.out > 0 && len(got[0]) != c.out {
				t.Errorf("%s: sent %d frames: %x", c.what, len(got), got)
				continue
			}
			if c.count != nil && c.count(r.card.Totals())-c.count(before) != 1 {
				t.Errorf("%s: not counted once: %+v", c.what, r.card.Totals())
			}
		}
		tx.add(withCRC(1), uint64(txPlain|chip.TxDCMDEOP)&^chip.TxDCMDIFCS|pay(84))
		tx.kick()
		r.step(16)
		if r.port.bad != 1 {
			t.Errorf("%d frames with a wrong CRC, want 1", r.port.bad)
		}
		r.clean()
	})
}

func TestSendNeverEnds(t *testing.T) {
	r := newRig(t, false)
	r.start()
	tx := r.tx(0, 128)
	for range 100 {
		tx.add(frame(100, 1), txPlain|pay(100))
	}
	tx.kick()
	for range 10 {
		r.step(16)
	}
	if n := r.card.Totals().TxMalformed; n != 2 || len(r.port.out) != 0 {
		t.Errorf("dropped %d, sent %d", n, len(r.port.out))
	}
	r.clean()
}

// WTHRESH (7.2.3.5): nothing is written back before so many descriptors, but for a ring that ran dry.
func TestWriteBackThreshold(t *testing.T) {
	r := newRig(t, false)
	r.start()
	tx := r.tx(0, 64)
	r.reg.Write32(chip.TXDCTL(0), chip.TxdctlENABLE|16<<chip.TxdctlWTHRESHShift)
	for i := range 40 {
		tx.send(frame(60, i))
	}
	tx.kick()
	for _, c := range []struct{ sent, done int }{{10, 0}, {20, 20}, {30, 20}, {40, 40}} {
		r.step(10)
		n := 0
		for n < 40 && tx.done(n) {
			n++
		}
		if len(r.port.out) != c.sent || n != c.done {
			t.Errorf("sent %d with %d written back, want %d and %d", len(r.port.out), n, c.sent, c.done)
		}
	}
}

func TestTailOutOfRange(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx, tx := r.rx(0, 32, 2, 0), r.tx(0, 32)
		r.reg.Write32(chip.RDT(0), 32)
		r.reg.Write32(chip.TDT(0), 0xFFFF)
		r.port.push(frame(60, 1))
		r.step(16)
		if len(rx.take()) != 0 || len(r.port.out) != 0 {
			t.Error("the card uses descriptors outside the ring")
		}
		rx.bump(31)
		tx.send(frame(60, 1))
		tx.kick()
		r.step(16)
		if len(rx.take()) != 1 || len(r.port.out) != 1 {
			t.Error("the card does not go on")
		}
		r.clean()
	})
}

func TestReportStatus(t *testing.T) {
	r := newRig(t, false)
	r.start()
	tx := r.tx(0, 64)
	for i := range 40 {
		w := uint64(txPlain | chip.TxDCMDEOP | pay(60))
		if i%8 == 7 {
			w |= chip.TxDCMDRS
		}
		tx.add(frame(60, i), w)
	}
	tx.kick()
	r.step(64)
	for i := range 40 {
		if tx.done(i) != (i%8 == 7) {
			t.Errorf("DD of descriptor %d is %v", i, tx.done(i))
		}
	}
}
