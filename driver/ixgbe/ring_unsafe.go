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

// ring is a descriptor ring, and beside each descriptor the buffer that it describes.
type ring struct {
	window
	size int
}

// newRing returns the ring that lies in m, whose memory is aligned as rings are, without buffers.
func newRing(m dma.Memory) ring {
	n := len(m.Bytes) / chip.DescSize
	return ring{window{unsafe.Pointer(unsafe.SliceData(m.Bytes)), refsOf(make([]*packet.Buf, n))}, n}
}

// window is a ring seen from one of its descriptors on. The caller of its methods guarantees that what
// it asks for lies within the ring.
type window struct {
	descs unsafe.Pointer
	bufs  refs
}

// desc returns descriptor i of the window.
func (w window) desc(i int) *desc { return (*desc)(unsafe.Add(w.descs, i*chip.DescSize)) }

// buf returns where the buffer of descriptor i is kept.
func (w window) buf(i int) *packet.Ref { return w.bufs.at(i) }

// step is an index as loops over a window count it: in bytes of a reference. Processors address a descriptor
// by it without arithmetic of their own, which a plain index costs.
type step uintptr

const refSize = unsafe.Sizeof(packet.Ref(0))

// steps returns index n as a step, which must not be negative.
func steps(n int) step { return step(n) * step(refSize) }

// index returns the step as an index.
func (s step) index() int { return int(s / step(refSize)) }

// descStep and bufStep are desc and buf for a step.
func (w window) descStep(s step) *desc {
	return (*desc)(unsafe.Add(w.descs, s*step(chip.DescSize/refSize)))
}
func (w window) bufStep(s step) *packet.Ref { return w.bufs.atStep(s) }

// from returns the window that begins i descriptors on.
func (w window) from(i int) window {
	return window{unsafe.Add(w.descs, i*chip.DescSize), w.bufs.from(i)}
}

// slice returns the buffers of the descriptors from i up to, not including, end.
func (w window) slice(i, end int) []*packet.Buf {
	return unsafe.Slice((**packet.Buf)(unsafe.Pointer(w.buf(i))), end-i)
}

// refs are buffers in a row. The caller of its methods guarantees that there are so many.
type refs struct{ first unsafe.Pointer }

func refsOf(bufs []*packet.Buf) refs { return refs{unsafe.Pointer(unsafe.SliceData(bufs))} }

// stock returns the fresh buffers of a stretch.
func (q *rxQueue) stock() refs { return refs{unsafe.Pointer(&q.fresh)} }

// at returns buffer i.
func (r refs) at(i int) *packet.Ref {
	return (*packet.Ref)(unsafe.Add(r.first, i*int(refSize)))
}

// atStep is at for a step.
func (r refs) atStep(s step) *packet.Ref { return (*packet.Ref)(unsafe.Add(r.first, s)) }

// from returns the row that begins i buffers on.
func (r refs) from(i int) refs { return refs{unsafe.Pointer(r.at(i))} }
