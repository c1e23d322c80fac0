package ixgbe

import (
	"bytes"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestLies(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		fresh := func(f Faults) (*rig, *rxRing) {
			r := newRig(t, polled)
			r.start()
			rx := r.rx(0, 32, 2, 0)
			r.card.Inject(f)
			r.port.push(frame(100, 1))
			r.step(16)
			return r, rx
		}
		r, rx := fresh(LieRxLength)
		if _, w1 := rx.words(0); chip.RxLen(w1) <= 2048 || w1&chip.RxDD == 0 {
			t.Errorf("LieRxLength: %#x", w1)
		}
		r.clean()
		r, rx = fresh(LieRxUnposted)
		if _, w1 := rx.words(31); w1&chip.RxDD == 0 {
			t.Errorf("LieRxUnposted: %#x", w1)
		}
		r.clean()
		r, rx = fresh(LieRxEarly)
		if _, w1 := rx.words(0); w1&chip.RxDD == 0 || bytes.Equal(rx.bufs[0].Bytes[:100], frame(100, 1)) {
			t.Errorf("LieRxEarly: %#x", w1)
		}
		r.clean()
		r, rx = fresh(LieRxNoEOP)
		if _, w1 := rx.words(0); w1&(chip.RxDD|chip.RxEOP) != chip.RxDD {
			t.Errorf("LieRxNoEOP: %#x", w1)
		}
		r.clean()
		r, _ = fresh(LieTxEarly)
		tx := r.tx(0, 32)
		r.port.take = 0
		tx.send(frame(60, 1))
		tx.kick()
		r.step(16)
		if !tx.done(0) || len(r.port.out) != 0 {
			t.Error("LieTxEarly: no DD before the frame is sent")
		}
		r.port.take = -1
		r.card.Heal(LieTxEarly)
		r.step(16)
		if len(r.port.out) != 1 {
			t.Error("LieTxEarly loses the frame")
		}
	})
}
