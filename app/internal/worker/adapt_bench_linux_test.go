package worker

import (
	"context"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
	"glassnic/sim"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"

	_ "glassnic/driver/ixgbe"
)

// spent is how much processor time this thread has used (getrusage(2)).
func spent(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkEmptyPoll is what a poll costs that brings nothing: two modelled cards' queues, as in fwd, with what the
// worker yields.
func BenchmarkEmptyPoll(b *testing.B) {
	w, err := sim.NewWorld(64 << 20)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	var ports [2]nic.Device
	for i, name := range []string{"sim:a", "sim:b"} {
		p, err := w.Add(name, model.Config{Wire: wire.NewLoop()})
		if err != nil {
			b.Fatal(err)
		}
		fn, err := p.Function()
		if err != nil {
			b.Fatal(err)
		}
		if ports[i], err = nic.OpenFunction(b.Context(), fn, nic.Config{Port: uint8(i)}); err != nil {
			b.Fatal(err)
		}
	}
	runtime.LockOSThread()
	batch := make([]*packet.Buf, 32)
	var idle Idle
	before := spent(b)
	for b.Loop() {
		for i := range ports {
			ports[i].RxQueue(0).Receive(batch)
			ports[1-i].TxQueue(0).Send(nil)
		}
		idle.Poll()
	}
	b.ReportMetric(float64((spent(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
	runtime.UnlockOSThread()
	if err := nic.CloseAll(ports[:]...); err != nil {
		b.Error(err)
	}
	cancel()
	<-done
	if err := w.Close(); err != nil {
		b.Error(err)
	}
}

// BenchmarkSleep is what it costs the worker to fall asleep and be woken, and how long it takes from there until it
// polls.
func BenchmarkSleep(b *testing.B) {
	p, err := nictest.New(nictest.Config{Buffers: 64, Interrupts: true})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	var (
		ctx, cancel = context.WithCancel(b.Context())
		used        time.Duration
		latency     time.Duration
		arrived     = make(chan time.Time, 1)
		next        = make(chan struct{}, 1)
		done        = make(chan struct{})
		frame       = make([]byte, 60)
	)
	go func() {
		defer close(done)
		for range next {
			time.Sleep(200 * time.Microsecond) // until it sleeps
			arrived <- time.Now()
			p.Arrive(0, frame)
		}
	}()
	err = Run(ctx, Options{Every: time.Hour}, func(s *Stop) {
		var idle Idle
		idle.Adapt(s, settled, p.RxQueue(0))
		batch := make([]*packet.Buf, 8)
		before := spent(b)
		for b.Loop() {
			next <- struct{}{}
			idle.Busy()
			for {
				if n := p.RxQueue(0).Receive(batch); n > 0 {
					packet.Free(batch[:n])
					break
				}
				idle.polls = mostPolls*yieldEvery - 1 // sleeps at once
				idle.Poll()
			}
			latency += time.Since(<-arrived)
		}
		used = spent(b) - before
		cancel()
	})
	close(next)
	<-done
	if err != nil {
		b.Error(err)
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(b.N), "cpu-ns/op")
	b.ReportMetric(float64(latency.Nanoseconds())/float64(b.N), "wake-ns/op")
}
