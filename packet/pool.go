package packet

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"glassnic/bus/dma"
)

// PoolConfig are the settings of a pool.
type PoolConfig struct {
	// Buffers is how many buffers the pool has at least, up to 16 million; it is rounded up to a
	// multiple of 32 to 256. 0 means 4096.
	Buffers int
	// Room is the number of bytes behind the headroom, from 64 to MaxRoom, rounded up to a multiple of
	// 64. 0 means DefaultRoom.
	Room int
	// Align has buffers, headroom included, begin at multiples of it, a power of two from 128 on; 0: where they fit
	// caches best.
	Align int
}

// Pool is a set of buffers of one size in memory that cards reach. Its methods may be called
// concurrently.
type Pool struct {
	id     uint32 // in the upper 8 bits, as in Buf.index
	room   int
	stride int
	align  int // of buffers; 0: none in particular
	n      int
	mem    dma.Allocator
	pieces []dma.Memory
	recs   records
	store  store
	checks *checks // nil but in poolcheck builds

	mu     sync.Mutex
	shared Cache // for those who have no cache of their own
}

// maxBuffers is what the lower 24 bits of Buf.index number, less the last block.
const maxBuffers = 1<<24 - 256

// pools finds the pool of a buffer. Number 0 stays free.
var (
	pools    [256]atomic.Pointer[Pool]
	lastPool atomic.Uint32
)

func (b *Buf) pool() *Pool { return pools[b.index>>24].Load() }

// NewPool makes a pool in memory of mem, which must outlive it. At most 255 pools live at a time.
func NewPool(mem dma.Allocator, cfg PoolConfig) (*Pool, error) {
	if cfg.Buffers == 0 {
		cfg.Buffers = 4096
	}
	if cfg.Room == 0 {
		cfg.Room = DefaultRoom
	}
	if cfg.Buffers < 0 || cfg.Buffers > maxBuffers {
		return nil, fmt.Errorf("packet: a pool of %d buffers: want 1 to %d", cfg.Buffers, maxBuffers)
	}
	if cfg.Room < 64 || cfg.Room > MaxRoom {
		return nil, fmt.Errorf("packet: buffers of %d bytes: want 64 to %d", cfg.Room, MaxRoom)
	}
	block := blockSize(cfg.Buffers)
	p := &Pool{mem: mem, n: (cfg.Buffers + block - 1) / block * block, room: (cfg.Room + 63) &^ 63}
	p.stride = stride(p.room)
	if cfg.Align != 0 {
		if cfg.Align < dma.Align || cfg.Align&(cfg.Align-1) != 0 {
			return nil, fmt.Errorf("packet: buffers aligned to %d: want a power of two from %d on", cfg.Align, dma.Align)
		}
		p.align, p.stride = cfg.Align, (Headroom+p.room+cfg.Align-1)&^(cfg.Align-1)
	}
	if p.stride > mem.MaxAlloc() {
		return nil, fmt.Errorf("packet: a buffer of %d bytes does not fit a page of %d: %w", p.stride, mem.MaxAlloc(), dma.ErrNoMemory)
	}
	var err error
	if p.recs, err = newRecords(p.n); err != nil {
		return nil, err
	}
	// Numbers go round, so that one of a closed pool is not soon another's.
	for range len(pools) - 1 {
		i := lastPool.Add(1)%uint32(len(pools)-1) + 1
		if pools[i].CompareAndSwap(nil, p) {
			p.id = i << 24
			break
		}
	}
	if p.id == 0 {
		_ = p.recs.close()
		return nil, fmt.Errorf("packet: %d pools are open already: close one", len(pools)-1)
	}
	if err := p.place(); err != nil {
		p.release()
		return nil, fmt.Errorf("packet: a pool of %d buffers: %w", p.n, err)
	}
	p.checks = newChecks(p.n)
	p.store.init(p.n/block, block)
	for i := 0; i < p.n; i += block {
		m, _ := p.store.pop(&p.store.empty)
		for k := range m.refs {
			m.refs[k].Set(p.recs.at(uint32(i + k)))
		}
		p.store.push(&p.store.full, m)
	}
	p.shared = *p.NewCache()
	return p, nil
}

// stride is the distance from buffer to buffer: an odd number of 128-byte lines. With a power of
// two, the first lines of all frames would compete for the same few sets of the cache.
func stride(room int) int {
	n := (Headroom + room + 127) / 128
	return (n | 1) * 128
}

// place gets memory in pieces, as large as the allocator gives, and lays the buffers out in them.
// No buffer lies across two pieces.
func (p *Pool) place() error {
	// Pieces of a whole page would leave no room for a ring beside them.
	most := min(p.mem.MaxAlloc(), 2<<20) / p.stride
	for i := 0; i < p.n; {
		k := min(most, p.n-i)
		m, err := p.mem.Alloc(k*p.stride, p.align)
		if err != nil {
			return err
		}
		p.pieces = append(p.pieces, m)
		for j := range k {
			off := j * p.stride
			p.recs.at(uint32(i+j)).place(m.Bytes[off:off+p.stride], m.IOVA+uint64(off), p.id|uint32(i+j))
		}
		i += k
	}
	return nil
}

// Len returns the number of buffers of the pool.
func (p *Pool) Len() int { return p.n }

// Room returns the number of bytes behind the headroom of each buffer.
func (p *Pool) Room() int { return p.room }

// ID returns the pool's number, as Buf.PoolID does.
func (p *Pool) ID() uint32 { return p.id }

// Flags returns the pool's number as all its buffers' Flags have it.
func (p *Pool) Flags() Flags { return Flags(p.id>>24) << poolShift }

// lend moves what those without a cache have freed, less than a block, to c. It reports whether c holds
// something then.
func (p *Pool) lend(c *Cache) bool {
	if c == &p.shared {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range []*magazine{&p.shared.loaded, &p.shared.spare} {
		c.add(m.refs[:m.n])
		m.n = 0
	}
	return c.loaded.n > 0
}

// Domain returns the domain of the memory that the pool lies in: a card may be given a buffer if its
// own domain compares equal.
func (p *Pool) Domain() any { return p.mem.Domain() }

// PoolOf returns the pool of a buffer.
func PoolOf(b *Buf) *Pool { return b.pool() }

// Alloc takes buffers for those who have no Cache of their own and returns how many it got. They
// hold empty frames.
func (p *Pool) Alloc(batch []*Buf) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.shared.Fill(batch)
	p.shared.settle()
	for _, b := range batch[:n] {
		b.Reset()
	}
	return n
}

// Free returns frames with all their buffers, of any pools, for those who have no Cache of their
// own. Nil entries are passed over.
func Free(batch []*Buf) {
	for _, b := range batch {
		for b != nil {
			next := b.Next()
			b.pool().free(b)
			b = next
		}
	}
}

func (p *Pool) free(b *Buf) {
	p.mu.Lock()
	defer p.mu.Unlock() // also where poolcheck panics
	p.shared.Put([]*Buf{b})
	p.shared.settle()
}

// Available returns how many buffers nobody holds: not in a ring, not with a worker, not in a
// cache. It is exact while nobody allocates or frees.
func (p *Pool) Available() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.store.len() + p.shared.held()
}

// Close gives the memory back. Caches must have been flushed, and ports that sent the pool's buffers
// stopped (nic.Stopper): they keep the last of them. If buffers are still out, nothing is
// given back, since somebody may still write there, and the error wraps ErrLeaked. A second Close is an
// error and does nothing.
func (p *Pool) Close() error {
	if pools[p.id>>24].Load() != p {
		return errors.New("packet: close pool: closed already")
	}
	if out := p.n - p.Available(); out != 0 {
		return fmt.Errorf("packet: close pool: %d of %d %w%s", out, p.n, ErrLeaked, p.checks.leaks())
	}
	return p.release()
}

func (p *Pool) release() error {
	for _, m := range p.pieces {
		p.mem.Free(m)
	}
	p.pieces = nil
	pools[p.id>>24].Store(nil)
	return p.recs.close()
}
