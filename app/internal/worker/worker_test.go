package worker

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

func spin(s *Stop) {
	for idle := (Idle{}); !s.Stopped(); {
		idle.Poll()
	}
}

func TestRunEndsWithContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var ran, ticks atomic.Int32
	loop := func(s *Stop) { ran.Add(1); spin(s) }
	err := Run(ctx, Options{Every: time.Millisecond, Tick: func() error {
		if ticks.Add(1) >= 3 && ran.Load() == 3 {
			cancel()
		}
		return nil
	}}, loop, loop, loop)
	if err != nil || ran.Load() != 3 || ticks.Load() < 3 {
		t.Errorf("%d loops, %d ticks: %v", ran.Load(), ticks.Load(), err)
	}
}

func TestRunEndsWithLoops(t *testing.T) {
	if err := Run(t.Context(), Options{Every: time.Hour}, func(*Stop) {}, func(*Stop) {}); err != nil {
		t.Error(err)
	}
}

func TestRunErrors(t *testing.T) {
	boom := errors.New("boom")
	err := Run(t.Context(), Options{Every: time.Millisecond, Tick: func() error { return boom }}, spin, spin)
	if !errors.Is(err, boom) {
		t.Errorf("a failed tick: %v", err)
	}
	// One CPU that cannot be had stops all.
	err = Run(t.Context(), Options{CPUs: []int{0, 1 << 20}, Every: time.Hour}, spin, spin)
	if err == nil || !strings.Contains(err.Error(), "worker 1") {
		t.Errorf("an impossible CPU: %v", err)
	}
}

func TestIdle(t *testing.T) {
	var i Idle
	polls := 1
	for !i.Poll() {
		polls++
	}
	if polls != yieldEvery {
		t.Errorf("first pause after %d polls", polls)
	}
	for range yieldEvery - 1 {
		i.Poll()
	}
	i.Busy()
	if i.Poll() {
		t.Error("paused right after a busy poll")
	}
	sleeper := Idle{Sleep: time.Millisecond, polls: sleepAfter - 1}
	if start := time.Now(); !sleeper.Poll() || time.Since(start) < time.Millisecond {
		t.Error("no sleep after a long lull")
	}
}

func TestPublished(t *testing.T) {
	var p Published[[2]int]
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 100_000 {
			p.Offer(&[2]int{i, -i})
		}
		p.Put(&[2]int{1, 2})
	}()
	for {
		v := p.Get()
		if v == [2]int{1, 2} {
			break
		}
		if v[0] != -v[1] {
			t.Fatalf("fields of different moments: %v", v)
		}
	}
	<-done
	p.mu.Lock()
	if p.Offer(&[2]int{9, 9}) {
		t.Error("Offer did not give way to a reader")
	}
	p.mu.Unlock()
}

func TestRate(t *testing.T) {
	// 14.88 million 60-byte frames a second fill a 10 Gbit/s link.
	r := RateOf(29_761_904, 29_761_904*60, 2)
	if r.Mpps != 14.881 || r.Mbit != 7142.857 || r.MbitFramed != 9999.9997 {
		t.Errorf("%+v", r)
	}
	if r := RateOf(5, 5, 0); r != (Rate{}) {
		t.Errorf("rate over no time: %+v", r)
	}
	if Per(5, 0) != 0 || Per(10, 4) != 2.5 {
		t.Error("Per")
	}
	text, err := json.Marshal(r)
	if err != nil || string(text) != `{"mpps":14.881,"mbit_s":7142.857,"mbit_s_framed":9999.9997}` {
		t.Errorf("%s, %v", text, err)
	}
}

// slow is a port that counts a frame as sent only when it is asked for its statistics.
type slow struct {
	nic.Device
	sent uint64
}

func (s *slow) Stats() (nic.Stats, error) {
	s.sent++
	return nic.Stats{TxPackets: 10 + s.sent, TxDropped: 1}, nil
}

func TestDrain(t *testing.T) {
	s := &slow{}
	Drain(s, nic.Stats{TxPackets: 10, TxDropped: 0}, 6)
	if s.sent != 5 {
		t.Errorf("stopped waiting after %d of 5 frames", s.sent)
	}
	p, err := nictest.New(nictest.Config{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	before, _ := p.Stats()
	var b [1]*packet.Buf
	p.Info().Pool.Alloc(b[:])
	p.TxQueue(0).Send(b[:])
	start := time.Now()
	Drain(p, before, 1)
	if time.Since(start) >= drainTime {
		t.Error("waited for a frame that has been sent")
	}
}
