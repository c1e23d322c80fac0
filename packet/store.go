package packet

import "sync/atomic"

// store is what all caches of a pool share: blocks of buffers, full ones and empty ones on two
// stacks. Whoever pops a block owns it until pushing it again. The most recently freed buffers, whose
// lines are still in some cache, go out first.
//
// A locked instruction waits until all earlier stores have reached the cache, a few hundred cycles
// behind a batch of frames. So blocks are large: up to 256 buffers change hands at once.
type store struct {
	full  stack
	empty stack
	next  []atomic.Uint32 // by block: the block below it on its stack
	slots []Ref           // size to a block
	size  int             // buffers to a block
}

// stack is a Treiber stack of block numbers. The upper half of head counts changes, so that a
// block which was popped and pushed again meanwhile is noticed; the lower half is block + 1.
type stack struct {
	head atomic.Uint64
	_    [56]byte // a cache line of its own
}

// spareBlocks are the empty blocks in the hands of caches, two each.
const spareBlocks = 1000

// blockSize is the size of the blocks of a pool of n buffers: a power of two, small in small pools, so
// that caches do not keep all buffers to themselves.
func blockSize(n int) int {
	size := 32
	for size < MaxTake && 16*size < n {
		size *= 2
	}
	return size
}

// init makes room for n full blocks, all empty.
func (s *store) init(n, size int) {
	n += spareBlocks
	s.size = size
	s.next = make([]atomic.Uint32, n)
	s.slots = make([]Ref, n*size)
	for i := n - 1; i >= 0; i-- {
		s.push(&s.empty, s.magazine(uint32(i)))
	}
}

func (s *store) magazine(block uint32) magazine {
	i := int(block) * s.size
	return magazine{refs: s.slots[i : i+s.size : i+s.size], block: block}
}

// push gives a block to a stack; without a block it does nothing.
func (s *store) push(to *stack, m magazine) {
	if m.refs == nil {
		return
	}
	for {
		h := to.head.Load()
		s.next[m.block].Store(uint32(h))
		if to.head.CompareAndSwap(h, (h>>32+1)<<32|uint64(m.block+1)) {
			return
		}
	}
}

// pop takes a block from a stack. It reports whether there was one.
func (s *store) pop(from *stack) (magazine, bool) {
	for {
		h := from.head.Load()
		if uint32(h) == 0 {
			return magazine{}, false
		}
		block := uint32(h) - 1
		if from.head.CompareAndSwap(h, (h>>32+1)<<32|uint64(s.next[block].Load())) {
			return s.magazine(block), true
		}
	}
}

// len counts the buffers in full blocks. It is exact while nobody takes or gives.
func (s *store) len() int {
	n := 0
	for b := uint32(s.full.head.Load()); b != 0 && n < len(s.next); n++ {
		b = s.next[b-1].Load()
	}
	return n * s.size
}
