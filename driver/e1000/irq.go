package e1000

import (
	"context"

	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/e1000"
)

// wake is how a receive queue wakes its worker: one interrupt of the card, of which three registers tell the
// cause, set its mask and clear it.
type wake struct {
	event              irq.Event
	regs               mmio.Region
	bit                uint32
	causes, open, shut uint32 // offsets
}

// maskInterrupts masks all causes.
func (d *Device) maskInterrupts() {
	d.regs.Write32(chip.IMC, chip.ImcAll)
	if d.family.switches {
		d.regs.Write32(chip.EIMC, chip.EimcAll)
	}
}

// initInterrupts gives each receive queue an interrupt, all of them masked. With MSI-X each has a vector of its
// own. MSI and INTx tell of a received frame, but not of which queue, so they serve a single one.
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
	if msix && n > d.facts.Vectors || !msix && n > 1 {
		return nil
	}
	events, err := set.Enable(n)
	if err != nil {
		return d.fail(step, "%w", err)
	}
	d.irqs = set
	if msix {
		d.initVectors(n)
	}
	for i, q := range d.rx {
		q.wake = &wake{event: events[i], regs: d.regs, bit: chip.IcrRXT, causes: chip.ICR, open: chip.IMS, shut: chip.IMC}
		switch {
		case msix && d.family.switches:
			q.wake.bit, q.wake.causes, q.wake.open, q.wake.shut = 1<<i, chip.EICR, chip.EIMS, chip.EIMC
		case msix:
			q.wake.bit = chip.IcrRXQ0
		}
	}
	return nil
}

// initVectors gives vector i of MSI-X to receive queue i (82574 10.2.4, I210 7.3.3, 8.8.15). A message clears its
// cause, and on the 82576 masks it.
func (d *Device) initVectors(n int) {
	r := d.regs
	if !d.family.switches {
		r.Set(chip.CTRL_EXT, chip.CtrlExtPBA)
		r.Set(chip.RFCTL, chip.RfctlACKDIS)
		r.Write32(chip.IVAR_82574, chip.Ivar4Valid<<chip.Ivar4Rx0)
		r.Write32(chip.EIAC_82574, chip.IcrRXQ0)
		return
	}
	// First, since it decides what the other registers mean (I210 7.3.3.11).
	r.Write32(chip.GPIE, chip.GpieNSICR|chip.GpieMSIX|chip.GpieEIAME|chip.GpiePBA)
	for i := range n {
		at, shift := i/2, 16*(i%2)
		if d.facts.VectorsBy == chip.IVARHalves {
			at, shift = i%8, 16*(i/8)
		}
		v := r.Read32(chip.IVAR(at)) &^ (chip.IvarMask << shift)
		r.Write32(chip.IVAR(at), v|(chip.IvarValid|uint32(i))<<shift)
	}
	all := uint32(1)<<n - 1
	r.Write32(chip.EIAC, all)
	r.Write32(chip.EIAM, all)
}

// WaitFD implements nic.Waiter.
func (q *rxQueue) WaitFD() int {
	if q.wake == nil {
		return -1
	}
	return q.wake.event.FD()
}

// Arm implements nic.Waiter. Causes that came while nobody waited are forgotten first. A frame whose cause was
// among them is in memory once a register was read: then the last look finds it.
func (q *rxQueue) Arm() bool {
	w := q.wake
	if w == nil || q.waiting() {
		return false
	}
	w.regs.Write32(w.causes, w.bit)
	w.regs.Write32(w.open, w.bit)
	w.regs.Read32(chip.STATUS)
	if q.waiting() {
		q.Disarm()
		return false
	}
	return true
}

// Disarm implements nic.Waiter. The register read sees to it that an interrupt that is on its way has come, and
// that a pin is at rest, before either is forgotten.
func (q *rxQueue) Disarm() {
	w := q.wake
	if w == nil {
		return
	}
	w.regs.Write32(w.shut, w.bit)
	w.regs.Read32(chip.STATUS)
	// What cannot be cleared wakes the worker once for nothing.
	_ = w.event.Clear()
}

// waiting tells whether the card has filled the next descriptor.
func (q *rxQueue) waiting() bool {
	next := q.next
	if next == q.size {
		next = 0
	}
	return q.word(next)&chip.RxDD != 0
}
