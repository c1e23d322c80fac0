package shm

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
)

// pageSize is the unit of ownership in the dma file, and the IOVA of its first page.
const pageSize = 2 << 20

// space is one dma file as this process uses it: all ports of a directory share it, so a frame that
// came in on one can leave by another without a copy.
type space struct {
	key   fileID
	f     *os.File
	mem   []byte
	arena *dma.Arena

	refs int // under spacesMu

	mu   sync.Mutex
	held []bool // pages locked by this process; index 0 is never used
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
	return errors.Join(s.arena.Close(), dma.Unmap(s.mem), s.f.Close())
}

// Page implements dma.Source: the first page that no process has locked.
func (s *space) Page() (dma.Memory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := 1; i < len(s.held); i++ {
		// Our own lock would be granted again.
		if s.held[i] {
			continue
		}
		switch err := s.lock(i, unix.F_WRLCK); {
		case errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES):
			continue
		case err != nil:
			return dma.Memory{}, fmt.Errorf("shm: lock page %d of %s: %w", i, s.f.Name(), err)
		}
		off := i * pageSize
		b := s.mem[off : off+pageSize : off+pageSize]
		if err := s.populate(b, off); err != nil {
			_ = s.lock(i, unix.F_UNLCK)
			return dma.Memory{}, fmt.Errorf("shm: page %d of %s: %w: make room in its file system", i, s.f.Name(), err)
		}
		s.held[i] = true
		return dma.Memory{Bytes: b, IOVA: uint64(off)}, nil
	}
	return dma.Memory{}, fmt.Errorf("shm: all %d pages of 2 MiB in %s are in use: serve a larger one: %w",
		len(s.held)-1, s.f.Name(), dma.ErrNoMemory)
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
	s.held[i] = false
	if err := s.lock(int(i), unix.F_UNLCK); err != nil {
		return fmt.Errorf("shm: unlock page %d of %s: %w", i, s.f.Name(), err)
	}
	return nil
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
