// Package generate sends test frames from a port, as fast as it takes them or at a given rate, and
// checks what comes back.
package generate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"glassnic/app/internal/worker"
	"glassnic/internal/traffic"
	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// DefaultLinger is how long Run waits for the next frame to come back when all have been sent.
const DefaultLinger = time.Second

// Config are the settings of Run. All but Port may be zero.
type Config struct {
	Port nic.Device // the caller opens and closes it
	// Spec describes the frames. Worker i, which has transmit queue i to itself, numbers a stream of
	// its own: Spec.Stream + i.
	Spec traffic.Spec
	// CPUs are what the workers are pinned to, worker i to CPUs[i % len(CPUs)]. None: the kernel
	// chooses.
	CPUs []int
	// Workers is how many transmit queues are used; 0: all.
	Workers int
	// Batch is the most frames that are sent at once, 1 to packet.MaxTake; 0: 32.
	Batch int
	// Rate is how many frames are sent in a second, by all workers together; 0: as many as the port
	// takes.
	Rate float64
	// ByCard has the card keep the rate (nic.RateLimiter), as one of bits: those of the frames on average. The port is
	// without limits at the end.
	ByCard bool
	// Burst is how many frames a worker sends back to back at most when it is late, and so bounds what
	// it catches up; 0: Batch.
	Burst int
	// Count is how many frames are sent, by all workers together; 0: until ctx ends.
	Count uint64
	// Receive makes the first worker check what arrives at all receive queues.
	Receive bool
	// Timestamps, with Receive, has the first worker send a message of PTP a thousand times a second, besides what is
	// counted, and report how long those take until they are back (Report.Latency). A card that stamps them does it where
	// the port was opened with nic.Timestamps.
	Timestamps bool
	// Linger is how long the first worker waits for the next frame to come back when all have been sent;
	// 0: DefaultLinger. It ends at once when every frame is back.
	Linger time.Duration
	// IdleSleep is how long a worker sleeps at a time when nothing could be sent or received for long.
	// 0: it polls on, and now and then yields its CPU.
	IdleSleep time.Duration
	// Interval is the time between two reports, 0: 1 second.
	Interval time.Duration
	// Trouble, if not nil, is called on Run's goroutine when the port stops doing its work (nic.Watched), with
	// each trouble once.
	Trouble func(error)
}

// Run sends until Count is reached or ctx ends, which is no error, waits for the port to
// send what its queues hold, until it has sent nothing for a second, and returns the totals. Frames that
// the port does not take at once are offered until it does, so numbers are never left out.
//
// Report, if not nil, is called on Run's goroutine once per interval and at the end, so that the
// intervals add up to the totals. An error means that Run could not start, that the port is gone (nic.ErrGone), or
// that it was still in trouble at the end; the totals are right in all cases.
func Run(ctx context.Context, cfg Config, report func(Report)) (Report, error) {
	workers, err := cfg.workers()
	if err != nil {
		return Report{Type: "total"}, err
	}
	var loops []func(*worker.Stop)
	for _, w := range workers {
		loops = append(loops, w.loop)
	}
	lift, err := cfg.limit(workers)
	if err != nil {
		return Report{Type: "total"}, err
	}
	defer lift()
	before, _ := cfg.Port.Stats()
	m := &meter{port: cfg.Port.Info().Address, workers: workers, start: time.Now(), last: time.Now()}
	health := worker.Health{Ports: []nic.Device{cfg.Port}, Report: cfg.Trouble}
	tick := func() error {
		if report != nil {
			report(m.interval())
		}
		return health.Look()
	}
	err = worker.Run(ctx, worker.Options{CPUs: cfg.CPUs, Every: cfg.Interval, Tick: tick}, loops...)
	total := m.total()
	if report != nil {
		report(m.interval())
	}
	if err != nil {
		return total, fmt.Errorf("generate: %w", err)
	}
	worker.Drain(cfg.Port, before, total.TxPackets)
	if err := health.Left(); err != nil {
		return total, fmt.Errorf("generate: %w", err)
	}
	return total, nil
}

// workers checks the settings, fills the zero values in and makes the workers.
func (cfg *Config) workers() ([]*sender, error) {
	if cfg.Port == nil {
		return nil, errors.New("generate: a port is needed")
	}
	info := cfg.Port.Info()
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&cfg.Workers, info.TxQueues)
	set(&cfg.Batch, 32)
	set(&cfg.Burst, cfg.Batch)
	if cfg.Linger == 0 {
		cfg.Linger = DefaultLinger
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	switch {
	case cfg.Workers < 1 || cfg.Workers > info.TxQueues:
		return nil, fmt.Errorf("generate: %d workers: %s has %d transmit queues, open it with more", cfg.Workers, info.Address, info.TxQueues)
	case cfg.Batch < 1 || cfg.Batch > packet.MaxTake:
		return nil, fmt.Errorf("generate: batch of %d: want 1 to %d", cfg.Batch, packet.MaxTake)
	case cfg.Burst < 1:
		return nil, fmt.Errorf("generate: burst of %d: want 1 or more", cfg.Burst)
	case !(cfg.Rate >= 0 && cfg.Rate <= 1e9):
		return nil, fmt.Errorf("generate: rate of %g frames a second: want 0 (unlimited) to 1e9", cfg.Rate)
	case cfg.Timestamps && !cfg.Receive:
		return nil, errors.New("generate: time stamps without receiving: set Receive")
	case cfg.ByCard && cfg.Rate == 0:
		return nil, errors.New("generate: the card is to keep a rate, but there is none")
	case info.Pool == nil:
		return nil, fmt.Errorf("generate: %s has no pool to take buffers from", info.Address)
	}
	var ws []*sender
	for i := range cfg.Workers {
		w, err := newSender(cfg, i)
		if err != nil {
			return nil, fmt.Errorf("generate: %w", err)
		}
		if most := info.MTU + 14; info.MTU > 0 && w.longest() > most {
			return nil, fmt.Errorf("generate: frames of %d bytes: %s sends up to %d, open it with a larger MTU", w.longest(), info.Address, most)
		}
		ws = append(ws, w)
	}
	if cfg.Receive {
		ws[0].check = newReceiver(cfg)
		if cfg.Timestamps {
			headers := make([]byte, ws[0].longest())
			ws[0].t.Render(headers, 0)
			ws[0].check.probes = newProber(cfg.Port, headers)
		}
		for _, w := range ws[1:] {
			ws[0].check.others = append(ws[0].check.others, &w.published)
		}
	}
	return ws, nil
}

// limit has the card keep the rate, where it is to. What it returns ends that.
func (cfg *Config) limit(ws []*sender) (lift func(), err error) {
	if !cfg.ByCard {
		return func() {}, nil
	}
	port, ok := cfg.Port.(nic.RateLimiter)
	if !ok {
		return nil, fmt.Errorf("generate: %s keeps no rate: leave it to the program", cfg.Port.Info().Address)
	}
	lift = func() {
		for i := range ws {
			_ = port.SetTxRate(i, 0) // fails only on a port that is gone
		}
	}
	for i, w := range ws {
		if err := port.SetTxRate(i, uint64(cfg.Rate/float64(len(ws))*w.bits())); err != nil {
			lift()
			return nil, fmt.Errorf("generate: %w: or leave the rate to the program", err)
		}
	}
	return lift, nil
}

// share is what part i of n of a count is.
func share(count uint64, i, n int) uint64 {
	s := count / uint64(n)
	if uint64(i) < count%uint64(n) {
		s++
	}
	return s
}

// ticks returns how many TSC ticks a time lasts.
func ticks(d time.Duration) uint64 { return uint64(d.Seconds() * tsc.Hz()) }
