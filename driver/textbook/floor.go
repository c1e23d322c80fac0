package textbook

import (
	"errors"
	"fmt"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
)

const (
	floorRing   = 512
	floorStride = 2176 // bytes from buffer to buffer: not a power of two, which would crowd the cache
	floorReport = 32   // frames between reports
	floorBytes  = floorRing * floorStride
)

// Floor forwards between two ports with only those memory accesses that no driver can leave out: it reads
// the status of each receive descriptor, increments byte 1 of the frame, writes both words of both
// descriptors, and the tails once per batch. It has no pool and no metadata: slot i of a receive
// ring and slot i of the other port's transmit ring always exchange the same two buffers.
type Floor struct {
	ports []*Device
	lanes [2]lane
}

// lane is one direction.
type lane struct {
	rx, tx   *[floorRing]descriptor
	rdt, tdt mmio.Doorbell
	mem      [2]*[floorBytes]byte // frames of even and of odd laps round the ring
	iova     [2]uint64
	count    uint64 // frames so far
}

// OpenFloor starts both cards, as Open does. They must share their DMA memory. Both functions belong
// to the Floor afterwards.
func OpenFloor(a, b bus.Function) (*Floor, error) {
	f := &Floor{}
	if a.DMA().Domain() != b.DMA().Domain() {
		return nil, errors.Join(fmt.Errorf("textbook: %s and %s do not share DMA memory", a.Address(), b.Address()), a.Close(), b.Close())
	}
	for i, fn := range []bus.Function{a, b} {
		d, err := bringUp(fn, Config{Ring: floorRing, ReportEvery: floorReport})
		if err != nil {
			if i == 0 {
				err = errors.Join(err, b.Close())
			}
			return nil, errors.Join(err, f.Close())
		}
		f.ports = append(f.ports, d)
	}
	for i := range f.lanes {
		if err := f.lanes[i].open(f.ports[i], f.ports[1-i]); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (l *lane) open(from, to *Device) error {
	l.rx, l.tx = (*[floorRing]descriptor)(from.rx.ring), (*[floorRing]descriptor)(to.tx.ring)
	l.rdt, l.tdt = from.rx.tail, to.tx.tail
	for lap := range l.mem {
		m, err := from.fn.DMA().Alloc(floorBytes, dma.Align)
		if err != nil {
			return err
		}
		from.rings = append(from.rings, m)
		l.mem[lap], l.iova[lap] = (*[floorBytes]byte)(m.Bytes), m.IOVA
	}
	for i := range l.rx {
		l.rx[i].word0 = l.iova[0] + uint64(i)*floorStride
		l.tx[i].word1 = chip.TxDD // as if sent in the lap before the first
	}
	return from.startQueues()
}

// LinkUp tells whether both ports have a link.
func (f *Floor) LinkUp() bool { return f.ports[0].LinkUp() && f.ports[1].LinkUp() }

// Forward moves up to batch frames in each direction and returns their number.
func (f *Floor) Forward(batch int) int {
	return f.lanes[0].forward(batch) + f.lanes[1].forward(batch)
}

func (l *lane) forward(batch int) int {
	n := 0
	for n < batch {
		i := l.count % floorRing
		// Before a group of slots is used again, their frames and the next group's must be sent: the
		// transmit ring may not become full.
		if i%floorReport == 0 && l.tx[(i+2*floorReport-1)%floorRing].done()&chip.TxDD == 0 {
			break
		}
		r := &l.rx[i]
		status := r.done()
		if status&chip.RxDD == 0 {
			break
		}
		lap := l.count / floorRing % 2
		at := i * floorStride
		l.mem[lap][at+1]++
		r.word0 = l.iova[1-lap] + at
		r.word1 = 0
		size := status >> chip.RxLenShift & 0xffff
		word1 := size<<chip.TxPaylenShift | command | size
		if i%floorReport == floorReport-1 {
			word1 |= chip.TxDCMDRS
		}
		t := &l.tx[i]
		t.word0 = l.iova[lap] + at
		t.word1 = word1
		l.count++
		n++
	}
	if n > 0 {
		l.rdt.Ring(uint32((l.count - 1) % floorRing))
		l.tdt.Ring(uint32(l.count % floorRing))
	}
	return n
}

// Close stops both cards and gives everything back.
func (f *Floor) Close() error {
	var errs []error
	for _, d := range f.ports {
		errs = append(errs, d.Stop())
	}
	for _, d := range f.ports {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
