package virtio

import (
	"errors"
	"sync/atomic"
	"time"

	"glassnic/bus"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

// stallAfter is how long a transmit queue may stand still while the device has frames of it. Tests shorten it.
var stallAfter = 3 * time.Second

// Trouble implements nic.Watched. It reads registers, and the rings that are the queues' workers'. Of a receive queue
// that stands still nobody can tell whether anything is to be received.
func (d *Device) Trouble() error {
	const step = "watch"
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil
	}
	heard := bus.Trouble(d.fn)
	if errors.Is(heard, nic.ErrGone) {
		return heard
	}
	if err := d.health(step); err != nil {
		return err
	}
	all := []error{heard}
	if d.way.status()&chip.StatusNeedsReset != 0 {
		all = append(all, d.fail(step, "%w", errNeedsReset))
	}
	for _, r := range d.rings() {
		if lie := r.lie.Load(); lie != nil {
			all = append(all, d.fail(step, "queue %d: %w: %s: close the port and open it again, which resets the device", r.number, nic.ErrStalled, *lie))
		}
	}
	for i, q := range d.tx {
		if !d.link().Up {
			break // without, a device sends nothing and is right
		}
		if q.lie.Load() != nil {
			continue // its indices mean nothing
		}
		back, owes := q.progress()
		if why := q.watch.Owes(stallAfter, uint32(q.packets.load()), back, owes); why != "" {
			all = append(all, d.fail(step, "transmit queue %d: %w %s", i, nic.ErrStalled, why))
		}
	}
	return errors.Join(all...)
}

// progress returns what changes with each buffer that the device gives back, and tells whether it has some. It reads
// the memory of the ring, not what is the worker's.
func (q *txQueue) progress() (back uint32, owes bool) {
	if !q.isPacked {
		used := uint16(atomic.LoadUint32(q.usedWord()) >> 16)
		return uint32(used), used != uint16(atomic.LoadUint32(q.availWord())>>16)
	}
	newest := q.newest.load()
	owes = given(q.at(int(newest)).done())
	for i := range q.size {
		d := q.at(i).done()
		switch {
		case given(d):
			back++
		case q.inOrder && d>>chip.PackedIDShift&0xffff == newest:
			owes = false // it was the last of a batch, whose first descriptor alone says so (2.8.8)
		}
	}
	return back, owes
}

// given tells whether a descriptor of a packed ring is the device's (2.8.1). In a chain that was used the device has
// marked the first one only.
func given(d uint64) bool { return (d&availBit != 0) != (d&usedBit != 0) }
