package ixgbe_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"testing"

	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// Counters that clear when read are added up, however often somebody looks.
func TestStatsAddUp(t *testing.T) {
	r := open(t, nic.Config{})
	var packets, octets uint64
	for round := range 30 {
		for i := range round {
			n := 60 + (i*31+round)%1400
			r.wire.put(frame(n, byte(i)))
			octets += uint64(n)
			packets++
		}
		r.step()
		for _, f := range r.receive() {
			r.send(f, 700)
		}
		r.step()
		for range round % 3 {
			s := r.stats()
			if s.RxPackets != packets || s.RxBytes != octets || s.TxPackets != packets || s.TxBytes != octets {
				t.Fatalf("round %d: %d/%d packets, %d/%d bytes, want %d, %d", round, s.RxPackets, s.TxPackets, s.RxBytes, s.TxBytes, packets, octets)
			}
		}
	}
	if r.counter("GPRC") != packets || r.counter("GORCL") < octets || r.counter("TPT") != packets {
		t.Errorf("GPRC %d, GORCL %d, TPT %d", r.counter("GPRC"), r.counter("GORCL"), r.counter("TPT"))
	}
}

// What was counted before the port was opened is nobody's.
func TestStatsBegin(t *testing.T) {
	b := newBlank()
	for i := range queueSets {
		b.set(facts.QPRC(i), 1000)
		b.set(facts.QBRC_H(i), 15)
	}
	b.set(facts.GPTC, 5)
	b.set(facts.GOTCH, 15)
	b.set(facts.GOTCL, ^uint32(0))
	d, err := ixgbe.Prepare(b, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s, err := d.Stats()
	if err != nil || s.RxPackets|s.RxBytes|s.TxPackets|s.TxBytes != 0 {
		t.Errorf("at the begin: %s, %v", brief(s), err)
	}
	b.set(facts.GOTCH, 0)
	b.set(facts.GOTCL, 99)
	b.set(facts.GPTC, 6)
	if s, err := d.Stats(); err != nil || s.TxPackets != 1 || s.TxBytes != 100-4 {
		t.Errorf("after one frame: %s, %v", brief(s), err)
	}
}

const queueSets = 16

// Counters that run on, as a polled model's do, are differences: over 32 and 36 bits, and far beyond.
func TestStatsWrap(t *testing.T) {
	b := newBlank()
	d, err := ixgbe.Prepare(b, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	rnd := rand.New(rand.NewPCG(3, 4))
	var packets, octets uint64
	for round := range 300 {
		packets += rnd.Uint64N(1 << 31)
		octets += rnd.Uint64N(1 << 35)
		b.set(facts.QPRC(3), uint32(packets))
		b.set(facts.QBRC_L(3), uint32(octets))
		b.set(facts.QBRC_H(3), uint32(octets>>32)&15)
		b.set(facts.GPTC, uint32(packets))
		b.set(facts.GOTCL, uint32(octets))
		// The upper bits of a half are reserved.
		b.set(facts.GOTCH, uint32(octets>>32)|0xffffff0)
		s, err := d.Stats()
		if err != nil {
			t.Fatal(err)
		}
		tx := octets - min(octets, 4*packets)
		if s.RxPackets != packets || s.RxBytes != octets || s.TxPackets != packets || s.TxBytes != tx {
			t.Fatalf("round %d: %d/%d packets, %d/%d bytes, want %d, %d/%d", round, s.RxPackets, s.TxPackets, s.RxBytes, s.TxBytes, packets, octets, tx)
		}
	}
	if octets>>40 == 0 || packets>>36 == 0 {
		t.Error("nothing has wrapped")
	}
}

// A model stores the halves of a counter one after the other. Whoever looks between sees neither a jump
// nor a step back, and nothing is lost.
func TestStatsHalves(t *testing.T) {
	b := newBlank()
	d, err := ixgbe.Prepare(b, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	bytes := func() uint64 {
		s, err := d.Stats()
		if err != nil {
			t.Fatal(err)
		}
		return s.RxBytes
	}
	b.set(facts.QBRC_L(0), 0xffff_fff0)
	if n := bytes(); n != 0xffff_fff0 {
		t.Fatalf("%#x", n)
	}
	b.set(facts.QBRC_L(0), 0x10) // the upper half is still to come
	if n := bytes(); n != 0xffff_fff0 {
		t.Errorf("between the halves: %#x, want what it was", n)
	}
	b.set(facts.QBRC_H(0), 1)
	if n := bytes(); n != 0x1_0000_0010 {
		t.Errorf("after both: %#x", n)
	}

	// The model is never more than 8 GiB ahead of who looks.
	const first, last = 0x1_0000_0010, 1 << 39
	var real, seen atomic.Uint64
	seen.Store(first)
	go func() {
		for v := uint64(first); v < last; {
			if v-seen.Load() > 8<<30 {
				runtime.Gosched()
				continue
			}
			v += 1<<30 + 12345
			real.Store(v) // before it shows
			b.set(facts.QBRC_L(0), uint32(v))
			b.set(facts.QBRC_H(0), uint32(v>>32)&15)
		}
	}()
	eventually(t, "all bytes to be counted", func() bool {
		n := bytes()
		if most := real.Load(); n < seen.Load() || n > max(most, first) {
			t.Fatalf("%#x after %#x, and the truth is %#x at most", n, seen.Load(), most)
		}
		seen.Store(n)
		return n == real.Load() && n >= last
	})
}

// Each queue has a set of counters of its own, those beyond the sixteenth share the last.
func TestStatsByQueue(t *testing.T) {
	r := open(t, nic.Config{TxQueues: 20, TxRing: 64, RxRing: 64})
	for q := range 20 {
		for i := range q + 1 {
			b := r.buf(frame(100, byte(i)), 100)
			if r.dev.TxQueue(q).Send([]*packet.Buf{b}) != 1 {
				t.Fatalf("queue %d is full", q)
			}
		}
	}
	r.step()
	for q := range 16 {
		want := uint64(q + 1)
		if q == 15 {
			want = 16 + 17 + 18 + 19 + 20
		}
		if got := r.counter(fmt.Sprintf("QPTC[%d]", q)); got != want {
			t.Errorf("queue %d: %d frames, want %d", q, got, want)
		}
	}
	if s := r.stats(); s.TxPackets != 210 {
		t.Errorf("%d frames in all, want 210", s.TxPackets)
	}
}

// Every counter has the datasheet's name, once, and says what it counts.
func TestStatsNames(t *testing.T) {
	r := open(t, nic.Config{})
	seen := map[string]bool{}
	for _, c := range r.stats().Counters {
		if seen[c.Name] || c.Doc == "" {
			t.Errorf("counter %q twice, or without a description %q", c.Name, c.Doc)
		}
		seen[c.Name] = true
	}
	for _, name := range []string{
		"CRCERRS", "ILLERRC", "ERRBC", "RXMPC[0]", "RXMPC[7]", "MLFC", "MRFC", "RLEC", "LXONTXC", "PXOFFRXCNT[7]", "PRC64", "PRC1522",
		"BPRC", "MPRC", "GPRC", "GORCL", "GPTC", "GOTCL", "RUC", "RFC", "ROC", "RJC", "TORL", "TPR", "TPT", "PTC64", "PTC1522", "MPTC",
		"BPTC", "MSPDC", "XEC", "QPRC[0]", "QPRC[15]", "QPRDC[15]", "QBRC_L[15]", "QPTC[15]", "QBTC_L[15]",
	} {
		if !seen[name] {
			t.Errorf("no counter %s", name)
		}
	}
	// The halves of a counter are one.
	for _, name := range []string{"GORCH", "GOTCH", "TORH", "QBRC_H[0]", "QBTC_H[15]"} {
		if seen[name] {
			t.Errorf("%s is a counter by itself", name)
		}
	}
}
