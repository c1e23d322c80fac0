package virtio

import (
	"context"
	"errors"
	"time"
)

// drainLimit is how long Close lets the device send what is in its rings. Tests shorten it.
var drainLimit = 100 * time.Millisecond

// Stop implements nic.Stopper: it lets the transmit rings run empty, resets the device, which ends all that it does
// to memory (2.4), and only then gives the buffers back.
func (d *Device) Stop() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	d.closed = true
	if d.keeper != nil {
		d.keeper.end()
	}
	if d.stopped = d.stop(context.Background()); d.stopped != nil {
		// The device may still write to the memory, which therefore nobody else gets.
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
	for _, m := range d.memory {
		d.fn.DMA().Free(m)
	}
	return errors.Join(err, d.fn.Close())
}

// stop ends all that the device does to memory.
func (d *Device) stop(ctx context.Context) error {
	if !d.begun || d.gone() {
		return nil // A device that does not answer writes nothing either.
	}
	end := time.Now().Add(drainLimit)
	for _, q := range d.tx {
		// What the device does not send stays unsent.
		d.wait(ctx, time.Until(end), func() bool {
			q.reclaim()
			return q.used == 0 || q.lie.Load() != nil
		})
	}
	if !d.restart(ctx) && !d.gone() {
		return d.late(ctx, "close", "the device status is not 0 after 1s (4.1.4.3.2): the device may still write to memory; reset it")
	}
	return nil
}
