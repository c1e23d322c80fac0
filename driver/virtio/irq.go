package virtio

import (
	"context"

	"glassnic/bus/irq"
)

// initInterrupts gives each receive queue an interrupt: a vector of MSI-X of its own (4.1.5.1.2), or the pin where
// there is one queue. All other queues and changes of the configuration get none. It comes before the queues are
// enabled, and they ask for no interrupt until they are armed.
func (d *Device) initInterrupts(context.Context) error {
	const step = "interrupts"
	if !d.cfg.Interrupts {
		return nil
	}
	set, err := d.fn.Interrupts()
	if err != nil {
		return d.fail(step, "%w", err)
	}
	n := len(d.rx)
	if set == nil || n > set.Vectors() || set.Kind() == irq.MSI || set.Kind() == irq.INTx && n > 1 {
		return nil
	}
	events, err := set.Enable(n)
	if err != nil {
		return d.fail(step, "%w", err)
	}
	d.irqs = set
	for i, q := range d.rx {
		q.wake = &wake{event: events[i]}
		if set.Kind() == irq.MSIX {
			q.vector = uint16(i)
		} else {
			q.wake.pin = d.way.isr
		}
	}
	return nil
}

// wake is how a receive queue wakes its worker.
type wake struct {
	event irq.Event
	pin   func() uint8 // reads the ISR status, which lets the pin go (4.1.4.5); nil for MSI-X
}

// wakeEvent is what wakes the queue's worker, nil where nothing does.
func (q *rxQueue) wakeEvent() irq.Event {
	if q.wake == nil {
		return nil
	}
	return q.wake.event
}

// WaitFD implements nic.Waiter.
func (q *rxQueue) WaitFD() int {
	if q.wake == nil {
		return -1
	}
	return q.wake.event.FD()
}

// Arm implements nic.Waiter. A barrier stands between the wish to be told and the last look (2.7.7.1, 2.8.22).
func (q *rxQueue) Arm() bool {
	if q.wake == nil || q.waiting() {
		return false
	}
	q.ask(true)
	if q.waiting() {
		q.Disarm()
		return false
	}
	return true
}

// Disarm implements nic.Waiter.
func (q *rxQueue) Disarm() {
	w := q.wake
	if w == nil {
		return
	}
	q.ask(false)
	if w.pin != nil {
		w.pin()
	}
	// What cannot be cleared wakes the worker once for nothing.
	_ = w.event.Clear()
}
