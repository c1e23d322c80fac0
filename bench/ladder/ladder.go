// Package ladder does the same job on each of the ways that a frame can take through a machine, and measures what a frame
// costs there: receive, change one byte, send, with frames of 60 bytes, on one core.
//
// The other core is source and sink. For what goes through the kernel these are XDP programs at the far ends of two pairs
// of virtual interfaces, in a network namespace made for it: the kernel sends batches of frames that no socket and no copy
// has a part in (BPF_PROG_TEST_RUN with live frames), and throws away what arrives, after it has looked at it. For what
// goes past the kernel they are our own driver at the other end of a vhost-user socket, or a modelled card. Each offers more than
// the forwarder takes: Result counts what it missed, and the share of its core's time that the forwarder was busy.
package ladder

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"glassnic/internal/cpu"
	"glassnic/internal/tsc"
)

// Options say what Run measures.
type Options struct {
	Rungs    []string      // names of Rungs(); empty: all but those aside
	Duration time.Duration // of all slices together; 0: 20 s
	Slice    time.Duration // 0: a tenth of a rung's share of Duration, 200 ms at most
	CPUs     []int         // the forwarder's, then the source's and sink's; empty: the first two that may be used
}

// Rung is one of the ladder's.
type Rung struct {
	Name    string
	What    string
	GivesUp string
	Copies  int
	Clock   string
	Touches bool
	Aside   bool // it is measured where it is named: it is there to be compared with one other

	open func(context.Context, *bed) (runner, error)
}

func (r Rung) result() Result {
	return Result{Rung: r.Name, What: r.What, GivesUp: r.GivesUp, Copies: r.Copies, Clock: r.Clock, Touches: r.Touches}
}

// runner is a rung that is ready.
type runner interface {
	// slice forwards for a while.
	slice(time.Duration) (sample, error)
	close() error
}

// bed is what rungs share.
type bed struct {
	cpus      [2]int  // the forwarder's, the source's and sink's
	forwarder *thread // on the first of these
}

// errLeftOut is around why a rung cannot run on this machine.
var errLeftOut = errors.New("left out")

func leftOut(format string, args ...any) error {
	return fmt.Errorf("%w: %w", errLeftOut, fmt.Errorf(format, args...))
}

func (o Options) defaults() (Options, []Rung, error) {
	var rungs []Rung
	for _, r := range Rungs() {
		if len(o.Rungs) == 0 && !r.Aside || slices.Contains(o.Rungs, r.Name) {
			rungs = append(rungs, r)
		}
	}
	for _, name := range o.Rungs {
		if !slices.Contains(Names(), name) {
			return o, nil, fmt.Errorf("ladder: no rung %q: have %v", name, Names())
		}
	}
	if o.Duration == 0 {
		o.Duration = 20 * time.Second
	}
	if o.Slice == 0 {
		o.Slice = min(o.Duration/time.Duration(10*len(rungs)), 200*time.Millisecond)
	}
	if o.Duration < 0 || o.Slice <= 0 {
		return o, nil, fmt.Errorf("ladder: %v in slices of %v: want more than none", o.Duration, o.Slice)
	}
	if len(o.CPUs) == 0 {
		have, err := cpu.Allowed()
		if err != nil {
			return o, nil, fmt.Errorf("ladder: %w", err)
		}
		o.CPUs = have
	}
	if len(o.CPUs) < 2 || o.CPUs[0] == o.CPUs[1] {
		return o, nil, fmt.Errorf("ladder: needs two CPUs, one to forward and one for source and sink, not %v", o.CPUs)
	}
	return o, rungs, nil
}

// Names returns the names of Rungs.
func Names() (all []string) {
	for _, r := range Rungs() {
		all = append(all, r.Name)
	}
	return all
}

// Run measures rungs, which take turns in short slices, and returns their results in the order of Rungs. One that this
// machine or user cannot run is in them with the reason; where all are, that is the error. The garbage collector is off meanwhile.
func Run(ctx context.Context, opt Options) ([]Result, error) {
	opt, rungs, err := opt.defaults()
	if err != nil {
		return nil, err
	}
	return measure(ctx, opt, rungs)
}

func measure(ctx context.Context, opt Options, rungs []Rung) (_ []Result, err error) {
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	b := &bed{cpus: [2]int(opt.CPUs[:2])}
	if b.forwarder, err = newThread(b.cpus[0], nil); err != nil {
		return nil, fmt.Errorf("ladder: %w", err)
	}
	defer b.forwarder.close()

	results := make([]Result, len(rungs))
	runners := make([]runner, len(rungs))
	defer func() {
		for i, r := range runners {
			if r == nil {
				continue
			}
			if e := r.close(); e != nil {
				err = errors.Join(err, fmt.Errorf("ladder: %s: %w", rungs[i].Name, e))
			}
		}
	}()
	ready := 0
	var why []error
	for i, r := range rungs {
		results[i] = r.result()
		runners[i], err = r.open(ctx, b)
		if errors.Is(err, errLeftOut) {
			results[i].Skipped = err.Error()
			why = append(why, fmt.Errorf("ladder: %s: %w", r.Name, err))
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("ladder: %s: %w", r.Name, err)
		}
		ready++
	}
	if ready == 0 {
		return nil, errors.Join(why...)
	}
	counted, err := b.countCalls(rungs, runners, opt.Slice)
	if err != nil && !errors.Is(err, errLeftOut) {
		return nil, fmt.Errorf("ladder: %w", err)
	}
	slots := make([][]sample, len(rungs))
	for rounds := max(int(opt.Duration/opt.Slice)/max(ready, 1), 1); rounds > 0; rounds-- {
		for i, r := range runners {
			if r == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			s, err := r.slice(opt.Slice)
			if err != nil {
				return nil, fmt.Errorf("ladder: %s: %w", rungs[i].Name, err)
			}
			slots[i] = append(slots[i], s)
		}
	}
	for i, r := range rungs {
		if runners[i] != nil {
			results[i] = result(r, slots[i], tsc.Hz())
			if i < len(counted) {
				results[i].SystemCalls = counted[i]
			}
		}
	}
	return results, nil
}
