// Package worker is what the applications share: loops that each keep a thread and a CPU to
// themselves, what they do while there is nothing to do, and how their counters are read.
package worker

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"glassnic/internal/cpu"
	"glassnic/internal/wake"
)

// Stop tells loops to end. It is polled once per loop and has a cache line of its own.
type Stop struct {
	_    [64]byte
	flag atomic.Bool
	_    [63]byte

	event *wake.Event // for loops that sleep; nil where there are no events
	nap   *wake.Nap   // which the event ends; nil likewise
}

// Stopped tells whether the loop should end.
func (s *Stop) Stopped() bool { return s.flag.Load() }

// end tells loops to end, and wakes them up.
func (s *Stop) end() {
	s.flag.Store(true)
	if s.event != nil {
		_ = s.event.Signal() // fails only once it is closed
	}
}

// fd is readable from end on; -1 where there are no events.
func (s *Stop) fd() int {
	if s.event == nil {
		return -1
	}
	return s.event.FD()
}

// Options say how Run runs loops.
type Options struct {
	// CPUs are the CPUs that the loops are pinned to: loop i to CPUs[i % len(CPUs)]. If there are
	// none, loops keep a thread each and the kernel chooses the CPU.
	CPUs []int
	// Every is the time between two calls of Tick.
	Every time.Duration
	// Tick is called on Run's goroutine until the loops have been told to stop. An error stops them.
	Tick func() error
}

// Run runs the loops until all have returned. When ctx ends, when a CPU cannot be had or when Tick
// fails, they are told to stop. The end of ctx is no error.
func Run(ctx context.Context, opt Options, loops ...func(*Stop)) error {
	var (
		stop Stop
		wg   sync.WaitGroup
		errs = make([]error, len(loops), len(loops)+1)
	)
	if e, err := wake.New(); err == nil {
		stop.event = e
		defer e.Close()
		if n, err := wake.NewNap(e); err == nil {
			stop.nap = n
			defer n.Close()
		}
	}
	for i, loop := range loops {
		wg.Go(func() {
			// A goroutine that ends with its thread locked takes the thread with it, pinned as it is.
			runtime.LockOSThread()
			if len(opt.CPUs) == 0 {
				defer runtime.UnlockOSThread()
			} else if err := cpu.Pin(opt.CPUs[i%len(opt.CPUs)]); err != nil {
				errs[i] = fmt.Errorf("worker %d: %w", i, err)
				stop.end()
				return
			}
			loop(&stop)
		})
	}
	done := make(chan struct{})
	go func() {
		wg.Wait()
		close(done)
	}()
	err := opt.watch(ctx, done)
	stop.end()
	<-done
	return errors.Join(append(errs, err)...)
}

// watch calls Tick until there is a reason to stop.
func (o *Options) watch(ctx context.Context, done <-chan struct{}) error {
	ticker := time.NewTicker(o.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-done:
			return nil
		case <-ticker.C:
			if err := o.Tick(); err != nil {
				return err
			}
		}
	}
}
