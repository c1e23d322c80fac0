package dma

import (
	"fmt"
	"sync"
)

// heapPage is the most bytes that a Heap gives in one piece.
const heapPage = 2 << 20

// Heap is an Allocator over ordinary memory, which no device reaches: for ports whose frames the kernel copies, and for
// tests. Each is a domain of its own. The garbage collector takes pieces back that are freed and not used any more.
type Heap struct {
	mu   sync.Mutex
	next uint64 // IOVA
	held map[uint64]int
}

// NewHeap returns memory of a new domain.
func NewHeap() *Heap { return &Heap{next: heapPage, held: map[uint64]int{}} }

// Alloc implements Allocator.
func (m *Heap) Alloc(size, align int) (Memory, error) {
	align = max(align, Align)
	if size <= 0 || size > heapPage || align&(align-1) != 0 {
		return Memory{}, fmt.Errorf("dma: cannot allocate %d bytes aligned to %d: %w", size, align, ErrNoMemory)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	iova := (m.next + uint64(align) - 1) &^ (uint64(align) - 1)
	m.next = iova + uint64(size)
	m.held[iova] = size
	return Memory{Bytes: make([]byte, size), IOVA: iova}, nil
}

// Free implements Allocator.
func (m *Heap) Free(mem Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.held, mem.IOVA)
}

// Held returns how many pieces have not been freed.
func (m *Heap) Held() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.held)
}

// MaxAlloc implements Allocator.
func (m *Heap) MaxAlloc() int { return heapPage }

// Domain implements Allocator.
func (m *Heap) Domain() any { return m }
