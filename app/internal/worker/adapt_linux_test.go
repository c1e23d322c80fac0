package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"glassnic/internal/wake"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// limit sets how long a worker sleeps at a time.
func limit(t *testing.T, d time.Duration) {
	before := sleepLimit
	sleepLimit = d
	t.Cleanup(func() { sleepLimit = before })
}

// noLimit has a sleep that nobody ends last so long that the test fails: nobody counts as woken.
func noLimit(t *testing.T) { limit(t, 10*time.Second) }

// waiter is a receive queue with nothing in it but what a test does.
type waiter struct {
	event *wake.Event
	onArm func(w *waiter) bool // nil: arming succeeds
	armed bool

	disarms int
}

func newWaiter(t *testing.T) *waiter {
	t.Helper()
	e, err := wake.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return &waiter{event: e}
}

func (*waiter) Receive([]*packet.Buf) int { return 0 }
func (w *waiter) WaitFD() int             { return w.event.FD() }

func (w *waiter) Arm() bool {
	w.armed = w.onArm == nil || w.onArm(w)
	return w.armed
}

func (w *waiter) Disarm() {
	w.armed = false
	w.disarms++
	_ = w.event.Clear()
}

// stopOf is what Run hands to loops.
func stopOf(t *testing.T) *Stop {
	t.Helper()
	e, err := wake.New()
	if err != nil {
		t.Fatal(err)
	}
	n, err := wake.NewNap(e)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close(); _ = e.Close() })
	return &Stop{event: e, nap: n}
}

func settled() bool { return true }

// A frame that comes before a queue is armed, between the arming of two, or after, keeps the worker from
// sleeping or wakes it, and afterwards no queue is armed.
func TestAdaptGaps(t *testing.T) {
	noLimit(t)
	const queues = 3
	for at := range queues + 1 {
		for to := range queues {
			var idle Idle
			var all []*waiter
			var rx []nic.RxQueue
			has := make([]bool, queues)
			for range queues {
				all = append(all, newWaiter(t))
				rx = append(rx, all[len(all)-1])
			}
			arrive := func() {
				has[to] = true
				if all[to].armed {
					_ = all[to].event.Signal()
				}
			}
			for q, w := range all {
				w.onArm = func(*waiter) bool {
					if q == at {
						arrive()
					}
					return !has[q]
				}
			}
			if at == queues {
				last := all[queues-1].onArm
				all[queues-1].onArm = func(w *waiter) bool {
					ok := last(w)
					w.armed = ok
					arrive()
					return ok
				}
			}
			idle.Adapt(stopOf(t), settled, rx...)
			for idle.polls < leastPolls {
				idle.Poll()
			}
			slept := idle.Sleeps()
			if want := uint64(1); to >= at && at < queues && slept.Sleeps != 0 || (to < at || at == queues) && (slept.Sleeps != want || slept.Woken != want) {
				t.Errorf("a frame for queue %d before arming queue %d: %+v", to, at, *slept)
			}
			for q, w := range all {
				if w.armed {
					t.Errorf("queue %d is still armed", q)
				}
			}
		}
	}
}

// The worker sleeps no sooner than it should, not while it holds frames, and again soon after it was woken for
// nothing.
func TestAdaptWhen(t *testing.T) {
	noLimit(t)
	w := newWaiter(t)
	w.onArm = func(w *waiter) bool {
		_ = w.event.Signal() // at once
		return true
	}
	var idle Idle
	may, asked := false, 0
	idle.Adapt(stopOf(t), func() bool { asked++; return may }, w)
	if idle.Sleeps().Sleeps != 0 {
		t.Error("it sleeps from the start")
	}
	for range leastPolls - 1 {
		idle.Poll()
	}
	if asked != 0 {
		t.Error("it would sleep too soon")
	}
	for range 10 * yieldEvery {
		idle.Poll()
	}
	if asked != 10 || idle.Sleeps().Sleeps != 0 {
		t.Errorf("it was asked %d times whether it may sleep, and slept %d times without leave", asked, idle.Sleeps().Sleeps)
	}
	may = true
	idle.adaptive.after = leastPolls
	for range 5 * yieldEvery {
		idle.adaptive.after = leastPolls // whatever short sleeps teach
		idle.Poll()
	}
	if s := idle.Sleeps(); s.Sleeps != 5 || s.Woken != 5 || s.Vain != 4 {
		t.Errorf("woken for nothing: %+v, want 5 sleeps, 4 of them known to be in vain", *s)
	}
	idle.Busy()
	for range leastPolls - 1 {
		idle.Poll()
	}
	if s := idle.Sleeps(); s.Sleeps != 5 || s.Vain != 4 {
		t.Errorf("after it was busy: %+v", *s)
	}
}

func TestAdaptLearns(t *testing.T) {
	a := adaptive{after: leastPolls}
	for _, c := range []struct {
		slept time.Duration
		after uint
	}{
		{shortSleep, leastPolls}, {shortSleep - 1, 2 * leastPolls}, {0, 4 * leastPolls}, {longSleep, 4 * leastPolls},
		{0, mostPolls}, {0, mostPolls}, {longSleep + 1, leastPolls},
	} {
		if a.learn(c.slept); a.after != c.after {
			t.Errorf("after a sleep of %v it polls %d times, want %d", c.slept, a.after, c.after)
		}
	}
}

// A frame of a card that does not interrupt is found when the limit is reached. Queues stay armed until then, since
// it may cost time to disarm them.
func TestAdaptNoInterrupt(t *testing.T) {
	limit(t, time.Millisecond)
	w := newWaiter(t)
	arms := 0
	w.onArm = func(*waiter) bool { arms++; return arms != 4 }
	var idle Idle
	var settles int
	idle.Adapt(stopOf(t), func() bool { settles++; return true }, newWaiter(t), w)
	for range leastPolls {
		idle.Poll()
	}
	if s := idle.Sleeps(); s.Sleeps != 3 || s.Woken != 0 || s.Asleep < (1+2+4)*uint64(time.Millisecond) || settles != 4 || arms != 4 || w.disarms != 1 || w.armed {
		t.Errorf("%+v, counters published %d times, queue armed %d times and disarmed %d times", *s, settles, arms, w.disarms)
	}
	// A worker that may not sleep any more, such as one that cannot write, does not.
	may := true
	idle.Adapt(stopOf(t), func() bool { may = !may; return !may }, w)
	for range yieldEvery {
		idle.Poll()
	}
	if s := idle.Sleeps(); s.Sleeps != 1 || w.armed {
		t.Errorf("%+v", *s)
	}
}

// A worker with a queue that cannot wake it, or that nobody could stop while it sleeps, looks again soon.
func TestAdaptBlind(t *testing.T) {
	noLimit(t)
	p, err := nictest.New(nictest.Config{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	w := newWaiter(t)
	for _, stop := range []*Stop{stopOf(t), {}} {
		var idle Idle
		queues := []nic.RxQueue{w, p.RxQueue(0)}
		if stop.event == nil {
			queues = queues[:1]
		}
		idle.Adapt(stop, settled, queues...)
		for idle.Sleeps().Sleeps < 6 {
			idle.Poll()
		}
		if s := idle.Sleeps(); s.Woken != 0 || s.Asleep < uint64(15*blindSleep+2*longBlind) || s.Asleep >= uint64(sleepLimit) || idle.adaptive.nap != longBlind {
			t.Errorf("%+v, the last for %v", *s, idle.adaptive.nap)
		}
		idle.Busy()
		for idle.Sleeps().Sleeps < 7 {
			idle.Poll()
		}
		if idle.adaptive.nap != blindSleep || w.disarms != 0 {
			t.Errorf("after it was busy it sleeps for %v; disarmed %d times", idle.adaptive.nap, w.disarms)
		}
	}
}

// Loops that sleep end at once when they are told to.
func TestAdaptStop(t *testing.T) {
	noLimit(t)
	ctx, cancel := context.WithCancel(t.Context())
	var asleep atomic.Int32
	loop := func(w *waiter) func(*Stop) {
		return func(s *Stop) {
			var idle Idle
			idle.Adapt(s, func() bool { asleep.Add(1); return true }, w)
			for !s.Stopped() {
				idle.Poll()
			}
			if s := idle.Sleeps(); s.Woken != 0 || s.Asleep >= uint64(sleepLimit) {
				t.Errorf("who is stopped counts as woken, or sleeps on: %+v", *s)
			}
		}
	}
	err := Run(ctx, Options{Every: time.Millisecond, Tick: func() error {
		if asleep.Load() == 2 {
			cancel()
		}
		return nil
	}}, loop(newWaiter(t)), loop(newWaiter(t)))
	if err != nil || asleep.Load() < 2 {
		t.Errorf("%d asleep: %v", asleep.Load(), err)
	}
}

// Frames that come one by one, each when the one before was received, all arrive though the worker sleeps between
// them for as long as nobody wakes it.
func TestAdaptStress(t *testing.T) {
	noLimit(t)
	p, err := nictest.New(nictest.Config{Queues: 4, Buffers: 64, Interrupts: true})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	ctx, cancel := context.WithCancel(t.Context())
	var got atomic.Int64
	var lost atomic.Bool
	var sleeps Sleeps
	var done sync.WaitGroup
	done.Go(func() {
		_ = Run(ctx, Options{Every: time.Hour}, func(s *Stop) {
			var queues []nic.RxQueue
			for i := range 4 {
				queues = append(queues, p.RxQueue(i))
			}
			var idle Idle
			idle.Adapt(s, settled, queues...)
			idle.adaptive.after = yieldEvery
			batch := make([]*packet.Buf, 8)
			for !s.Stopped() {
				n := 0
				for _, q := range queues {
					k := q.Receive(batch)
					packet.Free(batch[:k])
					n += k
				}
				if idle.adaptive.after = yieldEvery; n > 0 {
					idle.Busy()
				} else {
					idle.Poll()
				}
				got.Add(int64(n))
				if s := idle.Sleeps(); s.Sleeps > s.Woken {
					lost.Store(true) // or it was stopped, which is the end
				}
			}
			sleeps = *idle.Sleeps()
		})
	})
	const rounds = 3000
	frame := make([]byte, 60)
	for i := range rounds {
		p.Arrive(i*7%4, frame)
		for got.Load() <= int64(i) {
			yield()
		}
		if lost.Load() {
			t.Errorf("nobody woke the worker for frame %d", i)
			break
		}
		for spin := range i % 131 * 400 { // sooner or later in the way to sleep
			_ = spin
		}
	}
	cancel()
	done.Wait()
	if sleeps.Sleeps < rounds/10 || sleeps.Woken+1 < sleeps.Sleeps {
		t.Errorf("%+v in %d rounds", sleeps, rounds)
	}
}
