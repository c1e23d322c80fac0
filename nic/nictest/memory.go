package nictest

import (
	"fmt"
	"sync"

	"glassnic/bus/dma"
)

// PageSize is the most bytes that a Memory gives in one piece.
const PageSize = 2 << 20

// Memory is a dma.Allocator over the Go heap. Each is a domain of its own.
type Memory struct {
	mu   sync.Mutex
	next uint64 // IOVA
	held map[uint64]int
}

// NewMemory returns memory of a new domain.
func NewMemory() *Memory { return &Memory{next: PageSize, held: map[uint64]int{}} }

// Alloc implements dma.Allocator.
func (m *Memory) Alloc(size, align int) (dma.Memory, error) {
	align = max(align, dma.Align)
	if size <= 0 || size > PageSize || align&(align-1) != 0 {
		return dma.Memory{}, fmt.Errorf("nictest: cannot allocate %d bytes aligned to %d: %w", size, align, dma.ErrNoMemory)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	iova := (m.next + uint64(align) - 1) &^ (uint64(align) - 1)
	m.next = iova + uint64(size)
	m.held[iova] = size
	return dma.Memory{Bytes: make([]byte, size), IOVA: iova}, nil
}

// Free implements dma.Allocator.
func (m *Memory) Free(mem dma.Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.held, mem.IOVA)
}

// Held returns how many pieces have not been freed.
func (m *Memory) Held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held)
}

// MaxAlloc implements dma.Allocator.
func (m *Memory) MaxAlloc() int { return PageSize }

// Domain implements dma.Allocator.
func (m *Memory) Domain() any { return m }
