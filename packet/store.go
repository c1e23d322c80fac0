package packet

import "sync/atomic"

// blockSize is how many buffers change hands between a cache and the store at once, so that the
// cost of the two atomic exchanges is shared by 64 packets.
const blockSize = 64

// store is what all caches of a pool share: blocks of buffers, full ones and empty ones on two
// stacks. Whoever pops a block owns it until pushing it again. The most recently freed buffers, whose
// lines are still in some cache, go out first.
type store struct {
	full  stack
	empty stack
	next  []atomic.Uint32 // by block: the block below it on its stack
	slots []*Buf          // blockSize to a block
}

// stack is a Treiber stack of block numbers. The upper half of head counts changes, so that a
// block which was popped and pushed again meanwhile is noticed; the lower half is block + 1.
type stack struct {
	head atomic.Uint64
	_    [56]byte // a cache line of its own
}

const noBlock = ^uint32(0)

func (s *stack) push(next []atomic.Uint32, block uint32) {
	for {
		h := s.head.Load()
		next[block].Store(uint32(h))
		if s.head.CompareAndSwap(h, (h>>32+1)<<32|uint64(block+1)) {
			return
		}
	}
}

// pop returns noBlock where the stack is empty.
func (s *stack) pop(next []atomic.Uint32) uint32 {
	for {
		h := s.head.Load()
		block := uint32(h) - 1
		if block == noBlock {
			return noBlock
		}
		if s.head.CompareAndSwap(h, (h>>32+1)<<32|uint64(next[block].Load())) {
			return block
		}
	}
}

// init makes room for n full blocks, all empty.
func (s *store) init(n int) {
	s.next = make([]atomic.Uint32, n)
	s.slots = make([]*Buf, n*blockSize)
	for i := range n {
		s.empty.push(s.next, uint32(n-1-i))
	}
}

// take copies one full block into dst, which has room for it. It reports whether there was one.
func (s *store) take(dst []*Buf) bool {
	block := s.full.pop(s.next)
	if block == noBlock {
		return false
	}
	copy(dst[:blockSize], s.slots[int(block)*blockSize:])
	s.empty.push(s.next, block)
	return true
}

// give takes a block of buffers over. There is always an empty block for them: blocks are as many as
// buffers / blockSize, and these buffers are in none. If not, buffers were freed twice, and the
// surplus is dropped.
func (s *store) give(src []*Buf) {
	block := s.empty.pop(s.next)
	if block == noBlock {
		return
	}
	copy(s.slots[int(block)*blockSize:], src[:blockSize])
	s.full.push(s.next, block)
}

// len counts the full blocks. It is exact while nobody takes or gives.
func (s *store) len() int {
	n := 0
	for b := uint32(s.full.head.Load()) - 1; b != noBlock && n < len(s.next); n++ {
		b = s.next[b].Load() - 1
	}
	return n
}
