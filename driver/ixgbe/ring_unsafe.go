package ixgbe

import (
	"sync/atomic"
	"unsafe"

	"glassnic/bus/dma"
	chip "glassnic/chip/ixgbe"
	"glassnic/packet"
)

// desc is one descriptor, receive or transmit, as two 64-bit words. The card is a second writer of
// a descriptor that it was given.
type desc struct{ w0, w1 uint64 }

// done reads word 1, in which the card says that it is done. What it wrote before is visible
// afterwards.
func (d *desc) done() uint64 { return atomic.LoadUint64(&d.w1) }

// following returns the next descriptor of the ring.
func (d *desc) following() *desc { return (*desc)(unsafe.Add(unsafe.Pointer(d), chip.DescSize)) }

// ring is a descriptor ring, and beside each descriptor the buffer that it describes. The caller of its methods
// guarantees that what it asks for lies within the ring.
type ring struct {
	descs unsafe.Pointer
	bufs  refs
	size  int
}

// newRing returns the ring that lies in m, whose memory is aligned as rings are, without buffers.
func newRing(m dma.Memory) ring {
	n := len(m.Bytes) / chip.DescSize
	return ring{unsafe.Pointer(unsafe.SliceData(m.Bytes)), refsOf(make([]*packet.Buf, n)), n}
}

// desc returns descriptor i.
func (r ring) desc(i int) *desc { return (*desc)(unsafe.Add(r.descs, i*chip.DescSize)) }

// buf returns where the buffer of descriptor i is kept.
func (r ring) buf(i int) *packet.Ref { return r.bufs.at(i) }

// slice returns the buffers of the descriptors from i up to, not including, end.
func (r ring) slice(i, end int) []*packet.Buf {
	return unsafe.Slice((**packet.Buf)(unsafe.Pointer(r.buf(i))), end-i)
}

// step is an index as loops over buffers count it: in bytes of a reference. Processors address a buffer by it
// without arithmetic of their own, which a plain index costs.
type step uintptr

const refSize = unsafe.Sizeof(packet.Ref(0))

// steps returns index n as a step, which must not be negative.
func steps(n int) step { return step(n) * step(refSize) }

// index returns the step as an index.
func (s step) index() int { return int(s / step(refSize)) }

// refs are buffers in a row. The caller of its methods guarantees that there are so many.
type refs struct{ first unsafe.Pointer }

func refsOf(bufs []*packet.Buf) refs { return refs{unsafe.Pointer(unsafe.SliceData(bufs))} }

// at returns buffer i.
func (r refs) at(i int) *packet.Ref {
	return (*packet.Ref)(unsafe.Add(r.first, i*int(refSize)))
}

// get returns the buffer at s.
func (r refs) get(s step) *packet.Buf { return *(**packet.Buf)(unsafe.Add(r.first, s)) }

// put replaces the buffer at s. It is no store of a pointer, as of packet.Ref.
func (r refs) put(s step, b *packet.Buf) {
	*(*packet.Ref)(unsafe.Add(r.first, s)) = packet.Ref(uintptr(unsafe.Pointer(b)))
}

// from returns the row that begins i buffers on.
func (r refs) from(i int) refs { return refs{unsafe.Pointer(r.at(i))} }
