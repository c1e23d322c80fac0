// Package forward carries frames between two ports, in both directions.
//
// Worker i serves queue i of both ports and takes each batch all the way (run to completion): receive,
// touch, send. Every frame received is sent or dropped for a reason that is counted, to the packet.
package forward

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassnic/app/internal/worker"
	"glassnic/nic"
	"glassnic/packet"
)

// DefaultPatience is how often the frames of a batch are offered to a transmit queue that is full before
// they are dropped: long enough for a card's model on the same CPU to get its turn.
const DefaultPatience = 1024

// Config are the settings of Run. All but the ports may be zero.
type Config struct {
	A, B nic.Device // the caller opens and closes them
	// CPUs are what the workers are pinned to, worker i to CPUs[i % len(CPUs)]. None: the kernel
	// chooses.
	CPUs []int
	// Batch is the most frames that are received at once, 1 to packet.MaxTake; 0: 32.
	Batch int
	// Touch increments byte 1 of every frame, so that its data passes through the cache.
	Touch bool
	// Patience is how often frames that a full transmit queue refuses are offered again, with receiving
	// in that direction paused meanwhile; then they are dropped. 0: DefaultPatience; negative: never.
	Patience int
	// IdleSleep is how long a worker sleeps at a time when nothing has come for long. 0: it polls on,
	// and now and then yields its CPU.
	IdleSleep time.Duration
	// Adaptive lets a worker sleep when nothing has come for long, until a card wakes it (nic.Waiter; ports are
	// opened with nic.Config.Interrupts), or for up to 4 ms at a time where one of its two cards cannot. Under load it
	// polls all the same.
	Adaptive bool
	// Timestamps measures how long frames stay (Direction.Latency), a thousand times a second and worker. Ports are opened with
	// nic.Timestamps, where they can.
	Timestamps bool
	// Interval is the time between two reports, 0: 1 second.
	Interval time.Duration
	// Trouble, if not nil, is called on Run's goroutine when a port stops doing its work (nic.Watched), with
	// each trouble once. The other port's way goes on.
	Trouble func(error)
}

// Run forwards until ctx ends or both ports have no more frames (nic.Finite), which is no error, waits for each port to send what its
// queues hold, until it has sent nothing for a second, and returns the totals. Every receive queue of one port is joined with the transmit queue
// of the same number of the other.
//
// Report, if not nil, is called on Run's goroutine once per interval and at the end, so that the
// intervals add up to the totals. An error means that Run could not start, that a port is gone (nic.ErrGone), or
// that one was still in trouble when ctx ended; the totals are right in all cases.
func Run(ctx context.Context, cfg Config, report func(Report)) (Report, error) {
	workers, err := cfg.workers()
	if err != nil {
		return Report{Type: "total"}, err
	}
	var loops []func(*worker.Stop)
	for _, w := range workers {
		loops = append(loops, w.loop)
	}
	beforeA, _ := cfg.A.Stats()
	beforeB, _ := cfg.B.Stats()
	m := newMeter(&cfg, workers)
	health := worker.Health{Ports: []nic.Device{cfg.A, cfg.B}, Report: cfg.Trouble}
	tick := func() error {
		if report != nil {
			report(m.interval())
		}
		if err := health.Look(); err != nil || !finished(cfg.A) || !finished(cfg.B) {
			return err
		}
		return errFinished
	}
	err = worker.Run(ctx, worker.Options{CPUs: cfg.CPUs, Every: cfg.Interval, Tick: tick}, loops...)
	total := m.total()
	if report != nil {
		report(m.interval())
	}
	if err != nil && !errors.Is(err, errFinished) {
		return total, fmt.Errorf("forward: %w", err)
	}
	worker.Drain(cfg.B, beforeB, total.Directions[0].TxPackets)
	worker.Drain(cfg.A, beforeA, total.Directions[1].TxPackets)
	if err := health.Left(); err != nil {
		return total, fmt.Errorf("forward: %w", err)
	}
	return total, nil
}

var errFinished = errors.New("no more frames")

func finished(d nic.Device) bool {
	f, ok := d.(nic.Finite)
	return ok && f.Finished()
}

// workers checks the settings, fills the zero values in and makes the workers.
func (cfg *Config) workers() ([]*forwarder, error) {
	if cfg.A == nil || cfg.B == nil {
		return nil, errors.New("forward: two ports are needed")
	}
	if cfg.Batch == 0 {
		cfg.Batch = 32
	}
	if cfg.Batch < 1 || cfg.Batch > packet.MaxTake {
		return nil, fmt.Errorf("forward: batch of %d: want 1 to %d", cfg.Batch, packet.MaxTake)
	}
	if cfg.Patience == 0 {
		cfg.Patience = DefaultPatience
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	a, b := cfg.A.Info(), cfg.B.Info()
	for _, d := range [][2]nic.Info{{a, b}, {b, a}} {
		from, to := d[0], d[1]
		if from.RxQueues > to.TxQueues {
			return nil, fmt.Errorf("forward: %s has %d receive queues and %s %d transmit queues: open both with the same number",
				from.Address, from.RxQueues, to.Address, to.TxQueues)
		}
		if from.Pool == nil || to.Pool == nil {
			return nil, fmt.Errorf("forward: %s or %s has no pool", from.Address, to.Address)
		}
	}
	var stays [2]*stay
	if cfg.Timestamps {
		stays = [2]*stay{{clock: worker.ClockOf(cfg.A)}, {clock: worker.ClockOf(cfg.B)}}
	}
	var ws []*forwarder
	for i := range max(a.RxQueues, b.RxQueues) {
		w := &forwarder{idle: worker.Idle{Sleep: cfg.IdleSleep}, adapt: cfg.Adaptive, caches: [2]*packet.Cache{a.Pool.NewCache(), b.Pool.NewCache()}}
		if i < a.RxQueues {
			w.dirs[0] = newDirection(cfg, cfg.A, cfg.B, i, w.caches[0], w.caches[1])
			w.dirs[0].watch(stays[0])
		}
		if i < b.RxQueues {
			w.dirs[1] = newDirection(cfg, cfg.B, cfg.A, i, w.caches[1], w.caches[0])
			w.dirs[1].watch(stays[1])
		}
		ws = append(ws, w)
	}
	return ws, nil
}
