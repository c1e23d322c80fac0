package worker

import (
	"runtime"
	"time"
)

// How many polls without result pass before a worker lets others run. Whoever holds the other end, such as
// a card's model, may wait for this very CPU (another process: sched_yield) or for one of this program's
// few running threads (another goroutine: Gosched, which costs two thread switches).
const (
	yieldEvery = 32
	schedEvery = 1024
	sleepAfter = 4096
)

// Idle is what a worker does between polls that bring nothing. The zero Idle polls on and yields.
type Idle struct {
	// Sleep is how long to sleep at a time when nothing has come for 4,096 polls; 0: never.
	Sleep time.Duration

	polls    uint
	adaptive *adaptive // nil: it does not sleep until there is something
}

// Busy is to be called after a poll that brought something.
func (i *Idle) Busy() { i.polls = 0 }

// Poll is to be called after a poll that brought nothing. It tells whether it let others run.
func (i *Idle) Poll() bool {
	i.polls++
	return i.polls%yieldEvery == 0 && i.pause()
}

func (i *Idle) pause() bool {
	switch {
	case i.adaptive != nil && i.adaptive.pause(i.polls):
	case i.Sleep > 0 && i.polls >= sleepAfter:
		time.Sleep(i.Sleep)
	case i.polls%schedEvery == 0:
		runtime.Gosched()
	default:
		yield()
	}
	return true
}
