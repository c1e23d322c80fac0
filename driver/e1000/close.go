package e1000

import (
	"context"
	"errors"
	"time"

	chip "glassnic/chip/e1000"
)

// drainLimit is how long Close lets the card send what is in its rings. Tests shorten it.
var drainLimit = 100 * time.Millisecond

// Stop implements nic.Stopper: it stops reception, lets the transmit rings run empty, stops all DMA, and
// only then gives the buffers back.
func (d *Device) Stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if d.stopped = d.stop(context.Background()); d.stopped != nil {
		// The card may still write to the memory, which therefore nobody else gets.
		return d.stopped
	}
	for _, q := range d.rx {
		q.release()
	}
	for _, q := range d.tx {
		q.release()
	}
	return nil
}

// Close implements nic.Device.
func (d *Device) Close() error {
	first := d.Stop()
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.shut {
		return nil
	}
	d.shut = true
	if d.irqs != nil {
		first = errors.Join(first, d.irqs.Disable())
	}
	if d.stopped != nil {
		return errors.Join(first, d.fn.Close())
	}
	err := first
	if d.own {
		err = errors.Join(err, d.pool.Close())
	}
	for _, m := range d.rings {
		d.fn.DMA().Free(m)
	}
	return errors.Join(err, d.fn.Close())
}

// stop ends all DMA of the card (I210 4.5.9, 4.5.10, 5.2.3). A reset is its end: cards without switches on their
// queues have no other way to say that they do no more.
func (d *Device) stop(ctx context.Context) error {
	if !d.begun || d.gone() {
		return nil // A card that does not answer does no DMA either.
	}
	r := d.regs
	d.maskInterrupts()
	r.Clear(chip.RCTL, chip.RctlEN)
	for i := range d.rx {
		if d.family.switches {
			d.enable(ctx, chip.RXDCTL(i), 0)
		}
	}
	end := time.Now().Add(drainLimit)
	for i, q := range d.tx {
		// What a card without a link cannot send stays unsent.
		d.wait(ctx, time.Until(end), func() bool { return r.Read32(chip.TDH(i)) == uint32(q.next) })
		if d.family.switches {
			d.enable(ctx, chip.TXDCTL(i), 0)
		}
	}
	// The last report of a descriptor may still be on its way.
	time.Sleep(time.Millisecond)
	r.Clear(chip.TCTL, chip.TctlEN)
	if d.ledSet {
		r.Write32(chip.LEDCTL, d.ledctl)
	}
	if d.family.pcie {
		r.Clear(chip.CTRL_EXT, chip.CtrlExtDRVLOAD)
		d.stopMaster(ctx)
	}
	r.Set(chip.CTRL, chip.CtrlRST)
	time.Sleep(resetQuiet)
	if !d.wait(ctx, resetLimit, func() bool { return r.Read32(chip.CTRL)&chip.CtrlRST == 0 }) && !d.gone() {
		return d.late(ctx, "close", "CTRL.RST still set after 1s (8254x 13.4.1): the card may still write to memory; power-cycle it")
	}
	d.maskInterrupts()
	return nil
}
