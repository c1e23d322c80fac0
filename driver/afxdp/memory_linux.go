package afxdp

import (
	"errors"
	"fmt"
	"sync"

	"glassnic/bus/dma"
	"glassnic/nic"
	"glassnic/packet"
)

const (
	pageSize = 2 << 20
	// leastPages is the least that is mapped at a time: room for the pools of two ports of one queue.
	leastPages = 16
	// chunkSize is a buffer's, headroom included: the most that the kernel takes, a page. With 2 KiB, of which it keeps
	// 256 bytes before the frame, cards that count buffers in KiB would have 1 KiB left, and drop what is longer.
	chunkSize  = 1 << chunkShift
	chunkShift = 12
)

// region is memory for the pools of several ports, of which each port makes a UMEM of its own. All may therefore send
// each other's frames as they lie, whatever the modes of their sockets are, and none outlives what another one has set
// up. It implements dma.Source; an IOVA is an offset in it, as addresses of a UMEM are.
//
// A buffer is a chunk of UMEM, and a page. None lies across two, which need not be neighbours for a card: what does is
// refused by the kernel, and lost.
type region struct {
	mem   []byte
	users int // under regions.mu

	mu   sync.Mutex
	used []bool // by page
}

// regions are those in use.
var regions struct {
	mu  sync.Mutex
	all []*region
}

// memory is a port's part of a region.
type memory struct {
	*region
	pool *packet.Pool
	own  bool // the pool is the port's
}

// open finds the region of the pool that cfg names, or makes a pool in one that has room for it.
func openMemory(cfg nic.Config) (*memory, error) {
	regions.mu.Lock()
	defer regions.mu.Unlock()
	if cfg.Pool != nil {
		r, ok := cfg.Pool.Domain().(*region)
		if !ok {
			return nil, errors.New("the pool's memory is no UMEM: use one that an xdp: port has made")
		}
		r.users++
		return &memory{region: r, pool: cfg.Pool}, nil
	}
	const room = chunkSize - packet.Headroom
	if cfg.Room > room {
		return nil, fmt.Errorf("buffers of %d bytes: want %d at most, which fit a page", cfg.Room, room)
	}
	need := (cfg.Buffers+256)*chunkSize/pageSize + 1 // with what the pool rounds up
	var r *region
	for _, have := range regions.all {
		if have.free() >= need {
			r = have
		}
	}
	if r == nil {
		// What another port wants is as much, as a rule.
		pages := max(leastPages, 2*need)
		mem, err := dma.MapPlain(pages*pageSize, -1)
		if err != nil {
			return nil, err
		}
		r = &region{mem: mem, used: make([]bool, pages)}
		regions.all = append(regions.all, r)
	}
	r.users++
	m := &memory{region: r, own: true}
	var err error
	if m.pool, err = packet.NewPool(dma.NewArena(r), packet.PoolConfig{Buffers: cfg.Buffers, Room: room, Align: chunkSize}); err != nil {
		return nil, errors.Join(err, m.detach())
	}
	return m, nil
}

// close gives the pool back, and the region where nobody else has a part of it. Where buffers of the pool are still out,
// the memory stays.
func (m *memory) close() error {
	if m.own {
		if err := m.pool.Close(); err != nil {
			return err
		}
	}
	regions.mu.Lock()
	defer regions.mu.Unlock()
	return m.detach()
}

// detach is called under regions.mu.
func (m *memory) detach() error {
	r := m.region
	if r.users--; r.users > 0 {
		return nil
	}
	for i, have := range regions.all {
		if have == r {
			regions.all = append(regions.all[:i], regions.all[i+1:]...)
			break
		}
	}
	mem := r.mem
	r.mem = nil
	return dma.Unmap(mem)
}

func (r *region) free() (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, used := range r.used {
		if !used {
			n++
		}
	}
	return n
}

// Page implements dma.Source.
func (r *region) Page() (dma.Memory, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, used := range r.used {
		if !used {
			r.used[i] = true
			off := i * pageSize
			return dma.Memory{Bytes: r.mem[off : off+pageSize : off+pageSize], IOVA: uint64(off)}, nil
		}
	}
	return dma.Memory{}, fmt.Errorf("all %d bytes of UMEM are in use: %w", len(r.mem), dma.ErrNoMemory)
}

// Release implements dma.Source. The page stays mapped, since the kernel holds on to it.
func (r *region) Release(m dma.Memory) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := int(m.IOVA / pageSize)
	if i >= len(r.used) || !r.used[i] {
		return fmt.Errorf("UMEM has no page %#x in use", m.IOVA)
	}
	r.used[i] = false
	return nil
}

// PageSize implements dma.Source.
func (r *region) PageSize() int { return pageSize }

// Domain implements dma.Source.
func (r *region) Domain() any { return r }
