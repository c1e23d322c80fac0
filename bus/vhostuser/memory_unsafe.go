//go:build linux

package vhostuser

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// mapFile maps size bytes of a file, shared and writable.
func mapFile(fd int, offset int64, size int) ([]byte, error) {
	p, err := unix.MmapPtr(fd, offset, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_NORESERVE)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

// unmap undoes mapFile.
func unmap(b []byte) error {
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}
