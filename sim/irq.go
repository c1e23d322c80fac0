package sim

import (
	"errors"
	"fmt"
	"sync"

	"glassnic/bus/irq"
	facts "glassnic/chip/ixgbe"
	"glassnic/internal/wake"
	"glassnic/sim/ixgbe"
)

// interrupts implements irq.Set for a model in this process. Its events are eventfds, so there are none
// without Linux.
type interrupts struct {
	name    string
	card    *ixgbe.Card
	kind    irq.Kind
	vectors int

	mu     sync.Mutex
	events []*wake.Event
}

func newInterrupts(name string, card *ixgbe.Card, kind irq.Kind) irq.Set {
	e, err := wake.New()
	if err != nil {
		return nil
	}
	_ = e.Close()
	n := facts.MSIXVectors
	if kind != irq.MSIX {
		n = 1
	}
	return &interrupts{name: name, card: card, kind: kind, vectors: n}
}

func (s *interrupts) Kind() irq.Kind { return s.kind }
func (s *interrupts) Vectors() int   { return s.vectors }

// Enable implements irq.Set.
func (s *interrupts) Enable(n int) ([]irq.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case n < 1 || n > s.vectors:
		return nil, fmt.Errorf("%s: enable %d interrupts by %v: the model has %d", s.name, n, s.kind, s.vectors)
	case s.events != nil:
		return nil, fmt.Errorf("%s: enable %d interrupts by %v: they are on: disable them first", s.name, n, s.kind)
	}
	var (
		list   []irq.Event
		events []*wake.Event
	)
	for range n {
		e, err := wake.New()
		if err != nil {
			for _, e := range events {
				err = errors.Join(err, e.Close())
			}
			return nil, fmt.Errorf("%s: enable %d interrupts: %w", s.name, n, err)
		}
		events = append(events, e)
		if s.kind == irq.INTx {
			list = append(list, &pin{e, s.card})
		} else {
			list = append(list, e)
		}
	}
	s.events = events
	s.card.SetInterrupts(s.kind, func(v int) {
		if v < len(events) {
			_ = events[v].Signal() // fails once it is closed, when nobody waits any more
		}
	})
	return list, nil
}

// Disable implements irq.Set.
func (s *interrupts) Disable() (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.events == nil {
		return nil
	}
	s.card.SetInterrupts(s.kind, nil)
	for _, e := range s.events {
		err = errors.Join(err, e.Close())
	}
	s.events = nil
	return err
}

// pin is the event of an INTx: once it has come it is masked until Clear.
type pin struct {
	*wake.Event
	card *ixgbe.Card
}

// Clear implements irq.Event.
func (p *pin) Clear() error {
	err := p.Event.Clear()
	p.card.Unmask()
	return err
}
