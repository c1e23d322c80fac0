package packet

import (
	"fmt"
	"sync"
	"testing"

	"glassnic/bus/dma"
)

// memory is a dma.Allocator over the Go heap that gives pieces of up to most bytes, budget bytes in all.
type memory struct {
	most, budget int

	mu   sync.Mutex
	next uint64
	live map[uint64][]byte // by IOVA
}

func newMemory(most, budget int) *memory {
	return &memory{most: most, budget: budget, next: 1 << 21, live: map[uint64][]byte{}}
}

func (m *memory) Alloc(size, align int) (dma.Memory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if size <= 0 || size > m.most || size > m.budget || align > dma.Align {
		return dma.Memory{}, fmt.Errorf("memory: %d bytes aligned to %d: %w", size, align, dma.ErrNoMemory)
	}
	b := make([]byte, size)
	iova := m.next
	m.next += uint64(size+4095) &^ 4095 // never adjacent to the next piece but by accident of size
	m.budget -= size
	m.live[iova] = b
	return dma.Memory{Bytes: b, IOVA: iova}, nil
}

func (m *memory) Free(mem dma.Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.live[mem.IOVA]) != len(mem.Bytes) {
		panic(fmt.Sprintf("freed %d bytes at %#x that were not allocated", len(mem.Bytes), mem.IOVA))
	}
	m.budget += len(mem.Bytes)
	delete(m.live, mem.IOVA)
}

func (m *memory) MaxAlloc() int { return m.most }
func (m *memory) Domain() any   { return m }

// at returns the memory from an IOVA to the end of its piece.
func (m *memory) at(iova uint64) []byte {
	for start, b := range m.live {
		if iova >= start && iova < start+uint64(len(b)) {
			return b[iova-start:]
		}
	}
	return nil
}

// newPool makes a pool that must be whole again at the end of the test.
func newPool(t testing.TB, cfg PoolConfig) (*Pool, *memory) {
	t.Helper()
	mem := newMemory(2<<20, 1<<30)
	p, err := NewPool(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if n := len(mem.live); n != 0 {
			t.Errorf("%d pieces of memory not given back", n)
		}
	})
	return p, mem
}

// one allocates one buffer that is freed at the end of the test.
func one(t testing.TB, p *Pool) *Buf {
	t.Helper()
	var b [1]*Buf
	if p.Alloc(b[:]) != 1 {
		t.Fatal("no buffer")
	}
	t.Cleanup(func() { Free(b[:]) })
	return b[0]
}
