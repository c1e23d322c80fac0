package virtio

import (
	"errors"
	"fmt"
	"sync"

	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/bus/vhostuser"
	event "glassnic/internal/wake"
)

// calls are the eventfds by which a device that is no PCI function tells of used buffers, as interrupts.
type calls struct {
	mu     sync.Mutex
	events []*event.Event
}

func (*calls) Kind() irq.Kind { return irq.MSIX }
func (*calls) Vectors() int   { return vhostuser.MaxVring }

// fd is the eventfd of a vector, -1 where it has none.
func (c *calls) fd(vector uint16) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int(vector) < len(c.events) {
		return c.events[vector].FD()
	}
	return -1
}

// Enable implements irq.Set.
func (c *calls) Enable(n int) ([]irq.Event, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.events != nil || n < 1 || n > c.Vectors() {
		return nil, fmt.Errorf("enable %d call events: they are on, or too many", n)
	}
	var list []irq.Event
	for range n {
		e, err := event.New()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("call event: %w", err), c.drop())
		}
		c.events = append(c.events, e)
		list = append(list, e)
	}
	return list, nil
}

// Disable implements irq.Set.
func (c *calls) Disable() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.drop()
}

func (c *calls) drop() (err error) {
	for _, e := range c.events {
		err = errors.Join(err, e.Close())
	}
	c.events = nil
	return err
}

// signalled tells whether an event was, and not cleared.
func signalled(e *event.Event) bool {
	var s event.Set
	s.Add(e.FD())
	yes, err := s.Sleep(0)
	return err == nil && yes
}

// kicker is an eventfd that tells a device of new buffers, as a register.
type kicker struct{ e *event.Event }

func (k kicker) doorbell() mmio.Doorbell16 { return mmio.Trap(4, k).Doorbell16(0) }

func (kicker) Read32(uint32) uint32 { return 0 }

// Write32 signals the event. One that cannot be signalled any more has been, often enough.
func (k kicker) Write32(uint32, uint32) { _ = k.e.Signal() }
