package memfd

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
)

const (
	// reserve is the address space in bytes that is set aside: what the memory can grow to.
	reserve = 64 << 30
	// leastGrowth is how many huge pages the memory grows by at least, where there are so many, and plainGrowth by
	// how many pages ordinary memory does, which costs nothing before it is handed out. Others have to be told each
	// time, so it grows by half of what there is.
	leastGrowth = 8
	plainGrowth = 32
)

// Memory is the memory of this process. It implements dma.Source; its methods may be called concurrently.
type Memory struct {
	f     *os.File
	mem   []byte
	huge  bool // of the huge page pool
	arena *dma.Arena
	users int // under shared.mu

	mu      sync.Mutex
	used    []bool // by page, all that others were told of
	watches map[*Watch]bool
}

// shared is the memory that all ports have, nil where none is open.
var shared struct {
	mu sync.Mutex
	m  *Memory
}

// Attach returns the memory of this process, which each caller detaches from.
func Attach() (*Memory, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.m == nil {
		m, err := newMemory()
		if err != nil {
			return nil, fmt.Errorf("memfd: %w", err)
		}
		shared.m = m
	}
	shared.m.users++
	return shared.m, nil
}

// Detach gives the memory back when the last user goes. Nobody may touch it afterwards.
func (m *Memory) Detach() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if m.users--; m.users > 0 {
		return nil
	}
	shared.m = nil
	return errors.Join(m.arena.Close(), m.close())
}

// newMemory makes the memory, of huge pages where there is one at least.
func newMemory() (*Memory, error) {
	m, err := create(true)
	if err == nil {
		if m.grow() == nil {
			return m, nil
		}
		_ = m.close()
	}
	return create(false)
}

func create(huge bool) (*Memory, error) {
	flags := unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	if huge {
		flags |= unix.MFD_HUGETLB | unix.MFD_HUGE_2MB
	}
	fd, err := unix.MemfdCreate("glassnic", flags)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	m := &Memory{f: os.NewFile(uintptr(fd), "memfd:glassnic"), huge: huge, watches: map[*Watch]bool{}}
	if err := unix.Ftruncate(fd, reserve); err != nil {
		return nil, errors.Join(fmt.Errorf("ftruncate: %w", err), m.close())
	}
	// Whoever has the file could make it shorter otherwise, and an access of ours raise SIGBUS.
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, errors.Join(fmt.Errorf("seal: %w", err), m.close())
	}
	if m.mem, err = dma.MapFile(m.f, reserve); err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.arena = dma.NewArena(m)
	return m, nil
}

func (m *Memory) close() error { return errors.Join(dma.Unmap(m.mem), m.f.Close()) }

// Arena hands the memory out.
func (m *Memory) Arena() *dma.Arena { return m.arena }

// Huge tells whether the memory is made of pages from the huge page pool.
func (m *Memory) Huge() bool { return m.huge }

// File is the memory as a file, valid until Detach.
func (m *Memory) File() *os.File { return m.f }

// Bytes are all that the memory can grow to, from Base on, for whoever reaches this process's memory by itself. What is not
// handed out may not be touched.
func (m *Memory) Bytes() []byte { return m.mem }

// Watch hears of the memory's growth.
type Watch struct {
	m    *Memory
	grew func(Region)
}

// Watch has grew called each time that the memory has grown, before any of the new memory is handed out, with all
// that there is. It returns what there is at the moment. Calls come one at a time, and must not allocate from the
// memory.
func (m *Memory) Watch(grew func(Region)) (*Watch, Region) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := &Watch{m, grew}
	m.watches[w] = true
	return w, m.region()
}

// Stop ends the calls. It waits for one that is under way.
func (w *Watch) Stop() {
	w.m.mu.Lock()
	defer w.m.mu.Unlock()
	delete(w.m.watches, w)
}

func (m *Memory) region() Region {
	return Region{IOVA: Base, Size: uint64(len(m.used)) * pageSize}
}

// Page implements dma.Source.
func (m *Memory) Page() (dma.Memory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := m.find()
	if i == len(m.used) {
		if err := m.grow(); err != nil {
			return dma.Memory{}, err
		}
		for w := range m.watches {
			w.grew(m.region())
		}
	}
	if err := populate(m.page(i)); err != nil {
		return dma.Memory{}, fmt.Errorf("memfd: %w", err)
	}
	m.used[i] = true
	return dma.Memory{Bytes: m.page(i), IOVA: Base + uint64(i)*pageSize}, nil
}

// find returns a page that is free, or the number of pages where none is.
func (m *Memory) find() int {
	for i, used := range m.used {
		if !used {
			return i
		}
	}
	return len(m.used)
}

// grow adds pages. Huge ones are taken from the pool at once: those that others map have to be there.
func (m *Memory) grow() error {
	have := len(m.used)
	least := plainGrowth
	if m.huge {
		least = leastGrowth
	}
	want := min(max(least, have/2), reserve/pageSize-have)
	if want == 0 {
		return fmt.Errorf("memfd: all %d bytes are in use: %w", reserve, dma.ErrNoMemory)
	}
	for i := range want {
		if m.huge {
			if err := populate(m.page(have + i)); err != nil && i > 0 {
				break
			} else if err != nil {
				return fmt.Errorf("memfd: %w of %d KiB left beside the %d in use (%w): as root: write a larger number to /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages",
					dma.ErrNoHugePages, pageSize>>10, have, err)
			}
		}
		m.used = append(m.used, false)
	}
	return nil
}

func populate(b []byte) error {
	if err := dma.Populate(b); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

func (m *Memory) page(i int) []byte {
	off := i * pageSize
	return m.mem[off : off+pageSize : off+pageSize]
}

// Release implements dma.Source. The memory stays part of the file.
func (m *Memory) Release(p dma.Memory) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := (p.IOVA - Base) / pageSize
	if p.IOVA < Base || p.IOVA%pageSize != 0 || i >= uint64(len(m.used)) || !m.used[i] {
		return fmt.Errorf("memfd: no page %#x in use", p.IOVA)
	}
	m.used[i] = false
	return nil
}

// PageSize implements dma.Source.
func (m *Memory) PageSize() int { return pageSize }

// Domain implements dma.Source: this memory.
func (m *Memory) Domain() any { return m }
