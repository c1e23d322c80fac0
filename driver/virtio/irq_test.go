package virtio_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"glassnic/bus/irq"
	"glassnic/nic"
)

// interrupts is a irq.Set that a test looks at.
type interrupts struct {
	kind    irq.Kind
	vectors int
	events  []*wakeup
	err     error // of Interrupts
	enable  error // of Enable
	ended   int   // times that Disable was called
}

func (s *interrupts) Kind() irq.Kind { return s.kind }
func (s *interrupts) Vectors() int   { return s.vectors }

func (s *interrupts) Enable(n int) (events []irq.Event, err error) {
	if s.enable != nil {
		return nil, s.enable
	}
	for i := range n {
		e := &wakeup{fd: 100 + i}
		s.events = append(s.events, e)
		events = append(events, e)
	}
	return events, nil
}

func (s *interrupts) Disable() error {
	s.ended++
	s.events = nil
	return nil
}

// wakeup is an irq.Event.
type wakeup struct {
	fd    int
	fired int // since the last Clear
	total int
}

func (e *wakeup) fire()        { e.fired++; e.total++ }
func (e *wakeup) FD() int      { return e.fd }
func (e *wakeup) Clear() error { e.fired = 0; return nil }

// interrupt interrupts after a buffer was used, where the driver wants that (2.7.7, 2.8.14).
func (c *card) interrupt(q *vq) {
	var wanted bool
	switch {
	case c.has(fPacked):
		wanted = le.Uint16(c.at("event suppression", q.driver+2, 2, false)) == 0
	case c.has(fEventIdx):
		wanted = le.Uint16(c.at("available ring", q.driver+4+2*uint64(q.size), 2, false)) == q.used-1
	default:
		wanted = le.Uint16(c.at("available ring", q.driver, 2, false)) == 0
	}
	if !wanted || c.set == nil || c.set.events == nil {
		return
	}
	if c.set.kind == irq.MSIX {
		if int(q.vector) < len(c.set.events) {
			c.set.events[q.vector].fire()
		}
		return
	}
	c.isr = 1
	c.set.events[0].fire()
}

// A frame wakes a queue that is armed, and none that is not.
func TestWake(t *testing.T) {
	for name, make := range map[string]func() *card{
		"modern": newCard, "legacy": legacyCard, "packed": packedCard,
		"event index":         func() *card { c := newCard(); c.offered |= fEventIdx; return c },
		"packed, event index": func() *card { c := packedCard(); c.offered |= fEventIdx; return c },
	} {
		for _, kind := range []irq.Kind{irq.MSIX, irq.INTx} {
			t.Run(name+" "+kind.String(), func(t *testing.T) {
				c := make()
				c.set = &interrupts{kind: kind, vectors: 3}
				if kind == irq.MSIX && c.device == 0x1000 {
					c.msix()
				}
				r := open(t, c, nic.Config{Buffers: 1280, Interrupts: true})
				w := r.dev.RxQueue(0).(nic.Waiter)
				e := c.set.events[0]
				if w.WaitFD() != 100 || len(c.set.events) != 1 {
					t.Fatalf("descriptor %d of %d", w.WaitFD(), len(c.set.events))
				}
				put := func(n int) {
					for range n {
						r.put(frame(60, 1))
					}
					r.step()
				}
				for round := range 400 { // around the rings
					put(1 + round%3)
					if e.total != round {
						t.Fatalf("round %d: %d interrupts without being armed", round, e.total-round)
					}
					if w.Arm() {
						t.Fatal("the worker may sleep over a frame")
					}
					r.receive(0, 32)
					if !w.Arm() {
						t.Fatal("the worker may not sleep")
					}
					put(1)
					if e.fired == 0 || e.total != round+1 {
						t.Fatalf("round %d: %d interrupts for a frame", round, e.total-round)
					}
					w.Disarm()
					if e.fired != 0 || c.isr != 0 {
						t.Fatal("the interrupt stays")
					}
					r.receive(0, 32)
				}
				if err := r.dev.Close(); err != nil || c.set.ended != 1 {
					t.Errorf("%v, ended %d times", err, c.set.ended)
				}
			})
		}
	}
}

// Queues have vectors of their own.
func TestVectors(t *testing.T) {
	c := newCard()
	c.offered |= fCtrl | fMQ
	c.setPairs(2)
	c.set = &interrupts{kind: irq.MSIX, vectors: 8}
	r := open(t, c, nic.Config{RxQueues: 2, TxQueues: 2, Buffers: 4096, Interrupts: true})
	for i, want := range []uint16{0, 0xffff, 1, 0xffff, 0xffff} {
		if v := c.vqs[i].vector; v != want {
			t.Errorf("queue %d has vector %#x", i, v)
		}
	}
	c.queue = func([]byte) int { return 1 }
	if !r.dev.RxQueue(1).(nic.Waiter).Arm() || !r.dev.RxQueue(0).(nic.Waiter).Arm() {
		t.Fatal("the workers may not sleep")
	}
	r.put(frame(60, 0))
	r.step()
	if a, b := c.set.events[0].total, c.set.events[1].total; a != 0 || b != 1 {
		t.Errorf("%d and %d interrupts", a, b)
	}
	r.receive(1, 8)
}

// Where there are no interrupts the queues cannot wake anybody, and all else works.
func TestNoInterrupts(t *testing.T) {
	for name, set := range map[string]*interrupts{
		"none": nil, "MSI": {kind: irq.MSI, vectors: 1}, "no vectors": {kind: irq.MSIX},
	} {
		c := newCard()
		c.set = set
		r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640, Interrupts: true})
		w := r.dev.RxQueue(0).(nic.Waiter)
		if w.WaitFD() != -1 || w.Arm() {
			t.Errorf("%s: it wakes", name)
		}
		w.Disarm()
	}
	burnt := errors.New("burnt")
	for _, l := range []struct {
		set  func(c *card)
		want string
	}{
		{func(c *card) { c.set = &interrupts{err: burnt} }, "burnt"},
		{func(c *card) { c.set = &interrupts{kind: irq.MSIX, vectors: 1, enable: burnt} }, "burnt"},
		{func(c *card) { c.set, c.poor = &interrupts{kind: irq.MSIX, vectors: 1}, true }, "queue_msix_vector"},
	} {
		c := newCard()
		l.set(c)
		cfg := small
		cfg.Interrupts = true
		if err := refused(t, context.Background(), c, cfg); !strings.Contains(err.Error(), l.want) {
			t.Error(err)
		}
	}
}
