package e1000_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"glassnic/bus/dma"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/iommu"
)

func TestSettingsRefused(t *testing.T) {
	foreign, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 2048})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	for _, c := range []struct {
		device uint16
		cfg    nic.Config
		want   []string // of the error
	}{
		{0x10d3, nic.Config{RxRing: 56}, []string{"receive ring of 56", "64 to 4096"}},
		{0x10d3, nic.Config{RxRing: 4104}, []string{"receive ring of 4104", "64 to 4096"}},
		{0x10c9, nic.Config{RxRing: 100}, []string{"receive ring of 100", "multiple of 8"}},
		{0x10c9, nic.Config{TxRing: 65}, []string{"transmit ring of 65", "multiple of 8"}},
		{0x100e, nic.Config{RxQueues: 2}, []string{"2 receive", "at most 1 each on an 8254x"}},
		{0x10d3, nic.Config{TxQueues: 2}, []string{"2 transmit", "at most 1 each on an 82574"}},
		{0x10c9, nic.Config{RxQueues: 17}, []string{"17 receive", "at most 16 each on an 82576"}},
		{0x1521, nic.Config{RxQueues: 9}, []string{"9 receive", "at most 8 each on an I350"}},
		{0x1539, nic.Config{TxQueues: 3}, []string{"3 transmit", "at most 2 each on an I211"}},
		{0x10d3, nic.Config{MTU: 9217}, []string{"MTU 9217", "at most 9216 on an 82574"}},
		{0x10c9, nic.Config{MTU: 9711}, []string{"MTU 9711", "at most 9710 on an 82576"}},
		{0x10c9, nic.Config{RxThresholds: &nic.Thresholds{Prefetch: 32}}, []string{"receive thresholds", "Prefetch:32", "0 to 31"}},
		{0x10c9, nic.Config{RxThresholds: &nic.Thresholds{WriteBack: 2}}, []string{"receive thresholds", "WriteBack:2", "at most 1"}},
		{0x10c9, nic.Config{TxThresholds: &nic.Thresholds{Host: -1}}, []string{"transmit thresholds", "Host:-1"}},
		{0x10d3, nic.Config{TxThresholds: &nic.Thresholds{WriteBack: 1}}, []string{"transmit thresholds", "WriteBack:1", "at most 0"}},
		{0x10d3, nic.Config{ReportEvery: 33, TxRing: 64}, []string{"every 33", "at most half"}},
		{0x10d3, nic.Config{Room: 1000}, []string{"1000 bytes", "1024"}},
		{0x10d3, nic.Config{Buffers: 256}, []string{"pool of 256", "fill", "larger"}},
		{0x10d3, nic.Config{Pool: foreign}, []string{"memory", "not reach"}},
	} {
		err := refused(t, context.Background(), newCard(c.device), c.cfg)
		for _, w := range append(c.want, "e1000 test:card: ") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q lacks %q", err, w)
			}
		}
	}
}

// The limits themselves work, and traffic passes.
func TestSettingsAtTheLimits(t *testing.T) {
	for _, c := range []struct {
		device uint16
		cfg    nic.Config
	}{
		{0x10d3, nic.Config{RxRing: 64, TxRing: 64}},
		{0x10d3, nic.Config{RxRing: 4096, TxRing: 4096}},
		{0x10c9, nic.Config{RxRing: 72, TxRing: 88, ReportEvery: 44}},
		{0x10c9, nic.Config{RxQueues: 16, TxQueues: 16, RxRing: 64, TxRing: 64}},
		{0x100e, nic.Config{MTU: 68}},
		{0x100e, nic.Config{MTU: 16000}},
		{0x10d3, nic.Config{MTU: 9216}},
		{0x10c9, nic.Config{MTU: 9710}},
		{0x10d3, nic.Config{Room: 1024}},
		{0x10c9, nic.Config{Room: packet.MaxRoom, RxRing: 64, Buffers: 64 + 256}},
		{0x10d3, nic.Config{RxThresholds: &nic.Thresholds{}, TxThresholds: &nic.Thresholds{}}},
		{0x10c9, nic.Config{RxThresholds: &nic.Thresholds{Prefetch: 31, Host: 31, WriteBack: 1}, TxThresholds: &nic.Thresholds{Prefetch: 31, Host: 31}}},
	} {
		t.Run(fmt.Sprintf("%04x %+v", c.device, c.cfg), func(t *testing.T) {
			card := newCard(c.device)
			r := open(t, card, c.cfg)
			last := max(c.cfg.TxQueues, 1) - 1
			var want [][]byte
			for i := range 300 {
				f := frame(60+i%23, byte(i))
				r.put(f)
				r.step()
				batch := make([]*packet.Buf, 2)
				if n := r.dev.RxQueue(0).Receive(batch); n != 1 {
					t.Fatalf("%d frames received", n)
				}
				if n := r.dev.TxQueue(last).Send(batch[:1]); n != 1 {
					t.Fatalf("%d frames sent", n)
				}
				r.step()
				want = append(want, f)
			}
			same(t, "echoed", card.out, want)
		})
	}
}

// A card whose memory lies above 4 GiB gets the upper halves of addresses.
func TestHighAddresses(t *testing.T) {
	forFamilies(t, func(t *testing.T, c *card) {
		c.space = iommu.NewAbove(5 << 32)
		r := open(t, c, small)
		f := frame(60, 1)
		r.put(f)
		r.step()
		same(t, "received", r.receive(0, 4), [][]byte{f})
		r.send(0, f, 60)
		r.step()
		same(t, "sent", c.out, [][]byte{f})
	})
}

// limited is an allocator that gives so many times.
type limited struct {
	*iommu.Space
	left int
}

func (s *limited) Alloc(size, align int) (dma.Memory, error) {
	if s.left--; s.left < 0 {
		return dma.Memory{}, fmt.Errorf("%d bytes: %w", size, dma.ErrNoMemory)
	}
	return s.Space.Alloc(size, align)
}

// Memory that runs out at any allocation is a clear error, and what was allocated goes back.
func TestNoMemory(t *testing.T) {
	steps := map[string]bool{}
	for left := 0; ; left++ {
		c := newCard(0x10c9)
		c.memory = &limited{c.space, left}
		d, err := nic.OpenFunction(context.Background(), c, small)
		if err == nil {
			d.Close()
			break
		}
		_, step, _ := strings.Cut(err.Error(), "e1000 test:card: ")
		step, _, _ = strings.Cut(step, ":")
		steps[step] = true
		if n := c.space.InUse(); !errors.Is(err, nic.ErrNoMemory) || n != 0 {
			t.Errorf("%v: %d bytes still allocated", err, n)
		}
	}
	if len(steps) != 3 || !steps["buffers"] || !steps["receive ring"] || !steps["transmit ring"] {
		t.Errorf("steps %v", steps)
	}
}
