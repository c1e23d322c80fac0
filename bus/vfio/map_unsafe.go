//go:build linux

package vfio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapParts maps those parts of a region of size bytes that can be mapped; the region lies at offset of fd.
// Parts are in order, apart from each other, and begin and end at page boundaries or the region's end. The
// rest is memory that reads as all ones. unmap gives the bytes back.
func mapParts(fd int, offset int64, size int, parts []span) ([]byte, error) {
	const prot = unix.PROT_READ | unix.PROT_WRITE
	base, err := unix.MmapPtr(-1, 0, nil, uintptr(size), prot, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, err
	}
	b := unsafe.Slice((*byte)(base), size)
	at := uint64(0)
	for _, p := range parts {
		fill(b[at:p.first])
		at = p.last + 1
		if _, err := unix.MmapPtr(fd, offset+int64(p.first), unsafe.Add(base, p.first), uintptr(at-p.first), prot, unix.MAP_SHARED|unix.MAP_FIXED); err != nil {
			_ = unmap(b)
			return nil, err
		}
	}
	fill(b[at:])
	return b, nil
}

func fill(b []byte) {
	for i := range b {
		b[i] = 0xff
	}
}

func unmap(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
