package ixgbe_test

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/internal/wake"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// gate is a wire that hands out the frames put into it.
type gate struct {
	mu sync.Mutex
	in []wire.Frame
}

func (g *gate) put(frames ...[]byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range frames {
		g.in = append(g.in, wire.Frame{Data: f})
	}
}

func (g *gate) Receive(frames []wire.Frame) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := copy(frames, g.in)
	g.in = g.in[n:]
	return n
}

func (*gate) Send(frames []wire.Frame) int { return len(frames) }
func (*gate) Up() bool                     { return true }
func (*gate) Close() error                 { return nil }

// sleeper receives from queues, sleeps when nothing comes, and counts.
type sleeper struct {
	queues []nic.RxQueue
	stop   *wake.Event
	got    *atomic.Int64
	slept  *atomic.Int64
}

// run returns an error where it slept for so long that an interrupt must have been lost.
func (s *sleeper) run(ctx context.Context) error {
	var set wake.Set
	set.Add(s.stop.FD())
	for _, q := range s.queues {
		set.Add(q.(nic.Waiter).WaitFD())
	}
	batch := make([]*packet.Buf, 32)
	for ctx.Err() == nil {
		n := 0
		for _, q := range s.queues {
			k := q.Receive(batch)
			packet.Free(batch[:k])
			n += k
		}
		s.got.Add(int64(n))
		if n > 0 {
			continue
		}
		armed, all := 0, true
		for _, q := range s.queues {
			if all = q.(nic.Waiter).Arm(); !all {
				break
			}
			armed++
		}
		if all {
			s.slept.Add(1)
			woken, err := set.Sleep(10 * time.Second)
			if err != nil || !woken {
				return fmt.Errorf("slept for 10s: %v", err)
			}
		}
		for _, q := range s.queues[:armed] {
			q.(nic.Waiter).Disarm()
		}
	}
	return nil
}

// Frames come one by one, each when the ones before have been received, to workers that sleep between them, in
// all sorts of moments. The card polls its registers on another thread, and is slow at times.
func TestSleepStress(t *testing.T) {
	for _, c := range []struct{ queues, workers int }{{1, 1}, {4, 1}, {4, 4}} {
		t.Run(fmt.Sprintf("%d queues, %d workers", c.queues, c.workers), func(t *testing.T) { stress(t, c.queues, c.workers) })
	}
}

func stress(t *testing.T, queues, workers int) {
	w, err := sim.NewWorld(64 << 20)
	if err != nil {
		t.Fatal(err)
	}
	in := &gate{}
	port, err := w.Add("sim:test", model.Config{Wire: in})
	if err != nil {
		t.Fatal(err)
	}
	var card, asleep sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	card.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			if w.Poll() > 0 || i%7 == 0 {
				continue
			}
			runtime.Gosched()
			if i%1000 == 0 {
				time.Sleep(time.Microsecond)
			}
		}
	})
	fn, err := port.Function()
	if err != nil {
		t.Fatal(err)
	}
	dev, err := nic.OpenFunction(t.Context(), fn, nic.Config{RxQueues: queues, RxRing: 64, TxRing: 64, Promiscuous: true, Interrupts: true})
	if err != nil {
		t.Fatal(err)
	}
	stop, err := wake.New()
	if err != nil {
		t.Fatal(err)
	}
	var got, slept atomic.Int64
	failed := make(chan error, workers)
	working, end := context.WithCancel(context.Background())
	for i := range workers {
		s := &sleeper{stop: stop, got: &got, slept: &slept}
		for q := i; q < queues; q += workers {
			s.queues = append(s.queues, dev.RxQueue(q))
		}
		asleep.Go(func() {
			if err := s.run(working); err != nil {
				failed <- err
			}
		})
	}
	var flows [][]byte
	for i := range 16 {
		flows = append(flows, udp(t, uint16(1000+i)))
	}
	const rounds = 3000
	sent := int64(0)
	for i := 0; i < rounds && len(failed) == 0; i++ {
		n := i%3 + 1
		for k := range n {
			in.put(flows[(i+5*k)%len(flows)])
		}
		sent += int64(n)
		eventually(t, fmt.Sprintf("frame %d, after %d of which it slept %d times", sent, got.Load(), slept.Load()), func() bool {
			return got.Load() >= sent || len(failed) > 0
		})
		for spin := range i % 97 * 40 { // the next comes later and later in the worker's way to sleep
			_ = spin
		}
	}
	end()
	if err := stop.Signal(); err != nil {
		t.Error(err)
	}
	asleep.Wait()
	defer func() {
		cancel()
		card.Wait()
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := dev.Close(); err != nil {
		t.Error(err)
	}
	if len(failed) > 0 {
		t.Error(<-failed)
	}
	if got.Load() != sent || slept.Load() < rounds/10 {
		t.Errorf("%d of %d frames, slept %d times", got.Load(), sent, slept.Load())
	}
}
