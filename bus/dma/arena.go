package dma

import (
	"fmt"
	"slices"
	"sync"
)

// Source is where an Arena gets whole pages from.
type Source interface {
	// Page returns one page of PageSize bytes.
	Page() (Memory, error)
	// Release takes a page back.
	Release(Memory) error
	// PageSize is the size of every page in bytes, a power of two.
	PageSize() int
	// Domain is the Allocator's.
	Domain() any
}

// Arena is an Allocator that cuts pages of a Source into pieces, first fit, and gives back pages that
// have become empty. Pieces never straddle pages.
type Arena struct {
	mu    sync.Mutex
	src   Source
	pages []*page
}

type page struct {
	mem  Memory
	free []span // sorted, never adjacent
}

type span struct{ off, size int }

// NewArena returns an arena without pages.
func NewArena(src Source) *Arena { return &Arena{src: src} }

// Alloc implements Allocator.
func (a *Arena) Alloc(size, align int) (Memory, error) {
	if align == 0 {
		align = Align
	}
	if size <= 0 || align < 0 || align&(align-1) != 0 {
		return Memory{}, fmt.Errorf("dma: cannot allocate %d bytes aligned to %d", size, align)
	}
	if size > a.src.PageSize() || align > a.src.PageSize() {
		return Memory{}, fmt.Errorf("dma: %d bytes aligned to %d do not fit a page of %d: %w", size, align, a.src.PageSize(), ErrNoMemory)
	}
	size = round(size)
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.pages {
		if m, ok := p.take(size, align); ok {
			return m, nil
		}
	}
	mem, err := a.src.Page()
	if err != nil {
		return Memory{}, err
	}
	p := &page{mem: mem, free: []span{{0, len(mem.Bytes)}}}
	m, ok := p.take(size, align)
	if !ok {
		_ = a.src.Release(mem)
		return Memory{}, fmt.Errorf("dma: %d bytes aligned to %d do not fit the page at %#x: %w", size, align, mem.IOVA, ErrNoMemory)
	}
	a.pages = append(a.pages, p)
	return m, nil
}

func round(size int) int { return (size + Align - 1) &^ (Align - 1) }

func (p *page) take(size, align int) (Memory, bool) {
	for i, s := range p.free {
		iova := p.mem.IOVA + uint64(s.off)
		pad := int(-iova & uint64(align-1))
		if pad+size > s.size {
			continue
		}
		start := s.off + pad
		rest := make([]span, 0, 2)
		if pad > 0 {
			rest = append(rest, span{s.off, pad})
		}
		if after := s.size - pad - size; after > 0 {
			rest = append(rest, span{start + size, after})
		}
		p.free = slices.Replace(p.free, i, i+1, rest...)
		b := p.mem.Bytes[start : start+size : start+size]
		clear(b)
		return Memory{Bytes: b, IOVA: p.mem.IOVA + uint64(start)}, true
	}
	return Memory{}, false
}

// Free implements Allocator. Memory that is not of this arena, or free already, is left alone.
func (a *Arena) Free(m Memory) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, p := range a.pages {
		off := m.IOVA - p.mem.IOVA
		if m.IOVA < p.mem.IOVA || off >= uint64(len(p.mem.Bytes)) {
			continue
		}
		if !p.give(span{int(off), round(len(m.Bytes))}) {
			return
		}
		if len(p.free) == 1 && p.free[0].size == len(p.mem.Bytes) {
			a.pages = slices.Delete(a.pages, i, i+1)
			// A page that cannot be given back is lost to this process and nobody else.
			_ = a.src.Release(p.mem)
		}
		return
	}
}

// give tells whether s could be taken back: it overlaps no free span.
func (p *page) give(s span) bool {
	if s.size == 0 || s.off%Align != 0 || s.off+s.size > len(p.mem.Bytes) {
		return false
	}
	i, _ := slices.BinarySearchFunc(p.free, s, func(a, b span) int { return a.off - b.off })
	if i < len(p.free) && p.free[i].off < s.off+s.size || i > 0 && p.free[i-1].off+p.free[i-1].size > s.off {
		return false
	}
	p.free = slices.Insert(p.free, i, s)
	if i+1 < len(p.free) && s.off+s.size == p.free[i+1].off {
		p.free[i].size += p.free[i+1].size
		p.free = slices.Delete(p.free, i+1, i+2)
	}
	if i > 0 && p.free[i-1].off+p.free[i-1].size == p.free[i].off {
		p.free[i-1].size += p.free[i].size
		p.free = slices.Delete(p.free, i, i+1)
	}
	return true
}

// MaxAlloc implements Allocator.
func (a *Arena) MaxAlloc() int { return a.src.PageSize() }

// Domain implements Allocator.
func (a *Arena) Domain() any { return a.src.Domain() }

// Held returns how many pages the arena holds at the moment.
func (a *Arena) Held() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pages)
}

// Close gives all pages back, even those with pieces in use: the device must not reach them any more.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var first error
	for _, p := range a.pages {
		if err := a.src.Release(p.mem); err != nil && first == nil {
			first = err
		}
	}
	a.pages = nil
	return first
}
