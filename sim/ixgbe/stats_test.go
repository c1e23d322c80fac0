package ixgbe

import (
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestStatistics(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx, tx := r.rx(0, 64, 2, 0), r.tx(0, 64)
		r.reg.Set(chip.FCTRL, chip.FctrlMPE)
		sizes := []int{60, 61, 123, 124, 251, 252, 507, 508, 1019, 1020, 1514}
		var bytes uint32
		groups := [][]byte{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, {1, 0, 0x5E, 1, 1, 1}, {3, 0, 0, 0, 0, 1}}
		var frames [][]byte
		for i, n := range sizes {
			f := frame(n, i)
			if i < len(groups) {
				copy(f, groups[i])
			}
			frames = append(frames, f)
			bytes += uint32(n) + 4
			tx.send(f)
		}
		r.port.push(frames...)
		stray := frame(60, 0)
		stray[0] = 0x06
		r.port.push(stray)
		tx.kick()
		r.step(256)
		if n := len(rx.take()); n != len(sizes) {
			t.Fatalf("received %d frames", n)
		}
		want := map[uint32]uint32{
			chip.GPRC: 11, chip.GPTC: 11, chip.TPR: 12, chip.TPT: 11, chip.RXNFGPC: 12, chip.RXDGPC: 11, chip.TXDGPC: 11,
			chip.GORCL: bytes, chip.GOTCL: bytes, chip.TORL: bytes, chip.RXNFGBCL: bytes + 64,
			chip.BPRC: 1, chip.MPRC: 2, chip.BPTC: 1, chip.MPTC: 2,
			chip.PRC64: 1, chip.PRC127: 2, chip.PRC255: 2, chip.PRC511: 2, chip.PRC1023: 2, chip.PRC1522: 2,
			chip.PTC64: 1, chip.PTC127: 2, chip.PTC255: 2, chip.PTC511: 2, chip.PTC1023: 2, chip.PTC1522: 2,
			chip.QPRC(0): 11, chip.QBRC_L(0): bytes - 44, chip.QPTC(0): 11, chip.QBTC_L(0): bytes - 44,
			chip.QPRC(1): 0, chip.CRCERRS: 0, chip.MPC(0): 0,
		}
		for off, n := range want {
			if v := r.reg.Read32(off); v != n {
				t.Errorf("%s = %d, want %d", Event{Off: off}, v, n)
			}
		}
		// Hardware clears what was read; the wide ones when the high half is read. Polled, nothing clears.
		for off, n := range want {
			if !polled && off != chip.GORCL && off != chip.GOTCL && off != chip.TORL && off != chip.RXNFGBCL &&
				off != chip.QBRC_L(0) && off != chip.QBTC_L(0) {
				n = 0
			}
			if v := r.reg.Read32(off); v != n {
				t.Errorf("%s = %d at the second read, want %d", Event{Off: off}, v, n)
			}
		}
		r.reg.Read32(chip.GORCH)
		if v := r.reg.Read32(chip.GORCL); !polled && v != 0 {
			t.Errorf("GORCL = %d after GORCH was read", v)
		}
		r.clean()
		tot := r.card.Totals()
		if tot.RxHost != 11 || tot.RxFiltered != 1 || tot.TxSent != 11 || tot.RxBytes != uint64(bytes)-44 {
			t.Errorf("%+v", tot)
		}
	})
}

func TestWideCounters(t *testing.T) {
	r := newRig(t, false)
	s := &r.card.stats
	s.n[statGORC] = 3<<32 + 5
	s.n[statGPRC] = 1<<32 + 9
	if v := r.reg.Read32(chip.GPRC); v != ^uint32(0) {
		t.Errorf("GPRC = %#x, does not stick at its largest value", v)
	}
	if v := r.reg.Read32(chip.GORCL); v != 5 {
		t.Errorf("GORCL = %#x", v)
	}
	s.n[statGORC] += 1 << 32 // between the two reads
	if v := r.reg.Read32(chip.GORCH); v != 3 {
		t.Errorf("GORCH = %#x", v)
	}
	if l, h := r.reg.Read32(chip.GORCL), r.reg.Read32(chip.GORCH); l != 0 || h != 1 {
		t.Errorf("GORC = %#x:%#x, lost what came between the reads", h, l)
	}
	s.publish(r.card)
	if l, h := r.card.get(chip.GORCL), r.card.get(chip.GORCH); l != 5 || h != 4 {
		t.Errorf("published %#x:%#x", h, l)
	}
	r.reg.Write32(chip.CTRL, chip.CtrlRST)
	if s.n[statGORC] != 0 {
		t.Error("counters survive a reset")
	}
}
