package ixgbe_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// polled is a port of a card that another goroutine plays, with a source and a sink for a wire.
type polled struct {
	*sim.Port
	source *wire.Source
	sink   *wire.Sink
	pool   *packet.Pool
	dev    nic.Device
}

// world makes cards that a goroutine of their own polls until the test ends.
func world(t *testing.T, specs ...wire.SourceConfig) []*polled {
	t.Helper()
	w, err := sim.NewWorld(0)
	if err != nil {
		t.Fatal(err)
	}
	var ports []*polled
	for _, spec := range specs {
		p := &polled{sink: new(wire.Sink)}
		if p.source, err = wire.NewSource(spec); err != nil {
			t.Fatal(err)
		}
		if p.Port, err = w.Add("sim:test", model.Config{Wire: wire.NewPeer(p.source, p.sink)}); err != nil {
			t.Fatal(err)
		}
		ports = append(ports, p)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return ports
}

// open starts the driver, with a pool that outlives it, as ports need that send each other's buffers.
func (p *polled) open(t *testing.T, cfg nic.Config) {
	t.Helper()
	fn, err := p.Function()
	if err != nil {
		t.Fatal(err)
	}
	p.pool, err = packet.NewPool(fn.DMA(), packet.PoolConfig{Buffers: 4096, Room: cfg.Room})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Pool, cfg.Promiscuous = p.pool, true
	if p.dev, err = nic.OpenFunction(context.Background(), fn, cfg); err != nil {
		t.Fatal(err)
	}
}

// closeAll closes devices, then pools: no buffer may be lost.
func closeAll(t *testing.T, ports ...*polled) {
	t.Helper()
	for _, p := range ports {
		if err := p.dev.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range ports {
		if err := p.pool.Close(); err != nil {
			t.Error(err)
		}
	}
}

// eventually waits for what the other goroutine does.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30s", what)
		}
	}
}

// forward sends what one port receives from another, without a copy, all of it.
func forward(t *testing.T, from, to *polled, batch []*packet.Buf) (n int) {
	n = from.dev.RxQueue(0).Receive(batch)
	sent := to.dev.TxQueue(0).Send(batch[:n])
	if sent < n {
		eventually(t, "room to send", func() bool {
			sent += to.dev.TxQueue(0).Send(batch[sent:n])
			return sent == n
		})
	}
	return n
}

// Two ports of one world, 200,000 frames: each comes out at the other side, in order and whole.
func TestPolledForward(t *testing.T) {
	const each = 100_000
	config := func(stream uint16) wire.SourceConfig {
		return wire.SourceConfig{Spec: traffic.Spec{Sizes: traffic.IMIX, Seq: true, Stream: stream}, Count: each}
	}
	ports := world(t, config(1), config(2))
	a, b := ports[0], ports[1]
	a.open(t, nic.Config{Port: 1})
	b.open(t, nic.Config{Port: 2})
	if a.dev.Info().Domain != b.dev.Info().Domain {
		t.Fatal("the ports do not share their memory")
	}
	batch := make([]*packet.Buf, 32)
	moved := 0
	eventually(t, "forwarding", func() bool {
		for range 100 {
			moved += forward(t, a, b, batch) + forward(t, b, a, batch)
		}
		return moved == 2*each
	})
	for _, p := range ports {
		eventually(t, "the sink", func() bool { return p.sink.Totals().Frames() == each })
		if got := p.sink.Totals(); got != (traffic.Totals{OK: each}) {
			t.Errorf("at the sink: %+v", got)
		}
		var s nic.Stats
		eventually(t, "statistics", func() bool {
			var err error
			if s, err = p.dev.Stats(); err != nil {
				t.Fatal(err)
			}
			return s.RxPackets == each && s.TxPackets == each
		})
		if in, out := p.source.Stats().RxBytes, p.sink.Stats().TxBytes; s.RxBytes != in || s.TxBytes != out {
			t.Errorf("%d and %d bytes, want %d and %d", s.RxBytes, s.TxBytes, in, out)
		}
		if s.RxMissed+s.RxErrors+s.RxDropped+s.TxDropped != 0 {
			t.Errorf("losses: %s", brief(s))
		}
	}
	closeAll(t, ports...)
}

// Long frames in several buffers: each is sent back whole or counted as missed.
func TestPolledJumbo(t *testing.T) {
	const count = 5_000
	p := world(t, wire.SourceConfig{Spec: traffic.Spec{Sizes: []int{9014, 60, 4000, 1025}, Seq: true}, Count: count})[0]
	p.open(t, nic.Config{MTU: 9000, Room: 1024})
	batch := make([]*packet.Buf, 32)
	var s nic.Stats
	sent := uint64(0)
	eventually(t, "echo", func() bool {
		sent += uint64(forward(t, p, p, batch))
		var err error
		if s, err = p.dev.Stats(); err != nil {
			t.Fatal(err)
		}
		return s.RxPackets+s.RxMissed == count && sent == s.RxPackets && s.TxPackets == sent
	})
	got := p.sink.Totals()
	if got.OK != sent || got.Frames() != sent || s.RxErrors+s.RxDropped+s.TxDropped != 0 {
		t.Errorf("sent %d, at the sink %+v, %s", sent, got, brief(s))
	}
	closeAll(t, p)
}

// A polled card that is pulled while traffic runs is noticed; once it is back it opens anew, with
// statistics from zero.
func TestPolledPulled(t *testing.T) {
	p := world(t, wire.SourceConfig{Spec: traffic.Spec{Seq: true}})[0]
	batch := make([]*packet.Buf, 32)
	for round := range 3 {
		p.open(t, nic.Config{RxRing: 64, TxRing: 64})
		s, err := p.dev.Stats()
		if err != nil || s.TxPackets != 0 {
			t.Fatalf("round %d: %d frames sent, %v", round, s.TxPackets, err)
		}
		eventually(t, "traffic", func() bool {
			forward(t, p, p, batch)
			s, err := p.dev.Stats()
			if err != nil {
				t.Fatal(err)
			}
			return s.TxPackets > 1000
		})
		p.Card.Inject(model.Pulled)
		eventually(t, "to notice", func() bool {
			n := p.dev.RxQueue(0).Receive(batch)
			packet.Free(batch[:n])
			_, err := p.dev.Link()
			return errors.Is(err, nic.ErrGone)
		})
		eventually(t, "to notice in the statistics", func() bool {
			_, err := p.dev.Stats()
			return errors.Is(err, nic.ErrGone)
		})
		closeAll(t, p)
		// The card notices at its next poll, and is reset then.
		regs := mmio.MapPolled(p.Card.Registers())
		regs.Write32(facts.LEDCTL, 0)
		p.Card.Heal(model.Pulled)
		eventually(t, "the card to come back", func() bool { return regs.Read32(facts.LEDCTL) != 0 })
	}
}
