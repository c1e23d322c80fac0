package virtio

import (
	"fmt"
	"math/bits"
	"sync/atomic"

	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	chip "glassnic/chip/virtio"
)

// split is a split virtqueue (2.7): a table of descriptors; the available ring, by which the driver hands them to
// the device; and the used ring, by which they come back. Indices of rings count on without end, modulo 65536.
type split struct {
	splitView
	size   int    // a power of two
	posted uint16 // entries of the available ring that the device was told of
	seen   uint16 // entries of the used ring that were taken
	ready  int    // those from seen on that are known to be there
	event  bool   // VIRTIO_F_EVENT_IDX
	number uint16
	bell   mmio.Doorbell16
	memory dma.Memory
	parts  [2]int                 // where in it the two rings lie
	lie    atomic.Pointer[string] // what the device did that makes no sense: then the queue stands still
}

// splitLayout is where the two rings lie, and how many bytes there are. A legacy device takes just the distances
// of 2.7.2. Others leave a choice: entries of the used ring are aligned to their size.
func splitLayout(n int, legacy bool) (avail, used, size int) {
	avail = n * chip.DescSize
	if legacy {
		used = roundUp(avail+chip.AvailSize(n), chip.LegacyAlign)
	} else {
		avail = roundUp(avail, dma.Align)
		used = roundUp(avail+chip.AvailSize(n)+2, dma.Align) + 4
	}
	return avail, used, used + chip.UsedSize(n) + 2
}

func roundUp(n, to int) int { return (n + to - 1) / to * to }

// initSplit gets memory for a queue of n descriptors. Interrupts are off.
func (d *Device) initSplit(s *split, n int) error {
	avail, used, size := splitLayout(n, d.way.legacy())
	m, err := d.alloc(size, chip.LegacyAlign)
	if err != nil {
		return err
	}
	s.splitView, s.size, s.event, s.memory, s.parts = viewSplit(m, avail, used), n, d.features.Has(chip.EventIdx), m, [2]int{avail, used}
	if s.event {
		*s.usedEvent(n) = 1<<16 - 1
	}
	s.show()
	return nil
}

// areas says where the queue lies.
func (s *split) areas() areas {
	at := s.memory.IOVA
	return areas{s.size, at, at + uint64(s.parts[0]), at + uint64(s.parts[1])}
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

// look looks how many entries of the used ring are there. What the device wrote before is visible afterwards.
func (s *split) look() {
	n := uint16(atomic.LoadUint32(s.usedWord())>>16) - s.seen
	if n > s.posted-s.seen {
		s.stop("it used %d buffers of %d that it had", n, s.posted-s.seen)
		return
	}
	s.ready = int(n)
}

// stop is for a device that makes no sense: nothing more is taken from the queue.
func (s *split) stop(format string, args ...any) {
	s.ready = 0
	if s.lie.Load() == nil {
		lie := fmt.Sprintf(format, args...)
		s.lie.Store(&lie)
	}
}

// show writes the index of the available ring, with a full barrier behind it. Interrupts stay off.
func (s *split) show() {
	v := uint32(s.posted) << 16
	if !s.event {
		v |= uint32(chip.AvailNoInterrupt)
	}
	atomic.StoreUint32(s.availWord(), v)
}

// post tells the device of n more entries of the available ring, and rings where it wants that. A full barrier has
// to stand between the index and the look at what the device wants (2.7.13.4.1).
func (s *split) post(n int) {
	s.posted += uint16(n)
	s.show()
	if s.event {
		if s.posted-uint16(atomic.LoadUint32(s.availEvent(s.size)))-1 >= uint16(n) {
			return
		}
	} else if uint16(atomic.LoadUint32(s.usedWord()))&chip.UsedNoNotify != 0 {
		return
	}
	s.bell.Ring(s.number)
}
