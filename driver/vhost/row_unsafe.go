//go:build linux

package vhost

import (
	"sync/atomic"
	"unsafe"

	chip "glassnic/chip/virtio"
	"glassnic/packet"
)

// row is buffers that the driver has made available one behind the other, all in one region of its memory. What the
// driver wrote of them was read once and checked: each lies in the region with all its length.
type row struct {
	from, size uint64 // guest address of the region, and its bytes
	mem        unsafe.Pointer
	at         [rowMax]uint64 // where buffers begin in the region
	rest       [rowMax]uint64 // lengthBits and idBits
}

// set chooses a region.
func (w *row) set(from uint64, mem []byte) {
	w.from, w.size, w.mem = from, uint64(len(mem)), first(mem)
}

// forget chooses none. A region may go between two batches.
func (w *row) forget() { w.set(0, nil) }

func (w *row) holds(addr uint64) bool { return addr-w.from < w.size }

// buffer returns buffer i, which must be one of the row.
func (w *row) buffer(i int) unsafe.Pointer { return unsafe.Add(w.mem, w.at[i&(rowMax-1)]) }

// gatherPacked is gather for n descriptors of a packed ring before its end.
func (r *ring) gatherPacked(n int, w wants) int {
	const mask = uint64(chip.DescNext|chip.DescWrite|chip.DescIndirect|chip.DescAvail|chip.DescUsed) << chip.PackedFlagsShift
	want := uint64(w.flags) << chip.PackedFlagsShift
	if r.wrap {
		want |= uint64(chip.DescAvail) << chip.PackedFlagsShift
	} else {
		want |= uint64(chip.DescUsed) << chip.PackedFlagsShift
	}
	row, descs := &r.row, unsafe.Add(r.view.descs, int(r.next)*chip.DescSize)
	from, size, mem := row.from, row.size, row.mem
	i := 0
	for ; i < n; i++ {
		d := (*[2]uint64)(unsafe.Add(descs, i*chip.DescSize))
		rest := atomic.LoadUint64(&d[1])
		at, length := d[0]-from, rest&lengthBits
		if (rest^want)&mask != 0 || length-w.least > w.spread || at >= size || length > size-at {
			break
		}
		if w.plain && asks(unsafe.Add(mem, at)) {
			break
		}
		row.at[i&(rowMax-1)], row.rest[i&(rowMax-1)] = at, rest
	}
	return i
}

// gatherSplit is gather for n entries of the available ring.
func (r *ring) gatherSplit(n int, w wants) int {
	const mask = uint64(chip.DescNext|chip.DescWrite|chip.DescIndirect) << chip.SplitFlagsShift
	want := uint64(w.flags) << chip.SplitFlagsShift
	row, v, ring, next := &r.row, r.view, uint64(r.size), int(r.next)
	from, size, mem := row.from, row.size, row.mem
	i := 0
	for ; i < n; i++ {
		head := uint64(v.head((next + i) & int(ring-1)))
		if head >= ring {
			break
		}
		d := (*[2]uint64)(unsafe.Add(v.descs, head*chip.DescSize))
		rest := d[1]
		at, length := d[0]-from, rest&lengthBits
		if (rest^want)&mask != 0 || length-w.least > w.spread || at >= size || length > size-at {
			break
		}
		if w.plain && asks(unsafe.Add(mem, at)) {
			break
		}
		row.at[i&(rowMax-1)], row.rest[i&(rowMax-1)] = at, length|head<<chip.PackedIDShift
	}
	return i
}

// asks tells whether a header, of which there must be two bytes, has flags, or a type of segments (5.1.6).
func asks(header unsafe.Pointer) bool {
	p := (*[2]byte)(header)
	return p[chip.HdrFlags]|p[chip.HdrGSOType] != 0
}

// copyOut fills bufs, which must be as many as the row has, with the frames behind headers of so many bytes. It returns
// the frames' bytes.
func (w *row) copyOut(bufs []*packet.Buf, span packet.Span, hdr uint64) (total uint64) {
	for i, b := range bufs {
		size := w.rest[i&(rowMax-1)]&lengthBits - hdr
		b.SetSpan(span + packet.SpanLen(size))
		move(first(b.Bytes()), unsafe.Add(w.buffer(i), hdr), size)
		total += size
	}
	return total
}

// copyIn writes frames to the row, which must have as many buffers with room for them and a plain header of
// chip.HdrSize bytes. It returns the frames' bytes.
func (w *row) copyIn(frames []*packet.Buf) (total uint64) {
	for i, b := range frames {
		size, p := b.Span().Len(), w.buffer(i)
		w.rest[i&(rowMax-1)] = w.rest[i&(rowMax-1)]&idBits | (size + chip.HdrSize)
		plainHeader(p)
		move(unsafe.Add(p, chip.HdrSize), first(b.Bytes()), size)
		total += size
	}
	return total
}

// words are 32 bytes. An array of them would be copied by a call, as it might overlap with itself.
type words struct{ a, b, c, d uint64 }

// move copies n bytes, of which there must be so many at both places, less than 2^16. Small frames are worth no call.
func move(dst, src unsafe.Pointer, n uint64) {
	if n-32 > 32 {
		copy((*[1 << 16]byte)(dst)[:n], (*[1 << 16]byte)(src)[:n])
		return
	}
	*(*words)(dst) = *(*words)(src)
	*(*words)(unsafe.Add(dst, n-32)) = *(*words)(unsafe.Add(src, n-32))
}
