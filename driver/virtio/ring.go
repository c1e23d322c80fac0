package virtio

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	chip "glassnic/chip/virtio"
)

// ring is a virtqueue of either format, in memory that the driver and the device share.
type ring struct {
	size     int  // descriptors, a power of two
	event    bool // VIRTIO_F_EVENT_IDX
	isPacked bool // VIRTIO_F_RING_PACKED
	inOrder  bool // VIRTIO_F_IN_ORDER
	split
	packed
	number uint16
	vector uint16 // of MSI-X
	last   int    // what was posted since the bell was rung last, as far as it may still be with the device
	bell   mmio.Doorbell16
	memory dma.Memory
	parts  [2]int                 // where in it the driver's and the device's areas lie
	lie    atomic.Pointer[string] // what the device did that makes no sense: then the queue stands still
}

// part is what one descriptor describes: an IOVA, bytes, and flags.
type part struct {
	addr  uint64
	n     int
	flags uint16
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// initRing gets memory for queue number queue of the device, with n descriptors. Interrupts are off.
func (d *Device) initRing(r *ring, queue, n int) (err error) {
	layout := splitLayout
	if r.isPacked = d.features.Has(chip.RingPacked); r.isPacked {
		layout = packedLayout
	}
	driver, device, size := layout(n, d.way.legacy())
	if r.memory, err = d.alloc(size, chip.LegacyAlign); err != nil {
		return err
	}
	r.vector, r.inOrder = chip.NoVector, d.features.Has(chip.InOrder)
	r.size, r.event, r.number, r.parts = n, d.features.Has(chip.EventIdx), uint16(queue), [2]int{driver, device}
	if r.isPacked {
		r.beginPacked()
	} else {
		r.beginSplit()
	}
	return nil
}

// areas says where the queue lies.
func (r *ring) areas() areas {
	at := r.memory.IOVA
	return areas{r.size, r.vector, at, at + uint64(r.parts[0]), at + uint64(r.parts[1])}
}

// ringSize is the size of a queue of the device in descriptors: at most what was asked for, and a power of two
// (2.7).
func (d *Device) ringSize(queue, want int) (int, error) {
	most := d.way.queueSize(queue)
	n := 0
	if most > 0 {
		n = 1 << (bits.Len(uint(min(want, most))) - 1)
	}
	switch {
	case d.way.legacy() && most&(most-1) == 0:
		n = most // cannot be changed (4.1.5.1.3)
	case d.way.legacy():
		n = 0
	}
	if most > chip.RingMax || n < ringMin {
		return 0, fmt.Errorf("queue %d has %d descriptors: want a power of two from %d to %d (2.7)", queue, most, ringMin, chip.RingMax)
	}
	return n, nil
}

// ahead is how many buffers, of one descriptor each, lie from number i up to, not including, that with an ID: a device
// that uses buffers in order writes the first used entry of a batch alone, with the ID of the last buffer (2.7.9,
// 2.8.8). The driver gives each buffer the number of its first descriptor as its ID then.
func (r *ring) ahead(i int, id uint64) int { return (int(id) - i) & (r.size - 1) }

// stop is for a device that makes no sense: nothing more is taken from the queue.
func (r *ring) stop(format string, args ...any) {
	r.ready = 0
	if r.lie.Load() == nil {
		lie := fmt.Sprintf(format, args...)
		r.lie.Store(&lie)
	}
}

// post tells the device of n more buffers, or of n more descriptors of a packed ring, and rings where it wants
// that. A full barrier stands between the two (2.7.13.4.1, 2.8.21.3.1).
func (r *ring) post(n int) {
	if !r.isPacked {
		r.posted += uint16(n)
		r.show()
	} else {
		r.barrier()
	}
	if r.last = min(r.last+n, r.size); r.wanted(n) {
		r.last = 0
		r.bell.Ring(r.number)
	}
}

// wanted tells whether the device wants to hear of the last n that were posted.
func (r *ring) wanted(n int) bool {
	if r.isPacked {
		return r.wantedPacked(n)
	}
	return r.wantedSplit(n)
}

// remind rings for all that was posted since the last ring, where the device turns out to want that. It is for queues
// that are idle: emulators without barriers, as QEMU's of a single processor, let the look at what the device wants
// go before the store that it has to see, and both sides would wait for each other.
func (r *ring) remind() {
	if r.last > 0 && r.wanted(r.last) {
		r.last = 0
		r.bell.Ring(r.number)
	}
}

// ask has the device interrupt when it uses the next buffer, or not, with a full barrier behind it.
func (r *ring) ask(on bool) {
	if r.isPacked {
		r.askPacked(on)
	} else {
		r.askSplit(on)
	}
}
