// Package capture writes the frames that a port receives to a capture file.
package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"glassnic/app/internal/worker"
	"glassnic/internal/capfile"
	"glassnic/internal/filter"
	"glassnic/nic"
	"glassnic/packet"
)

// Format is a format of capture files.
type Format = capfile.Format

// The formats, both with times in nanoseconds.
const (
	Pcap   = capfile.Pcap
	PcapNG = capfile.PcapNG
)

// MaxSnap is the longest that a frame may be stored, and what a snap length of 0 means; readers of capture
// files refuse more.
const MaxSnap = capfile.MaxSnap

// sink is where frames go: a stream, or files.
type sink interface {
	Add(at time.Time, data []byte, length int) error
	Flush() error
	Finish(missed uint64) error
	Written() capfile.Tally
}

// newSink begins files of a name, or else a stream.
func newSink(out io.Writer, name string, rot capfile.Rotation, cfg capfile.Settings) (sink, error) {
	if name == "" {
		return capfile.NewWriter(out, cfg)
	}
	return capfile.Create(name, cfg, rot)
}

// Config are the settings of Run. All but Port and Output may be zero.
type Config struct {
	Port   nic.Device // the caller opens and closes it
	Output io.Writer  // a file or a pipe; the caller closes it
	// File names files instead of Output, which follow each other as Rotation says.
	File     string
	Rotation capfile.Rotation
	Format   Format // "": Pcap
	// Unbuffered has frames written at once, instead of when there are many or a pause.
	Unbuffered bool
	// SnapLen is how many bytes of a frame are stored at most, up to MaxSnap; 0: MaxSnap.
	SnapLen int
	// Filter tells which frames are captured; nil: all. The others are counted (Report.Filtered), but for those that
	// the kernel has passed over (nic.Prefilter).
	Filter *filter.Program
	// Timestamps has frames that the card or the kernel stamped (packet.HasTimestamp) stored with that time, instead of the host's time
	// at which their batch was received.
	Timestamps bool
	// Count is how many frames are captured, those that Filter leaves out not counted; 0: until ctx ends.
	Count uint64
	// Batch is the most frames that are received at once, 1 to packet.MaxTake; 0: 256.
	Batch int
	// CPUs holds the CPU that the worker is pinned to. None: the kernel chooses.
	CPUs []int
	// IdleSleep is how long the worker sleeps at a time when nothing has come for long. 0: it polls on,
	// and now and then yields its CPU.
	IdleSleep time.Duration
	// Adaptive lets the worker sleep when nothing has come for long, until the card wakes it, as in
	// package forward.
	Adaptive bool
	// Interval is the time between two reports, 0: 1 second.
	Interval time.Duration
	// Trouble, if not nil, is called on Run's goroutine when the port stops doing its work (nic.Watched), with
	// each trouble once.
	Trouble func(error)
}

// Run captures from all receive queues until Count is reached, the port has no more (nic.Finite) or ctx ends, which is no
// error, and returns the totals. Frames get the host's time at which their batch was received, but for Config.Timestamps.
//
// Nothing is dropped here: while Output blocks, nothing is received, and the card counts what it misses
// (Report.Missed); Run then ends only when Output does not block any more. When Output fails, such as a
// pipe that its reader has closed, Run ends with that error, and the frames that it did not take are
// dropped and counted.
//
// Report, if not nil, is called on Run's goroutine once per interval and at the end, so that the
// intervals add up to the totals, which are right also where there is an error.
func Run(ctx context.Context, cfg Config, report func(Report)) (Report, error) {
	c, err := cfg.capturer()
	if err != nil {
		return Report{Type: "total"}, err
	}
	if p, ok := cfg.Port.(nic.Prefilter); ok && cfg.Filter != nil {
		_ = p.Prefilter(cfg.Filter.Instructions()) // where it cannot, frames are filtered here alone
		defer func() { _ = p.Prefilter(nil) }()
	}
	m := &meter{cfg: &cfg, c: c, start: time.Now(), last: time.Now()}
	health := worker.Health{Ports: []nic.Device{cfg.Port}, Report: cfg.Trouble}
	tick := func() error {
		if report != nil {
			report(m.interval())
		}
		return health.Look()
	}
	err = worker.Run(ctx, worker.Options{CPUs: cfg.CPUs, Every: cfg.Interval, Tick: tick}, c.loop)
	total := m.total()
	if report != nil {
		report(m.interval())
	}
	if errors.Is(c.err, capfile.ErrEnough) {
		c.err = nil
	}
	if err = errors.Join(err, c.err, health.Left()); err != nil {
		err = fmt.Errorf("capture: %s: %w", cfg.Port.Info().Address, err)
	}
	return total, err
}

// capturer checks the settings, fills the zero values in and makes the worker.
func (cfg *Config) capturer() (*capturer, error) {
	if cfg.Port == nil || cfg.Output == nil && cfg.File == "" {
		return nil, errors.New("capture: a port and an output are needed")
	}
	if cfg.Format == "" {
		cfg.Format = Pcap
	}
	if cfg.SnapLen == 0 {
		cfg.SnapLen = MaxSnap
	}
	if cfg.Batch == 0 {
		cfg.Batch = 256
	}
	if cfg.Interval <= 0 {
		cfg.Interval = time.Second
	}
	info := cfg.Port.Info()
	switch {
	case cfg.SnapLen < 1 || cfg.SnapLen > MaxSnap:
		return nil, fmt.Errorf("capture: snap length of %d bytes: want 1 to %d", cfg.SnapLen, MaxSnap)
	case cfg.Batch < 1 || cfg.Batch > packet.MaxTake:
		return nil, fmt.Errorf("capture: batch of %d: want 1 to %d", cfg.Batch, packet.MaxTake)
	case info.Pool == nil:
		return nil, fmt.Errorf("capture: %s has no pool", info.Address)
	}
	before, _ := cfg.Port.Stats()
	c := &capturer{
		port: cfg.Port, missed: before.RxMissed, batch: make([]*packet.Buf, cfg.Batch), count: cfg.Count, snap: cfg.SnapLen, unbuffered: cfg.Unbuffered, filter: cfg.Filter, stamps: cfg.Timestamps,
		idle: worker.Idle{Sleep: cfg.IdleSleep}, adapt: cfg.Adaptive, cache: info.Pool.NewCache(), scratch: make([]byte, 0, 64<<10),
	}
	for i := range info.RxQueues {
		c.queues = append(c.queues, cfg.Port.RxQueue(i))
		worker.ShareCache(c.cache, c.queues[i])
	}
	var err error
	settings := capfile.Settings{Format: cfg.Format, Snap: cfg.SnapLen, Port: info.Address}
	if c.file, err = newSink(cfg.Output, cfg.File, cfg.Rotation, settings); err != nil {
		return nil, fmt.Errorf("capture: %w", err)
	}
	return c, nil
}
