package nictest

import "glassnic/bus/dma"

// PageSize is the most bytes that a Memory gives in one piece.
const PageSize = 2 << 20

// Memory is a dma.Allocator over the Go heap. Each is a domain of its own.
type Memory = dma.Heap

// NewMemory returns memory of a new domain.
func NewMemory() *Memory { return dma.NewHeap() }
