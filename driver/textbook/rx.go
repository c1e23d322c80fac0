package textbook

import (
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
)

// rxRing is the receive ring (7.1.9). All its descriptors but one hold an empty buffer for the card.
type rxRing struct {
	ring []descriptor
	bufs []*Buf // by descriptor, since the card overwrites the address in it
	next int    // the descriptor that the card finishes next
	tail mmio.Doorbell
}

// Receive stores frames that have arrived in batch and returns their number. The caller owns them.
func (d *Device) Receive(batch []*Buf) int {
	r := &d.rx
	got, last := 0, -1
	for range batch {
		desc := &r.ring[r.next]
		status := desc.done()
		if status&chip.RxDD == 0 {
			break // nothing more has arrived
		}
		fresh := d.pool.alloc()
		if fresh == nil {
			d.NoBuffer++ // the frame waits in its descriptor
			break
		}
		buf := r.bufs[r.next]
		buf.size = uint32(chip.RxLen(status))
		r.bufs[r.next] = fresh

		// The descriptor goes back to the card with the new buffer (7.1.6.1). DD is in word 1.
		desc.word0 = fresh.iova
		desc.word1 = 0

		// A frame in several buffers, or one longer than its buffer, should not happen at this MTU.
		if status&chip.RxEOP == 0 || int(buf.size) > d.pool.room {
			d.Dropped++
			d.pool.put(buf)
		} else {
			batch[got] = buf
			got++
		}
		last = r.next
		r.next = (r.next + 1) & (len(r.ring) - 1)
	}
	if last >= 0 {
		// One behind next, not next itself: with tail and head equal the ring would be empty (7.1.9).
		r.tail.Ring(uint32(last))
	}
	return got
}
