//go:build !linux

package packet

import "unsafe"

// newRecords allocates the records of n buffers from the Go heap, as memory that the garbage
// collector scans, since the records point at buffers.
func newRecords(n int) (records, error) {
	mem := make([]Buf, recordBytes(n)/int(bufSize)+1)
	return records{base: unsafe.Pointer(unsafe.SliceData(mem)), keep: mem}, nil
}

func (r records) close() error { return nil }
