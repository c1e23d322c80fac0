package ixgbe_test

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
	model "glassnic/sim/ixgbe"
)

func TestSettingsRefused(t *testing.T) {
	foreign, err := packet.NewPool(iommu.New(), packet.PoolConfig{Buffers: 2048})
	if err != nil {
		t.Fatal(err)
	}
	defer foreign.Close()
	for _, c := range []struct {
		cfg  nic.Config
		want []string // of the error
	}{
		{nic.Config{RxRing: 63}, []string{"receive ring of 63", "64 to 8192"}},
		{nic.Config{RxRing: 8200}, []string{"receive ring of 8200", "64 to 8192"}},
		{nic.Config{RxRing: 100}, []string{"receive ring of 100", "multiple of 8"}},
		{nic.Config{TxRing: 56}, []string{"transmit ring of 56", "64 to 8192"}},
		{nic.Config{TxRing: 65}, []string{"transmit ring of 65", "multiple of 8"}},
		{nic.Config{TxRing: 16384}, []string{"transmit ring of 16384", "64 to 8192"}},
		{nic.Config{RxRing: -1}, []string{"receive ring -1"}},
		{nic.Config{RxQueues: 17}, []string{"17 receive", "at most 16"}},
		{nic.Config{RxQueues: -1}, []string{"receive queues -1"}},
		{nic.Config{TxQueues: 65}, []string{"65 transmit", "64"}},
		{nic.Config{MTU: 9711}, []string{"MTU 9711", "at most 9710"}},
		{nic.Config{MTU: 67}, []string{"MTU 67", "68"}},
		{nic.Config{RxThresholds: &nic.Thresholds{}}, []string{"receive thresholds", "none"}},
		{nic.Config{TxThresholds: &nic.Thresholds{Prefetch: 128}}, []string{"Prefetch:128", "0 to 127"}},
		{nic.Config{TxThresholds: &nic.Thresholds{Host: -1}}, []string{"Host:-1", "0 to 127"}},
		{nic.Config{TxThresholds: &nic.Thresholds{Host: 64}, TxRing: 64}, []string{"Host:64", "less than the ring"}},
		{nic.Config{TxThresholds: &nic.Thresholds{Prefetch: 41}}, []string{"Prefetch:41", "at most 40 together"}},
		{nic.Config{TxThresholds: &nic.Thresholds{Prefetch: 33, WriteBack: 8}, ReportEvery: 1}, []string{"WriteBack:8", "at most 40 together"}},
		{nic.Config{TxThresholds: &nic.Thresholds{WriteBack: 38}, ReportEvery: 1}, []string{"WriteBack:38", "below 38"}},
		{nic.Config{TxThresholds: &nic.Thresholds{WriteBack: 1}}, []string{"write-back threshold 1", "report every 32"}},
		{nic.Config{ReportEvery: 65}, []string{"report every 65", "0 to 64"}},
		{nic.Config{ReportEvery: 33, TxRing: 128}, []string{"every 33", "at most 32"}},

		{nic.Config{Room: 1000}, []string{"1000 bytes", "1024"}},
		{nic.Config{Room: 16385}, []string{"16385 bytes", "16384"}},
		{nic.Config{Room: -2048}, []string{"-2048 bytes"}},
		{nic.Config{Buffers: 511}, []string{"pool of 512", "fill", "larger"}},
		{nic.Config{Buffers: -1}, []string{"buffers -1"}},
		{nic.Config{Pool: foreign}, []string{"memory", "not reach"}},
	} {
		if c.cfg.Buffers == 511 {
			c.cfg.RxQueues = 2
		}
		s, _ := card(t, model.Config{})
		d, err := nic.OpenFunction(context.Background(), s.Function("sim:test"), c.cfg)
		if err == nil {
			d.Close()
			t.Errorf("%v: no error", c.want)
			continue
		}
		for _, w := range append(c.want, "sim:test") {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("error %q lacks %q", err, w)
			}
		}
		if n := s.Space.InUse(); n != 0 {
			t.Errorf("%v: %d bytes still allocated", err, n)
		}
	}
}

// A pool that is handed in has its limits, too.
func TestSmallPool(t *testing.T) {
	s, _ := card(t, model.Config{})
	pool, err := packet.NewPool(s.Space, packet.PoolConfig{Buffers: 1024, Room: 960})
	if err != nil {
		t.Fatal(err)
	}
	_, err = nic.OpenFunction(context.Background(), s.Function("sim:test"), nic.Config{Pool: pool})
	if err == nil || !strings.Contains(err.Error(), "sim:test: settings: buffers of 960 bytes: want 1024") {
		t.Errorf("a pool with buffers of 960 bytes: %v", err)
	}
	if err := pool.Close(); err != nil {
		t.Errorf("the pool does not belong to its owner any more: %v", err)
	}
}

// The limits themselves work, and traffic passes.
func TestSettingsAtTheLimits(t *testing.T) {
	for _, cfg := range []nic.Config{
		{RxRing: 64, TxRing: 64},
		{RxRing: 72, TxRing: 88, ReportEvery: 32},
		{RxRing: 8192, TxRing: 8192},
		{RxQueues: 16, TxQueues: 64, RxRing: 64, TxRing: 64},
		{MTU: 68},
		{MTU: 9710},
		{Room: 1024},
		{Room: packet.MaxRoom, RxRing: 64, Buffers: 64 + 256},
		{ReportEvery: 32, TxRing: 64},
		{RxRing: 512, Buffers: 512 + 256},
		{TxThresholds: &nic.Thresholds{}},
		{TxThresholds: &nic.Thresholds{Prefetch: 3, Host: 127, WriteBack: 37}, ReportEvery: 1, TxRing: 128},
		{TxThresholds: &nic.Thresholds{Prefetch: 40, Host: 1}},
	} {
		t.Run(fmt.Sprintf("%+v", cfg), func(t *testing.T) {
			r := open(t, cfg)
			last := max(cfg.TxQueues, 1) - 1
			var want [][]byte
			for i := range 300 {
				f := frame(60+i%23, byte(i))
				r.wire.put(f)
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
			same(t, "echoed", r.wire.out, want)
		})
	}
}

// A card whose memory lies above 4 GiB gets the upper halves of addresses.
func TestHighAddresses(t *testing.T) {
	s, w := card(t, model.Config{Memory: iommu.NewAbove(5 << 32)})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{})}
	f := frame(60, 1)
	w.put(f)
	r.step()
	same(t, "received", r.receive(), [][]byte{f})
	r.send(f, 60)
	r.step()
	same(t, "sent", w.out, [][]byte{f})
}

// short is an allocator that gives so many bytes in all.
type short struct {
	*iommu.Space
	left int
}

func (s *short) Alloc(size, align int) (dma.Memory, error) {
	if s.left -= size; s.left < 0 {
		return dma.Memory{}, fmt.Errorf("%d bytes: %w", size, dma.ErrNoMemory)
	}
	return s.Space.Alloc(size, align)
}

// Memory that runs out at any allocation is a clear error, and what was allocated goes back.
func TestNoMemory(t *testing.T) {
	const ring = 64 * 16
	for _, c := range []struct {
		left int
		step string
	}{{0, "buffers"}, {2 << 20, "receive ring"}, {2<<20 + ring, "transmit ring"}} {
		s, _ := card(t, model.Config{})
		fn := &function{Function: s.Function("sim:test"), memory: &short{s.Space, c.left}}
		cfg := nic.Config{RxRing: 64, TxRing: 64, Buffers: 128, Room: 2048}
		if c.left > 0 {
			// What the pool takes is not known: find out.
			p, err := packet.NewPool(fn.memory, packet.PoolConfig{Buffers: cfg.Buffers, Room: cfg.Room})
			if err != nil {
				t.Fatal(err)
			}
			used := int(s.Space.InUse())
			p.Close()
			fn.memory = &short{s.Space, used + c.left - 2<<20}
		}
		_, err := nic.OpenFunction(context.Background(), fn, cfg)
		if !errors.Is(err, nic.ErrNoMemory) || !strings.Contains(err.Error(), "ixgbe sim:test: "+c.step) {
			t.Errorf("%d bytes: %v, want an error of the %s", c.left, err, c.step)
		}
		if n := s.Space.InUse(); n != 0 {
			t.Errorf("%s: %d bytes still allocated", c.step, n)
		}
	}
}
