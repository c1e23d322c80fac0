//go:build linux

package packet

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newRecords maps memory for the records of n buffers, outside the Go heap so that the garbage
// collector neither scans nor counts it.
func newRecords(n int) (records, error) {
	mem, err := unix.Mmap(-1, 0, recordBytes(n), unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANONYMOUS|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return records{}, fmt.Errorf("packet: map the records of %d buffers: %w", n, err)
	}
	return records{base: unsafe.Pointer(unsafe.SliceData(mem)), keep: mem}, nil
}

func (r records) close() error { return unix.Munmap(r.keep.([]byte)) }
