// Package iommu stands between a modelled card and memory: it is what the card's DMA can reach, and
// everything else is a fault that is recorded, as an IOMMU does.
package iommu

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// Bottom is the lowest IOVA in bytes that any Space answers to: a null pointer in a descriptor
// never hits memory.
const Bottom = 2 << 20

// keep is how many faults a Space remembers; further ones are only counted.
const keep = 64

// Fault is one access that was refused.
type Fault struct {
	Who   string // the part of the card that tried
	IOVA  uint64
	Len   int // bytes
	Write bool
}

// String describes the fault in one line.
func (f Fault) String() string {
	dir := "read"
	if f.Write {
		dir = "write"
	}
	return fmt.Sprintf("%s: DMA %s of %d bytes at IOVA %#x: not mapped", f.Who, dir, f.Len, f.IOVA)
}

// Space is one device address space. A flat Space is one run of memory whose offsets are the IOVAs; a
// mapped Space consists of the pieces that its Alloc handed out. All methods may be called
// concurrently.
type Space struct {
	flat []byte // nil for a mapped space

	mu   sync.RWMutex
	maps []mapping // sorted by IOVA
	next uint64    // lowest IOVA that was never used
	used uint64    // bytes allocated

	count  atomic.Uint64
	faults []Fault
	hook   func(Fault)
}

// NewFlat returns the space in which IOVA i is mem[i], for i from Bottom on.
func NewFlat(mem []byte) *Space { return &Space{flat: mem} }

// At returns the n bytes from iova on, for the card's part who to read or, with write, to write.
// Bytes that are not mapped, even partly, are a fault and ok is false. The bytes stay valid until the
// memory is freed; the slice cannot be extended.
func (s *Space) At(who string, iova uint64, n int, write bool) (b []byte, ok bool) {
	if b := s.Flat(iova, n); b != nil {
		return b, true
	}
	return s.lookup(who, iova, n, write)
}

// Flat is At for hot paths, which the compiler inlines: it returns nil where only At knows the answer, be
// it memory or a fault.
func (s *Space) Flat(iova uint64, n int) []byte {
	end := iova + uint64(n)
	if iova < Bottom || end < iova || end > uint64(len(s.flat)) {
		return nil
	}
	return s.flat[iova:end:end]
}

// OnFault has f called at every fault, after it was recorded, by the goroutine that faulted.
func (s *Space) OnFault(f func(Fault)) {
	s.mu.Lock()
	s.hook = f
	s.mu.Unlock()
}

// Count returns how many faults there were.
func (s *Space) Count() uint64 { return s.count.Load() }

// Faults returns the first faults, at most 64.
func (s *Space) Faults() []Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return append([]Fault(nil), s.faults...)
}

func (s *Space) fault(f Fault) {
	s.count.Add(1)
	s.mu.Lock()
	if len(s.faults) < keep {
		s.faults = append(s.faults, f)
	}
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(f)
	}
}
