// Package memfd is memory of this process that it lets other processes have: one file without a name (memfd_create(2))
// for all ports, so that a frame that came in on one can leave by another without a copy.
//
// Whoever is given the file can read and write all of it: the frames and rings of every port that lies there.
package memfd

// Region is a part of the memory as other processes are told of it.
type Region struct {
	IOVA   uint64 // of its first byte
	Size   uint64 // bytes
	Offset uint64 // of its first byte in the file
}

// Base is the IOVA of the first byte of the file: a device that is told a small number by mistake never hits memory.
const Base = 1 << 32

// pageSize is the size in bytes of the pages that the memory is handed out in.
const pageSize = 2 << 20
