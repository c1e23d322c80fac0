package ixgbe

import (
	"context"
	"time"

	"glassnic/bus/irq"
	chip "glassnic/chip/ixgbe"
)

// maskLimit is how long a card may take to mask an interrupt: one on the bus has done so when a register was
// read, a model in another process may have to wait for a CPU. Tests shorten it.
var maskLimit = 100 * time.Millisecond

// maskLooks is how often the driver looks before it gives its CPU away.
const maskLooks = 200

// wake is how a receive queue wakes its worker: one bit of EICR and EIMS.
type wake struct {
	d     *Device
	event irq.Event
	bit   uint32
	auto  bool // the interrupt clears its cause and masks itself
}

// initInterrupts gives each receive queue an interrupt, all of them masked (4.6.3.1, 7.3). With MSI-X each has
// a vector of its own. MSI and INTx do not tell of which queue they come, so they serve a single one.
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
	if set == nil || n > set.Vectors() {
		return nil
	}
	msix := set.Kind() == irq.MSIX
	if !msix && n > 1 {
		return nil
	}
	events, err := set.Enable(n)
	if err != nil {
		return d.fail(step, "%w", err)
	}
	d.irqs = set
	d.initVectors(n, msix)
	for i, q := range d.rx {
		q.wake = &wake{d: d, event: events[i], bit: 1 << i, auto: msix}
	}
	return nil
}

// initVectors gives vector i to receive queue i (8.2.3.5.16): of MSI-X, or as a bit of EICR otherwise. A
// message of MSI-X clears its cause (8.2.3.5.5) and masks it (8.2.3.5.10).
func (d *Device) initVectors(n int, msix bool) {
	r := d.regs
	if msix {
		// First, since it decides what IVAR means (8.2.3.5.18).
		r.Write32(chip.GPIE, chip.GpieMultipleMSIX|chip.GpieOCD|chip.GpieEIAME|chip.GpiePBASupport|d.coalescing())
	}
	for i := 0; i < n; i += 2 {
		v := chip.IvarAllocVal | uint32(i)
		if i+1 < n {
			v |= (chip.IvarAllocVal | uint32(i+1)) << 16
		}
		r.Write32(chip.IVAR(i/2), v)
	}
	if msix {
		all := uint32(1)<<n - 1
		r.Write32(chip.EIAC, all)
		r.Write32(chip.EIAM_EX(0), all)
	}
}

// WaitFD implements nic.Waiter.
func (q *rxQueue) WaitFD() int {
	if q.wake == nil {
		return -1
	}
	return q.wake.event.FD()
}

// Arm implements nic.Waiter. Causes that came while nobody waited are forgotten first, where the card sees
// that: elsewhere they wake the worker once for nothing. A frame whose cause was among them is in memory once a
// register was read: then the last look finds it.
func (q *rxQueue) Arm() bool {
	w := q.wake
	if w == nil || q.waiting() {
		return false
	}
	w.open()
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
	w.shut()
	// What cannot be cleared wakes the worker once for nothing.
	_ = w.event.Clear()
}

// waiting tells whether the card has filled the next descriptor. A queue without buffers, for which no interrupt
// comes, counts as one that has something to do.
func (q *rxQueue) waiting() bool {
	next := q.next
	if next == q.size {
		next = 0
	}
	return q.starved || q.desc(next).done()&chip.RxDD != 0
}

// open lets the interrupt come. EIMS gets the bits of all queues that wait: a model that looks at its registers
// now and then would miss one of two writes.
func (w *wake) open() {
	d := w.d
	d.irqMu.Lock()
	defer d.irqMu.Unlock()
	d.armed |= w.bit
	if d.regs.SeesReads() {
		d.regs.Write32(chip.EICR, w.bit)
	} else {
		d.regs.Write32(chip.EIMC, 0) // what a model that died has not done is not for the next to do
	}
	d.regs.Write32(chip.EIMS, d.armed)
	d.regs.Read32(chip.STATUS)
}

// shut keeps the interrupt from coming, and waits until that is so: then one that is on its way has come, and
// a pin is at rest. MSI-X has mostly masked itself.
func (w *wake) shut() {
	d := w.d
	d.irqMu.Lock()
	defer d.irqMu.Unlock()
	d.armed &^= w.bit
	if w.auto && d.regs.Read32(chip.EIMS)&w.bit == 0 {
		return
	}
	masked := func() bool { return d.regs.Read32(chip.EIMS)&w.bit == 0 }
	d.regs.Write32(chip.EIMC, w.bit)
	for range maskLooks {
		if masked() {
			return
		}
	}
	d.wait(context.Background(), maskLimit, masked)
}
