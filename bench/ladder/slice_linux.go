package ladder

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/internal/tsc"
)

// quiet is how long a forwarder waits for a frame at a time.
const quiet = 5 * time.Millisecond

// patience is how long what must happen may take.
const patience = 30 * time.Second

// least is how many frames a slice has: it lasts longer where others have the core.
const least = 64

// counts are a forwarder's.
type counts struct{ received, sent, dropped, calls uint64 }

// watch tells a forwarder how long to go on. It belongs to its thread.
type watch struct {
	t      *track
	before counters // when nothing had been sent yet
	end    uint64
	late   uint64
	stop   func() // ends the source
	ended  bool   // it has
	still  bool   // and nothing came afterwards

	passes uint64 // ticks of passes that found something, where these are counted instead of processor time

	begin clocks
	sample
	err error
}

// clocks are nanoseconds, and the time stamp counter.
type clocks struct {
	tsc                          uint64
	thread, receiver             uint64 // that they ran
	threadWaited, receiverWaited uint64 // that they were ready to
}

func (w *watch) clocks() (c clocks) {
	var errs [4]error
	c.thread, errs[0] = cpuTime(unix.Gettid(), true)
	c.receiver, errs[1] = w.t.receiver.ran()
	c.threadWaited, errs[2] = waited(unix.Gettid())
	c.receiverWaited, errs[3] = w.t.receiver.waited()
	if err := errors.Join(errs[:]...); err != nil {
		w.err = err
	}
	c.tsc = tsc.Read()
	return c
}

func (w *watch) start(d time.Duration) {
	w.begin = w.clocks()
	w.end = w.begin.tsc + uint64(d.Seconds()*tsc.Hz())
	w.late = w.end + uint64(patience.Seconds()*tsc.Hz())
}

// over tells whether to end. At the end of the time it takes the measurement, and ends the source; what is on its way is
// still to be forwarded.
func (w *watch) over(c *counts) bool {
	if w.ended {
		return w.still || w.err != nil
	}
	t := tsc.Read()
	if t < w.end || c.sent < least && t < w.late {
		return false
	}
	if c.sent < least {
		w.err = fmt.Errorf("%d frames came through in %v", c.sent, patience)
	}
	now := w.clocks()
	w.wall = float64(now.tsc - w.begin.tsc)
	thread, receiver := now.thread-w.begin.thread, now.receiver-w.begin.receiver
	w.ticks = float64(thread+receiver) / 1e9 * tsc.Hz()
	// While one of the two runs the other may wait for it: their sum would count that twice.
	wanted := max(thread+receiver, thread+now.threadWaited-w.begin.threadWaited, receiver+now.receiverWaited-w.begin.receiverWaited)
	w.wanted = min(float64(wanted)/1e9*tsc.Hz(), w.wall)
	if w.passes > 0 {
		w.ticks = float64(w.passes)
		w.wanted = w.ticks
	}
	w.packets, w.calls = c.sent, c.calls
	w.stop()
	w.ended = true
	return w.err != nil
}

// idle is called when no frame came for a while.
func (w *watch) idle() { w.still = w.ended }

// slice runs a forwarder on its thread while the source sends.
func (t *track) slice(b *bed, d time.Duration, forward func(*watch, *counts)) (s sample, err error) {
	before, err := t.counters()
	if err != nil {
		return s, err
	}
	var stop atomic.Bool
	done := make(chan error, 1)
	go func() {
		done <- t.ns.do(func() error {
			for !stop.Load() {
				if err := send(t.source, t.frame); err != nil {
					return err
				}
			}
			return nil
		})
	}()
	var sourceErr error
	w := &watch{t: t, before: before, stop: func() {
		stop.Store(true)
		sourceErr = <-done
	}}
	var c counts
	_ = b.forwarder.do(func() error {
		w.start(d)
		forward(w, &c)
		return nil
	})
	if !w.ended {
		w.stop()
	}
	if err := errors.Join(sourceErr, w.err); err != nil {
		return s, err
	}
	s = w.sample
	s.received, s.sent, s.dropped = c.received, c.sent, c.dropped
	return s, t.settle(&s, before)
}

// counters are the track's own, since it was made.
type counters struct {
	arrived, wrong uint64 // at the sink
	in, out        uint64 // received by the kernel at in, and sent at out
	inLost         uint64 // the ring of in was full
	outLost        uint64 // that of the sink
}

func (t *track) counters() (c counters, err error) {
	if c.arrived, c.wrong, err = t.sink.read(); err != nil {
		return c, err
	}
	in, err := t.handle.LinkByIndex(t.inLink.Attrs().Index)
	if err != nil {
		return c, fmt.Errorf("%s: %w", t.in, err)
	}
	out, err := t.handle.LinkByIndex(t.outLink.Attrs().Index)
	if err != nil {
		return c, fmt.Errorf("%s: %w", t.out, err)
	}
	i, o := in.Attrs().Statistics, out.Attrs().Statistics
	c.in, c.inLost, c.out, c.outLost = i.RxPackets, i.RxDropped, o.TxPackets, o.TxDropped
	return c, nil
}

// settle waits until every frame that was sent has arrived, and counts.
func (t *track) settle(s *sample, before counters) error {
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		now, err := t.counters()
		if err != nil {
			return err
		}
		s.arrived, s.wrong = now.arrived-before.arrived, now.wrong-before.wrong
		lost := now.outLost - before.outLost
		if s.arrived+lost >= s.sent {
			in := now.in + now.inLost - before.in - before.inLost
			s.missed = in - min(s.received, in) // testpmd may receive some from before
			s.offered = s.missed + s.received
			return nil
		}
		if time.Since(begin) > patience {
			return fmt.Errorf("%d frames were sent, %d arrived at the sink and %d did not fit its ring", s.sent, s.arrived, lost)
		}
	}
}
