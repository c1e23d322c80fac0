package dma

import (
	"fmt"
	"sync"
)

// SharedPage is the size in bytes of the pages of shared memory, and the IOVA of the first one: a
// device that is told address 0 by mistake never hits memory in use.
const SharedPage = 2 << 20

// SharedOptions say how much memory NewShared reserves.
type SharedOptions struct {
	// Size in bytes is rounded up to whole pages of 2 MiB, the unused first one included; 0 means
	// DefaultShared. On Linux it is address space and memory follows as pages are handed out;
	// elsewhere it is memory of the Go heap.
	Size int
	// SmallPages does without the huge page pool.
	SmallPages bool
}

// Shared is a Source of memory that models in the same process reach as well: a page's IOVA is its
// offset in Bytes. Its methods may be called concurrently.
type Shared struct {
	mem  []byte
	huge bool

	mu   sync.Mutex
	used []bool // by page; page 0 is never handed out
}

// NewShared reserves the memory. The caller closes it.
func NewShared(opt SharedOptions) (*Shared, error) {
	size := opt.Size
	if size == 0 {
		size = DefaultShared
	}
	if size < 0 || size > MaxShared {
		return nil, fmt.Errorf("dma: shared memory of %d bytes: take 1 to %d", size, int64(MaxShared))
	}
	size = max((size+SharedPage-1)&^(SharedPage-1), 2*SharedPage)
	s := &Shared{used: make([]bool, size/SharedPage)}
	if err := s.reserve(size, !opt.SmallPages); err != nil {
		return nil, fmt.Errorf("dma: reserve %d bytes of shared memory: %w", size, err)
	}
	s.used[0] = true
	return s, nil
}

// Bytes returns the whole memory, for models to index by IOVA; it is valid until Close. Only pages
// that were handed out hold anything.
func (s *Shared) Bytes() []byte { return s.mem }

// Huge tells whether the memory is made of pages from the huge page pool.
func (s *Shared) Huge() bool { return s.huge }

// Page implements Source.
func (s *Shared) Page() (Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, u := range s.used {
		if u {
			continue
		}
		b := s.page(i)
		if err := s.populate(b); err != nil {
			return Memory{}, fmt.Errorf("dma: shared memory: %w", err)
		}
		s.used[i] = true
		return Memory{Bytes: b, IOVA: uint64(i) * SharedPage}, nil
	}
	return Memory{}, fmt.Errorf("dma: all %d bytes of shared memory are in use: reserve more: %w", len(s.mem), ErrNoMemory)
}

// Release implements Source: the memory goes back to the system where it can.
func (s *Shared) Release(m Memory) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := m.IOVA / SharedPage
	if m.IOVA%SharedPage != 0 || i == 0 || i >= uint64(len(s.used)) || !s.used[i] {
		return fmt.Errorf("dma: shared memory has no page %#x in use", m.IOVA)
	}
	s.used[i] = false
	s.discard(s.page(int(i)))
	return nil
}

func (s *Shared) page(i int) []byte {
	off := i * SharedPage
	return s.mem[off : off+SharedPage : off+SharedPage]
}

// PageSize implements Source.
func (s *Shared) PageSize() int { return SharedPage }

// Domain implements Source: this memory.
func (s *Shared) Domain() any { return s }

// Close gives the memory back; neither drivers nor models may touch it any more.
func (s *Shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used = nil
	mem := s.mem
	s.mem = nil
	return s.unmap(mem)
}
