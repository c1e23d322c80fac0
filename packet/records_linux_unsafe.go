//go:build linux

package packet

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

const hugePage = 2 << 20

// newRecords maps memory for the records of n buffers, outside the Go heap so that the garbage
// collector neither scans nor counts it. It begins on a huge page, for the kernel to use one.
func newRecords(n int) (records, error) {
	size := (recordBytes(n) + hugePage - 1) &^ (hugePage - 1)
	mem, err := unix.Mmap(-1, 0, size+hugePage, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANONYMOUS|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return records{}, fmt.Errorf("packet: map the records of %d buffers: %w", n, err)
	}
	base := unsafe.Pointer(unsafe.SliceData(mem))
	off := int(-uintptr(base) & (hugePage - 1))
	// Without huge pages the records lie in small ones.
	_ = unix.Madvise(mem[off:off+size], unix.MADV_HUGEPAGE)
	return records{base: unsafe.Add(base, off), keep: mem}, nil
}

func (r records) close() error { return unix.Munmap(r.keep.([]byte)) }
