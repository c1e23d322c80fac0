package e1000_test

import (
	"math/rand/v2"
	"testing"

	facts "glassnic/chip/e1000"
	"glassnic/nic"
)

// Counters clear when read; what they had is added up, beyond their own width.
func TestStatsAddUp(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		r := open(t, c, small)
		rnd := rand.New(rand.NewPCG(1, 2))
		var packets, octets, missed uint64
		for range 200 {
			p, o, m := rnd.Uint32(), rnd.Uint64()>>10, rnd.Uint32()
			c.regs[facts.GPRC], c.regs[facts.GPTC], c.regs[facts.MPC] = p, p, m
			for _, low := range []uint32{facts.GORCL, facts.GOTCL} {
				c.regs[low], c.regs[low+4] = uint32(o), uint32(o>>32)
			}
			packets, octets, missed = packets+uint64(p), octets+o, missed+uint64(m)
			s := r.stats()
			if want := octets - min(octets, 4*packets); s.RxPackets != packets || s.TxPackets != packets || s.RxBytes != want || s.TxBytes != want || s.RxMissed != missed {
				t.Fatalf("%s, want %d packets, %d bytes, %d missed", brief(s), packets, want, missed)
			}
		}
		if packets>>32 == 0 || octets>>60 == 0 || missed>>32 == 0 {
			t.Error("nothing has grown beyond its register")
		}
		// All clear again, so that nothing is counted twice.
		if s := r.stats(); s.RxPackets != packets {
			t.Errorf("%d packets, want %d", s.RxPackets, packets)
		}
	})
}

// What was counted before Open does not count.
func TestStatsStartAtZero(t *testing.T) {
	c := newCard(0x10d3)
	c.onAccess = func(e event) {
		if e.off == facts.RAL(0) { // after the reset
			c.regs[facts.GPRC], c.regs[facts.MPC], c.regs[facts.GORCH] = 5, 6, 7
		}
	}
	if s := open(t, c, small).stats(); s.RxPackets != 0 || s.RxMissed != 0 || s.RxBytes != 0 {
		t.Error(brief(s))
	}
}

func TestStatsErrors(t *testing.T) {
	c := newCard(0x10c9)
	r := open(t, c, nic.Config{RxQueues: 6, RxRing: 64, TxRing: 64})
	for i, off := range []uint32{facts.CRCERRS, facts.ALGNERRC, facts.RUC, facts.RFC, facts.ROC, facts.RJC} {
		c.regs[off] = 1 << i
	}
	c.regs[facts.RXERRC], c.regs[facts.RLEC] = 1000, 1000 // counted by the others, too
	c.regs[facts.GPRC], c.regs[facts.GORCL] = 100, 6400
	c.regs[facts.RQDPC(0)], c.regs[facts.RQDPC(5)] = 10, 20
	c.regs[facts.MPC] = 3
	s := r.stats()
	if s.RxErrors != 63 || s.RxMissed != 33 || s.RxPackets != 70 || s.RxBytes != 6000 {
		t.Error(brief(s))
	}
	byName := map[string]uint64{}
	for _, k := range s.Counters {
		if _, twice := byName[k.Name]; twice || k.Doc == "" {
			t.Errorf("counter %q twice, or without a description %q", k.Name, k.Doc)
		}
		byName[k.Name] = k.Value
	}
	for name, want := range map[string]uint64{"CRCERRS": 1, "RJC": 32, "GPRC": 100, "GORCL": 6400, "RQDPC[0]": 10, "RQDPC[5]": 20, "RQDPC[15]": 0, "RXERRC": 1000, "RPTHC": 0, "HGORCL": 0} {
		if v, ok := byName[name]; !ok || v != want {
			t.Errorf("%s is %d (exists: %v), want %d", name, v, ok, want)
		}
	}
	// The halves of a counter are one.
	for _, name := range []string{"GORCH", "GOTCH", "TORH", "TOTH", "HGORCH", "HGOTCH", "ICRXPTC"} {
		if _, ok := byName[name]; ok {
			t.Errorf("%s is a counter", name)
		}
	}
}
