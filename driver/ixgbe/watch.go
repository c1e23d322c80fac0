package ixgbe

import (
	"context"
	"errors"
	"time"

	"glassnic/bus"
	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// stallAfter is how long a queue that has something to do may stand still. Tests shorten it.
var stallAfter = 3 * time.Second

// Trouble implements nic.Watched. It reads registers, and the rings that are the queues' workers'.
func (d *Device) Trouble() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	heard := bus.Trouble(d.fn)
	switch {
	case errors.Is(heard, nic.ErrGone):
		return heard
	case d.gone():
		return d.late(context.Background(), "watch", "")
	}
	if err := d.readStats(false); err != nil {
		return err
	}
	if d.clock != nil {
		d.clock.tend(d.link())
	}
	d.followRates(d.link())
	all := []error{heard}
	for i, q := range d.rx {
		var missed uint64
		if len(d.rx) == 1 { // else it is not told which queue missed a frame
			missed = d.missed()
		}
		tail := d.regs.Read32(chip.RDT(i))
		filled := func() bool { return q.desc((int(tail)+q.size-1)%q.size).done()&chip.RxDD != 0 }
		if why := q.watch.Rx(stallAfter, d.regs.Read32(chip.RDH(i)), tail, missed, filled); why != "" {
			all = append(all, d.fail("watch", "receive queue %d: %w %s", i, nic.ErrStalled, why))
		}
	}
	for i, q := range d.tx {
		if !d.link().Up {
			break // without, a card sends nothing and is right
		}
		if why := q.watch.Tx(stallAfter, d.regs.Read32(chip.TDH(i)), d.regs.Read32(chip.TDT(i)), q.owes); why != "" {
			all = append(all, d.fail("watch", "transmit queue %d: %w %s", i, nic.ErrStalled, why))
		}
	}
	return errors.Join(all...)
}

// owes tells whether the card owes a report in a ring that stands still.
func (q *txQueue) owes() bool {
	for i := range q.size {
		if q.desc(i).done()&(chip.TxDCMDRS|chip.TxDD) == chip.TxDCMDRS {
			return true
		}
	}
	return false
}
