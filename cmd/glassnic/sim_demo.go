package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/forward"
	"glassnic/internal/cpu"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// picture is the way of a frame.
const picture = "generator > wire > card > driver > fwd > driver > card > wire > sink"

func newSimDemo() *cobra.Command {
	var (
		d      time.Duration
		sizes  string
		cfg    forward.Config
		pin    cpus
		asJSON bool
	)
	c := &cobra.Command{
		Use: "demo", Short: "Forward between two simulated cards, and count at every station", Args: wants,
		Long: `Forward between two simulated cards for a while, in both directions:

  ` + picture + `

Then stop the generators, wait until all frames are through, and show that what every station counted
adds up; exit 1 if it does not. The cards have a thread, fwd has another; neither needs root.`,
	}
	durationFlag(c, &d, 10*time.Second, "how long the generators run (0: until Ctrl-C)")
	c.Flags().StringVar(&sizes, "sizes", "60", "bytes of the frames without FCS, such as 60+590+1514, or imix")
	batchFlag(c, &cfg.Batch, 32)
	c.Flags().Var(&pin, "cpus", "two CPUs: that of fwd, that of the cards")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkBatch(cfg.Batch); err != nil {
			return err
		}
		if len(pin) != 0 && len(pin) != 2 {
			return usage("--cpus %v: want two", &pin)
		}
		if !asJSON {
			fmt.Fprintln(c.OutOrStdout(), picture)
		}
		run, err := newDemo(c, sizes, pin)
		if err != nil {
			return err
		}
		cfg.A, cfg.B = run.ports[0], run.ports[1]
		cfg.Patience = math.MaxInt // the generators wait, so nothing need be dropped
		if len(pin) > 0 {
			cfg.CPUs = pin[:1]
		}
		p := &fwdPrinter{w: c.OutOrStdout(), json: asJSON}
		a, err := run.forward(c.Context(), cfg, d, p.interval)
		if err := errors.Join(err, run.close()); err != nil {
			return err
		}
		if asJSON {
			if err := errors.Join(printJSON(c.OutOrStdout(), a.Total), printJSON(c.OutOrStdout(), a)); err != nil {
				return err
			}
		} else if err := a.print(c.OutOrStdout()); err != nil {
			return err
		}
		if len(a.Wrong) > 0 {
			return fmt.Errorf("sim demo: the accounts do not add up: %q", a.Wrong)
		}
		return nil
	}
	return c
}

// demo is two cards of one world, each between a generator and a sink, and the driver on both.
type demo struct {
	world *sim.World
	stop  context.CancelFunc // of the world
	done  chan error
	cards [2]*sim.Port
	taps  [2]*tap
	pool  *packet.Pool // of both ports
	ports [2]nic.Device
}

func newDemo(c *cobra.Command, sizes string, pin cpus) (_ *demo, err error) {
	w, err := sim.NewWorld(0)
	if err != nil {
		return nil, fmt.Errorf("sim demo: %w", err)
	}
	r := &demo{world: w, done: make(chan error, 1)}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	go func() {
		runtime.LockOSThread()
		var err error
		if len(pin) > 1 {
			err = cpu.Pin(pin[1]) // the cards run all the same, so that the ports can be closed
		}
		w.Run(ctx)
		r.done <- err
	}()
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("sim demo: %w", err), r.close())
		}
	}()
	for i := range r.cards {
		end, err := wire.Parse(fmt.Sprintf("peer,stream=%d,size=%s", i, sizes))
		if err != nil {
			return nil, usageError{err}
		}
		r.taps[i] = &tap{Counted: end}
		if r.cards[i], err = w.Add(fmt.Sprintf("card %c", 'A'+i), ixgbe.Config{Wire: r.taps[i]}); err != nil {
			return nil, err
		}
		fn, err := r.cards[i].Function()
		if err != nil {
			return nil, err
		}
		if r.pool == nil {
			if r.pool, err = packet.NewPool(fn.DMA(), packet.PoolConfig{}); err != nil {
				return nil, errors.Join(err, fn.Close())
			}
		}
		r.ports[i], err = nic.OpenFunction(c.Context(), fn, nic.Config{
			Pool: r.pool, Port: uint8(i), Promiscuous: true, MTU: 9000, Logger: logger(c),
		})
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// forward forwards for d or until ctx ends, lets the pipeline run empty, and returns the account.
func (r *demo) forward(ctx context.Context, cfg forward.Config, d time.Duration, report func(forward.Report)) (*account, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	go func() {
		var end <-chan time.Time
		if d > 0 {
			end = time.After(d)
		}
		select {
		case <-ctx.Done():
		case <-end:
		}
		for _, t := range r.taps {
			t.shut()
		}
		r.settle()
		stop()
	}()
	total, err := forward.Run(work, cfg, report)
	if err != nil {
		return nil, err
	}
	return r.account(total)
}

// settle waits until all frames that the generators sent have arrived, or nothing moves any more.
func (r *demo) settle() {
	const patience = 500 * time.Millisecond
	last, moved := r.counts(), time.Now()
	for time.Since(moved) < patience && !last.through() {
		time.Sleep(time.Millisecond)
		if now := r.counts(); now != last {
			last, moved = now, time.Now()
		}
	}
}

// demoCounts are counts in the middle of a run, by direction: A to B, B to A.
type demoCounts [2]struct{ sent, cardRx, driverRx, driverTx, sink uint64 }

func (r *demo) counts() (n demoCounts) {
	for i := range n {
		from, to := i, 1-i
		n[i].sent, n[i].sink = r.taps[from].Stats().RxFrames, r.taps[to].Stats().TxFrames
		n[i].cardRx = r.cards[from].Card.Totals().RxFrames
		if s, err := r.ports[from].Stats(); err == nil {
			n[i].driverRx = s.RxPackets
		}
		if s, err := r.ports[to].Stats(); err == nil {
			n[i].driverTx = s.TxPackets
		}
	}
	return n
}

// through tells whether all frames are at the end of their way, and all counters say so.
func (n demoCounts) through() bool {
	for _, d := range n {
		if d.cardRx != d.sent || d.driverRx != d.sent || d.driverTx != d.sent || d.sink != d.sent {
			return false
		}
	}
	return true
}

// close ends the ports first, then the cards.
func (r *demo) close() error {
	var errs []error
	for _, p := range r.ports {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if r.pool != nil {
		errs = append(errs, r.pool.Close())
	}
	r.stop()
	errs = append(errs, <-r.done)
	return errors.Join(append(errs, r.world.Close())...)
}

// tap is a wire that can be shut: then nothing arrives from it any more.
type tap struct {
	wire.Counted
	mu     sync.Mutex
	closed bool
}

// Receive implements wire.End.
func (t *tap) Receive(frames []wire.Frame) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return 0
	}
	return t.Counted.Receive(frames)
}

// shut returns when no frame is under way from the wire to the card's side any more.
func (t *tap) shut() {
	t.mu.Lock()
	t.closed = true
	t.mu.Unlock()
}

// Totals implements wire.Checked.
func (t *tap) Totals() traffic.Totals { return t.Counted.(wire.Checked).Totals() }
