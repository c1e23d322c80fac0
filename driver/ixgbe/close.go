package ixgbe

import (
	"context"
	"errors"
	"time"

	chip "glassnic/chip/ixgbe"
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

// stop ends all DMA of the card (4.6.7.1.2, 4.6.8.2, 5.2.5.3.2).
func (d *Device) stop(ctx context.Context) error {
	if !d.begun || d.gone() {
		return nil // A card that does not answer does no DMA either.
	}
	r := d.regs
	r.Write32(chip.EIMC, chip.EimcAll)
	r.Clear(chip.RXCTRL, chip.RxctrlRXEN)
	still := ""
	for i := range d.rx {
		r.Clear(chip.RXDCTL(i), chip.RxdctlENABLE)
		if !d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.RXDCTL(i))&chip.RxdctlENABLE == 0 }) {
			still = "RXDCTL.ENABLE"
		}
	}
	end := time.Now().Add(drainLimit)
	for i, q := range d.tx {
		// What a card without a link cannot send stays unsent.
		d.wait(ctx, time.Until(end), func() bool { return r.Read32(chip.TDH(i)) == uint32(q.next) })
		r.Clear(chip.TXDCTL(i), chip.TxdctlENABLE)
		if !d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.TXDCTL(i))&chip.TxdctlENABLE == 0 }) {
			still = "TXDCTL.ENABLE"
		}
	}
	// The card may still finish what it had begun (4.6.7.1.2).
	time.Sleep(time.Millisecond)
	r.Clear(chip.DMATXCTL, chip.DmatxctlTE)
	if d.ledSet {
		r.Write32(chip.LEDCTL, d.ledctl)
	}
	r.Clear(chip.CTRL_EXT, chip.CtrlExtDRVLOAD)
	if !d.stopMaster(ctx) {
		still = "STATUS.GIO"
	}
	if still == "" || d.gone() {
		return nil
	}
	// A card that does not stop when asked stops when reset (4.2.1).
	r.Set(chip.CTRL, chip.CtrlLRST|chip.CtrlRST)
	if !d.wait(ctx, resetLimit, func() bool { return r.Read32(chip.CTRL)&chip.CtrlRST == 0 }) {
		return d.late(ctx, "close", still+" still set, and CTRL.RST after 1s: the card may still write to memory; power-cycle it")
	}
	return nil
}
