package worker

import (
	"runtime"
	"time"

	"glassnic/internal/wake"
	"glassnic/nic"
)

// When an adaptive worker sleeps. docs/performance.md says how these were measured.
const (
	// leastPolls is after how many empty polls a worker sleeps. It has to wait longer, up to mostPolls, where
	// sleeps turn out to be short, and is back at the least after a long one.
	leastPolls = 512
	mostPolls  = 4096
	shortSleep = 50 * time.Microsecond
	longSleep  = time.Millisecond
	// blindSleep is how long it sleeps at first where one of its queues cannot wake it, and twice as long each
	// time that none had a frame, up to longBlind.
	blindSleep = 250 * time.Microsecond
	longBlind  = 4 * time.Millisecond
)

// sleepLimit is how long a worker sleeps at a time at most, should a card that has a frame not interrupt, and
// twice as long each time that none had, up to longLimit. Tests change it.
var sleepLimit = 100 * time.Millisecond

const longLimit = 1600 * time.Millisecond

// Sleeps is what became of workers' idle time.
type Sleeps struct {
	Sleeps uint64 `json:"sleeps"`    // how often they slept
	Woken  uint64 `json:"woken"`     // of those, until a card woke them
	Vain   uint64 `json:"vain"`      // of those, with no frame there
	Asleep uint64 `json:"asleep_ns"` // of all workers together
}

// Add returns the sum of two workers' sleeps.
func (s Sleeps) Add(o Sleeps) Sleeps {
	return Sleeps{s.Sleeps + o.Sleeps, s.Woken + o.Woken, s.Vain + o.Vain, s.Asleep + o.Asleep}
}

// Sub returns what came after o.
func (s Sleeps) Sub(o Sleeps) Sleeps {
	return Sleeps{s.Sleeps - o.Sleeps, s.Woken - o.Woken, s.Vain - o.Vain, s.Asleep - o.Asleep}
}

// adaptive lets a worker sleep until one of its queues has a frame.
type adaptive struct {
	stop    *Stop
	settle  func() bool
	waiters []nic.Waiter
	set     wake.Set
	blind   bool // a queue cannot wake it: it does not rely on the others either

	after  uint          // empty polls before it sleeps
	nap    time.Duration // the last sleep where it is blind
	woken  bool          // by the last sleep
	polls  uint          // at the end of the last sleep
	sleeps Sleeps
}

// Adapt has the worker that calls it sleep when it has had nothing to do for long, until one of its receive
// queues has a frame or stop says so. settle is called before: it publishes counters, and tells whether the
// worker may sleep, which it may not while frames wait for it elsewhere. The worker is to go on calling Busy
// and Poll.
func (i *Idle) Adapt(stop *Stop, settle func() bool, queues ...nic.RxQueue) {
	a := &adaptive{stop: stop, settle: settle, after: leastPolls, blind: stop.event == nil}
	a.set.Add(stop.fd())
	for _, q := range queues {
		w, ok := q.(nic.Waiter)
		if !ok || w.WaitFD() < 0 {
			a.blind = true
			continue
		}
		a.waiters = append(a.waiters, w)
		a.set.Add(w.WaitFD())
	}
	i.adaptive = a
}

// Sleeps returns how the worker has slept so far; nil where it does not.
func (i *Idle) Sleeps() *Sleeps {
	if i.adaptive == nil {
		return nil
	}
	return &i.adaptive.sleeps
}

// pause is called after polls empty ones in a row. It reports false where the worker should not sleep yet.
func (a *adaptive) pause(polls uint) bool {
	if a.woken && polls >= a.polls+yieldEvery {
		a.sleeps.Vain++
	}
	a.woken = false
	if polls < a.after || a.stop.Stopped() || !a.settle() {
		return false
	}
	if a.blind {
		a.doze(polls)
		return true
	}
	if armed := a.arm(); armed < len(a.waiters) {
		a.disarm(armed)
		return true
	}
	begin := time.Now()
	limit := sleepLimit
	for a.sleep(limit) && !a.stop.Stopped() && a.settle() && a.arm() == len(a.waiters) {
		limit = min(2*limit, max(longLimit, limit))
	}
	a.learn(time.Since(begin))
	a.polls = polls
	a.disarm(len(a.waiters))
	return true
}

// arm arms queues until one has a frame, and returns how many it armed.
func (a *adaptive) arm() int {
	for i, w := range a.waiters {
		if !w.Arm() {
			return i
		}
	}
	return len(a.waiters)
}

func (a *adaptive) disarm(n int) {
	for _, w := range a.waiters[:n] {
		w.Disarm()
	}
}

// sleep sleeps once, and tells whether that lasted for as long as it may.
func (a *adaptive) sleep(limit time.Duration) bool {
	begin := time.Now()
	woken, err := a.set.Sleep(limit)
	if err != nil {
		time.Sleep(blindSleep) // the kernel lacks memory: that may pass
	}
	a.sleeps.Sleeps++
	a.sleeps.Asleep += uint64(time.Since(begin).Nanoseconds())
	if a.woken = woken && !a.stop.Stopped(); a.woken {
		a.sleeps.Woken++
	}
	return !woken && err == nil
}

// doze sleeps for a while that grows with each time that nothing had come.
func (a *adaptive) doze(polls uint) {
	if polls == a.polls+yieldEvery {
		a.nap = min(2*a.nap, longBlind)
	} else {
		a.nap = blindSleep
	}
	begin := time.Now()
	if a.stop.nap != nil && a.nap >= time.Millisecond {
		runtime.Gosched() // where there is one processor, it is not handed on during a nap
		a.stop.nap.Sleep(a.nap)
	} else {
		time.Sleep(a.nap)
	}
	a.sleeps.Sleeps++
	a.sleeps.Asleep += uint64(time.Since(begin).Nanoseconds())
	a.polls = polls
}

// learn has the worker poll longer after a sleep that was not worth it.
func (a *adaptive) learn(slept time.Duration) {
	switch {
	case slept < shortSleep:
		a.after = min(2*a.after, mostPolls)
	case slept > longSleep:
		a.after = leastPolls
	}
}
