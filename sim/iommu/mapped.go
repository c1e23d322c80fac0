package iommu

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"glassnic/bus/dma"
)

const (
	page = 4096
	// guard is the hole in bytes after each mapping: longer than any frame or descriptor, so that
	// running over an end faults.
	guard = 64 << 10
	// maxAlloc is the size of a huge page, the largest contiguous piece that real hosts hand out.
	maxAlloc = 2 << 20
	// limit is how much a space hands out in all: a leak in a test should be an error, not a dead machine.
	limit = 1 << 30
)

type mapping struct {
	iova     uint64
	mem      []byte
	readOnly bool
}

// New returns a mapped Space. It is a dma.Allocator whose every allocation is a mapping of its own, with
// unmapped guard pages around it. IOVAs are never used twice, so that a late DMA to freed memory
// faults.
func New() *Space { return NewAbove(Bottom) }

// NewAbove is New with IOVAs from the given one on, for instance above 4 GiB to see whether a driver
// programs the upper halves of addresses. IOVAs below Bottom are not used.
func NewAbove(iova uint64) *Space { return &Space{next: max(iova, Bottom)} }

// Alloc implements dma.Allocator.
func (s *Space) Alloc(size, align int) (dma.Memory, error) {
	if align == 0 {
		align = dma.Align
	}
	if size <= 0 || align < 0 || align&(align-1) != 0 {
		return dma.Memory{}, fmt.Errorf("iommu: cannot allocate %d bytes aligned to %d", size, align)
	}
	if s.flat != nil {
		return dma.Memory{}, fmt.Errorf("iommu: a flat space is divided by its owner: %w", dma.ErrNoMemory)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if size > maxAlloc || s.used+uint64(size) > limit {
		return dma.Memory{}, fmt.Errorf("iommu: %d bytes are too many: at most %d in one piece, %d of %d in use: %w",
			size, maxAlloc, s.used, limit, dma.ErrNoMemory)
	}
	step := uint64(max(align, page))
	iova := (s.next + step - 1) &^ (step - 1)
	if iova < s.next || iova > math.MaxInt64-limit {
		return dma.Memory{}, fmt.Errorf("iommu: no IOVA left: %w", dma.ErrNoMemory)
	}
	s.next = iova + uint64(size) + guard
	s.used += uint64(size)
	m := mapping{iova: iova, mem: make([]byte, size)}
	s.maps = append(s.maps, m)
	return dma.Memory{Bytes: m.mem[:size:size], IOVA: iova}, nil
}

// Free implements dma.Allocator: the mapping is gone. Memory that is not mapped here is left alone.
func (s *Space) Free(m dma.Memory) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(m.IOVA); i >= 0 && s.maps[i].iova == m.IOVA {
		s.used -= uint64(len(s.maps[i].mem))
		s.maps = append(s.maps[:i], s.maps[i+1:]...)
	}
}

// Map makes memory that somebody else owns reachable from iova on, until Unmap. It is refused where something is mapped
// already, even in part.
func (s *Space) Map(iova uint64, mem []byte, readOnly bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := iova + uint64(len(mem))
	i := s.find(iova)
	switch {
	case s.flat != nil:
		return fmt.Errorf("iommu: a flat space has no room for %#x", iova)
	case len(mem) == 0 || end < iova:
		return fmt.Errorf("iommu: %d bytes from %#x: want some, below 2^64", len(mem), iova)
	case i >= 0 && iova-s.maps[i].iova < uint64(len(s.maps[i].mem)), i+1 < len(s.maps) && s.maps[i+1].iova < end:
		return fmt.Errorf("iommu: %d bytes from %#x are mapped already, at least in part", len(mem), iova)
	}
	s.maps = slices.Insert(s.maps, i+1, mapping{iova, mem, readOnly})
	return nil
}

// Unmap takes all that Map mapped within size bytes from iova on away, and returns it.
func (s *Space) Unmap(iova, size uint64) (mem [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.maps = slices.DeleteFunc(s.maps, func(m mapping) bool {
		if m.iova < iova || m.iova-iova >= size || uint64(len(m.mem)) > size-(m.iova-iova) {
			return false
		}
		mem = append(mem, m.mem)
		return true
	})
	return mem
}

// SetReadOnly lets the device only read, or again write, an allocation.
func (s *Space) SetReadOnly(m dma.Memory, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(m.IOVA); i >= 0 {
		s.maps[i].readOnly = on
	}
}

// MaxAlloc implements dma.Allocator.
func (s *Space) MaxAlloc() int { return maxAlloc }

// Domain implements dma.Allocator.
func (s *Space) Domain() any { return s }

// InUse returns how many bytes are allocated.
func (s *Space) InUse() uint64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.used
}

// find returns the mapping that iova lies in or behind, -1 if there is none.
func (s *Space) find(iova uint64) int {
	return sort.Search(len(s.maps), func(i int) bool { return s.maps[i].iova > iova }) - 1
}

func (s *Space) lookup(who string, iova uint64, n int, write bool) ([]byte, bool) {
	s.mu.RLock()
	if i := s.find(iova); i >= 0 && n >= 0 {
		m := s.maps[i]
		off := iova - m.iova
		if size := uint64(len(m.mem)); off <= size && uint64(n) <= size-off && !(write && m.readOnly) {
			s.mu.RUnlock()
			return m.mem[off : off+uint64(n) : off+uint64(n)], true
		}
	}
	s.mu.RUnlock()
	s.fault(Fault{Who: who, IOVA: iova, Len: n, Write: write})
	return nil, false
}
