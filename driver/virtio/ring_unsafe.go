package virtio

import (
	"sync/atomic"
	"unsafe"

	"glassnic/bus/dma"
	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// desc is a descriptor: its address, and as one word length, flags and next or, in a packed ring, length, ID and flags.
type desc struct{ addr, rest uint64 }

// splitView is a split ring as memory. The caller of its methods guarantees that what it asks for lies within the
// ring. Little-endian machines only: all that this driver is built for.
type splitView struct{ descs, avail, used unsafe.Pointer }

// viewSplit returns the ring whose parts lie in m at these offsets, which with its size are within m.
func viewSplit(m dma.Memory, avail, used int) splitView {
	p := unsafe.Pointer(unsafe.SliceData(m.Bytes))
	return splitView{p, unsafe.Add(p, avail), unsafe.Add(p, used)}
}

// desc returns descriptor i.
func (v splitView) desc(i uint64) *desc {
	return (*desc)(unsafe.Add(v.descs, i*chip.DescSize))
}

// head returns entry i of the available ring.
func (v splitView) head(i int) *uint16 { return (*uint16)(unsafe.Add(v.avail, 4+2*i)) }

// availWord and usedWord are flags and index of the two rings, which Go can access together in one go.
func (v splitView) availWord() *uint32 { return (*uint32)(v.avail) }
func (v splitView) usedWord() *uint32  { return (*uint32)(v.used) }

// usedEvent and availEvent are the indices behind the rings of n entries, each with two bytes behind it that
// nobody minds.
func (v splitView) usedEvent(n int) *uint32  { return (*uint32)(unsafe.Add(v.avail, 4+2*n)) }
func (v splitView) availEvent(n int) *uint32 { return (*uint32)(unsafe.Add(v.used, 4+8*n)) }

// elems returns the used ring from entry i on.
func (v splitView) elems(i int) elems { return elems{unsafe.Add(v.used, 4+8*i)} }

// packedView is a packed ring as memory, like splitView.
type packedView struct {
	descs, driver, device unsafe.Pointer
	fence                 uint32 // what barrier stores to
}

// viewPacked returns the ring whose parts lie in m at these offsets, which with its size are within m.
func viewPacked(m dma.Memory, driver, device int) packedView {
	p := unsafe.Pointer(unsafe.SliceData(m.Bytes))
	return packedView{descs: p, driver: unsafe.Add(p, driver), device: unsafe.Add(p, device)}
}

// driverEvent and deviceEvent are the event suppression structures.
func (v *packedView) driverEvent() *uint32 { return (*uint32)(v.driver) }
func (v *packedView) deviceEvent() *uint32 { return (*uint32)(v.device) }

// at returns descriptor i.
func (v *packedView) at(i int) *desc { return (*desc)(unsafe.Add(v.descs, i*chip.DescSize)) }

// from returns the descriptors from number i on.
func (v *packedView) from(i int) descs { return descs{unsafe.Add(v.descs, i*chip.DescSize)} }

// descs are descriptors in a row.
type descs struct{ first unsafe.Pointer }

func (d descs) at(i int) *desc { return (*desc)(unsafe.Add(d.first, i*chip.DescSize)) }
func (d descs) atStep(s step) *desc {
	return (*desc)(unsafe.Add(d.first, s*step(chip.DescSize/refSize)))
}

// done reads the second word of a descriptor of a packed ring, in which the device says that it is done.
func (d *desc) done() uint64 { return atomic.LoadUint64(&d.rest) }

// elems are entries of a used ring in a row: ID in the lower half, length in the upper one.
type elems struct{ first unsafe.Pointer }

func (e elems) at(i int) uint64      { return *(*uint64)(unsafe.Add(e.first, 8*i)) }
func (e elems) atStep(s step) uint64 { return *(*uint64)(unsafe.Add(e.first, s)) }

// step is an index as loops count it: in bytes of a reference, which an entry of a used ring is as long as.
type step uintptr

const refSize = unsafe.Sizeof(packet.Ref(0))

// steps returns index n as a step, which must not be negative.
func steps(n int) step { return step(n) * step(refSize) }

// index returns the step as an index.
func (s step) index() int { return int(s / step(refSize)) }

// refs are buffers in a row. The caller of its methods guarantees that there are so many.
type refs struct{ first unsafe.Pointer }

func refsOf(bufs []*packet.Buf) refs { return refs{unsafe.Pointer(unsafe.SliceData(bufs))} }

// stock returns the fresh buffers of a stretch.
func (q *rxQueue) stock() refs { return refs{unsafe.Pointer(&q.fresh)} }

// at returns buffer i.
func (r refs) at(i uint64) *packet.Ref {
	return (*packet.Ref)(unsafe.Add(r.first, i*uint64(refSize)))
}

// atStep is at for a step.
func (r refs) atStep(s step) *packet.Ref { return (*packet.Ref)(unsafe.Add(r.first, s)) }

// from returns the row that begins i buffers on.
func (r refs) from(i int) refs { return refs{unsafe.Add(r.first, i*int(refSize))} }

// slice returns the buffers from i up to, not including, end.
func (r refs) slice(i, end int) []*packet.Buf {
	return unsafe.Slice((**packet.Buf)(unsafe.Add(r.first, i*int(refSize))), end-i)
}

// clearHeader makes the last bytes of front, of which there must be 12, a header that says nothing. It mostly is
// one already: then the cache line stays as it is.
func clearHeader(front []byte) {
	end := unsafe.Add(unsafe.Pointer(unsafe.SliceData(front)), len(front))
	if p := (*uint64)(unsafe.Add(end, -12)); *p != 0 {
		*p = 0
	}
	if p := (*uint32)(unsafe.Add(end, -4)); *p != 0 {
		*p = 0
	}
}

// tally is a number, mostly a counter, that one worker writes and others read. The store is a plain one: atomic.Store would
// make it an exchange, which costs a batch more than all else that is counted.
type tally struct{ n uint64 }

func (t *tally) add(n uint64) { t.n += n }
func (t *tally) set(n uint64) { t.n = n }
func (t *tally) load() uint64 { return atomic.LoadUint64(&t.n) }
