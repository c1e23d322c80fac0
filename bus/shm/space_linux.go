package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
)

// pageSize is the unit of ownership in the dma file, and the IOVA of its first page.
const pageSize = 2 << 20

// resetTime is how long a model may take to reset the card of a driver that died.
const resetTime = 100 * time.Millisecond

// pause waits for models to do so; tests look on.
var pause = func() { time.Sleep(resetTime) }

// space is one dma file as this process uses it: all ports of a directory share it, so a frame that
// came in on one can leave by another without a copy.
type space struct {
	key   fileID
	f     *os.File
	mem   []byte
	arena *dma.Arena

	refs int // under spacesMu

	mu    sync.Mutex
	held  []bool // pages locked by this process; index 0 is never used
	holes bool   // the file system tells holes from data, and pages given back become holes
}

// fileID identifies a file however its path is written.
type fileID struct{ dev, ino uint64 }

var (
	spacesMu sync.Mutex
	spaces   = map[fileID]*space{}
)

// attach returns the space of DIR/dma, which each caller detaches from.
func attach(dir string) (*space, error) {
	path := filepath.Join(dir, "dma")
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("open DMA memory: %w: %s", err, cure(dir))
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("stat %s: %w", path, err)
	}
	key := fileID{uint64(st.Dev), st.Ino}
	spacesMu.Lock()
	defer spacesMu.Unlock()
	if s := spaces[key]; s != nil {
		f.Close()
		s.refs++
		return s, nil
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size < 2*pageSize {
		f.Close()
		return nil, fmt.Errorf("%s has %d bytes and needs %d or more: %s", path, st.Size, 2*pageSize, cure(dir))
	}
	mem, err := dma.MapFile(f, int(st.Size))
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("map DMA memory %s: %w: %s", path, err, cure(dir))
	}
	s := &space{key: key, f: f, mem: mem, refs: 1, held: make([]bool, st.Size/pageSize)}
	s.arena = dma.NewArena(s)
	// Nobody uses page 0, so where it is not a hole nothing is.
	s.holes = s.hole(0)
	spaces[key] = s
	return s, nil
}

// detach frees the memory when the last user goes.
func (s *space) detach() error {
	spacesMu.Lock()
	defer spacesMu.Unlock()
	if s.refs--; s.refs > 0 {
		return nil
	}
	delete(spaces, s.key)
	// What is still in use belongs perhaps to a card that did not stop.
	s.mu.Lock()
	s.holes = false
	s.mu.Unlock()
	return errors.Join(s.arena.Close(), dma.Unmap(s.mem), s.f.Close())
}

// Page implements dma.Source: the first page that no process has locked and that is a hole. One that
// holds data was left by a driver that died, and the card of that driver may still write to it.
func (s *space) Page() (dma.Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.page()
	if errors.Is(err, dma.ErrNoMemory) && s.holes {
		if err := s.sweep(); err != nil {
			return dma.Memory{}, err
		}
		return s.page()
	}
	return m, err
}

func (s *space) page() (dma.Memory, error) {
	i, err := s.claim(s.clean)
	if err != nil {
		return dma.Memory{}, err
	}
	if i == 0 {
		return dma.Memory{}, fmt.Errorf("shm: all %d pages of 2 MiB in %s are in use: serve a larger one: %w",
			len(s.held)-1, s.f.Name(), dma.ErrNoMemory)
	}
	off := i * pageSize
	b := s.mem[off : off+pageSize : off+pageSize]
	if err := s.populate(b, off); err != nil {
		_ = s.release(i)
		return dma.Memory{}, fmt.Errorf("shm: page %d of %s: %w: make room in its file system", i, s.f.Name(), err)
	}
	return dma.Memory{Bytes: b, IOVA: uint64(off)}, nil
}

// claim takes the first free page that is fit, and returns 0 if there is none.
func (s *space) claim(fit func(page int) bool) (int, error) {
	for i := 1; i < len(s.held); i++ {
		// Our own lock would be granted again.
		if s.held[i] {
			continue
		}
		switch err := s.lock(i, unix.F_WRLCK); {
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES):
			continue
		case err != nil:
			return 0, fmt.Errorf("shm: lock page %d of %s: %w", i, s.f.Name(), err)
		}
		if fit(i) {
			s.held[i] = true
			return i, nil
		}
		if err := s.unlock(i); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func (s *space) clean(page int) bool { return !s.holes || s.hole(page) }

// hole tells whether a page has no memory in the file.
func (s *space) hole(page int) bool {
	off := int64(page) * pageSize
	data, err := unix.Seek(int(s.f.Fd()), off, unix.SEEK_DATA)
	return errors.Is(err, unix.ENXIO) || err == nil && data >= off+pageSize
}

// sweep takes all pages of drivers that died, and makes them holes once no card writes to them any more.
// Another process may be doing the same, so it waits even where it finds none.
func (s *space) sweep() error {
	var left []int
	i, err := s.claim(anyPage)
	for ; i != 0; i, err = s.claim(anyPage) {
		left = append(left, i)
	}
	pause()
	for _, i := range left {
		err = errors.Join(err, s.release(i))
	}
	return err
}

func anyPage(int) bool { return true }

// release makes a page a hole, which says that no card writes to it, and gives it back.
func (s *space) release(page int) error {
	if s.holes {
		err := unix.Fallocate(int(s.f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(page)*pageSize, pageSize)
		s.holes = err == nil
	}
	s.held[page] = false
	return s.unlock(page)
}

func (s *space) unlock(page int) error {
	if err := s.lock(page, unix.F_UNLCK); err != nil {
		return fmt.Errorf("shm: unlock page %d of %s: %w", page, s.f.Name(), err)
	}
	return nil
}

// populate allocates the page in the file, for a full file system would raise SIGBUS on access.
func (s *space) populate(b []byte, off int) error {
	err := dma.Populate(b)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	err = unix.Fallocate(int(s.f.Fd()), unix.FALLOC_FL_KEEP_SIZE, int64(off), int64(len(b)))
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%w: %w", err, dma.ErrNoMemory)
	case errors.Is(err, unix.EOPNOTSUPP):
		return nil
	}
	return err
}

// Release implements dma.Source.
func (s *space) Release(m dma.Memory) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := m.IOVA / pageSize
	if m.IOVA%pageSize != 0 || i >= uint64(len(s.held)) || !s.held[i] {
		return fmt.Errorf("shm: no page %#x held in %s", m.IOVA, s.f.Name())
	}
	return s.release(int(i))
}

func (s *space) lock(page int, kind int16) error {
	lk := unix.Flock_t{Type: kind, Whence: unix.SEEK_SET, Start: int64(page) * pageSize, Len: pageSize}
	for {
		err := unix.FcntlFlock(s.f.Fd(), unix.F_OFD_SETLK, &lk)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// PageSize implements dma.Source.
func (s *space) PageSize() int { return pageSize }

// Domain implements dma.Source.
func (s *space) Domain() any { return s }
