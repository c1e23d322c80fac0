// Package dma hands out memory that a process and a device both reach.
//
// A device names memory by its IOVA (I/O virtual address): a physical address where no IOMMU stands
// between, an offset in a shared file for a model in another process.
package dma

import "errors"

// Align is the alignment in bytes of every allocation that asks for none: the descriptor rings of
// the 82599 need 128 (datasheet 8.2.3.8.1, RDBAL), and no other family supported needs more.
const Align = 128

// ErrNoMemory is what an allocation that does not fit is wrapped around.
var ErrNoMemory = errors.New("out of DMA memory")

// ErrNoHugePages is what a failure to get huge pages is wrapped around.
var ErrNoHugePages = errors.New("no huge pages")

// Memory is a run of bytes that lies as contiguously for the device, from IOVA on, as it does for
// the process. The owner is who allocated it.
type Memory struct {
	Bytes []byte
	IOVA  uint64
}

// Allocator gives memory that one device, or a group of devices that share a Domain, can reach.
// Its methods may be called concurrently.
type Allocator interface {
	// Alloc returns zeroed memory of size bytes, aligned in the IOVA to align bytes, a power of two
	// (0 means Align). An error wraps ErrNoMemory or ErrNoHugePages.
	Alloc(size, align int) (Memory, error)
	// Free returns memory that Alloc gave, after which neither side may touch it.
	Free(Memory)
	// MaxAlloc is the largest size in bytes that Alloc can give as one piece.
	MaxAlloc() int
	// Domain identifies the address space: memory of allocators whose domains compare equal has the
	// same IOVA for all their devices.
	Domain() any
}
