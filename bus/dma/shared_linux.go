package dma

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// DefaultShared is the size in bytes that SharedOptions.Size 0 stands for.
const DefaultShared = 1 << 30

// MaxShared is the largest size in bytes.
const MaxShared = 1 << 40

func (s *Shared) reserve(size int, huge bool) error {
	if huge {
		// Mapping reserves the pages, so it fails here when the pool has not enough of them.
		if mem, err := mapMemfd(size, unix.MFD_HUGETLB|unix.MFD_HUGE_2MB, 0); err == nil {
			s.mem, s.huge = mem, true
			return nil
		}
	}
	mem, err := mapMemfd(size, 0, unix.MAP_NORESERVE)
	s.mem = mem
	return err
}

func mapMemfd(size, memfdFlags, mapFlags int) ([]byte, error) {
	fd, err := unix.MemfdCreate("glassnic-dma", unix.MFD_CLOEXEC|memfdFlags)
	if err != nil {
		return nil, fmt.Errorf("memfd_create: %w", err)
	}
	defer unix.Close(fd) // the mapping keeps the memory
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	return mapShared(fd, size, mapFlags)
}

func (s *Shared) populate(b []byte) error {
	if err := Populate(b); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

// discard punches a hole; memory that cannot be given back is reused as it is.
func (s *Shared) discard(b []byte) { _ = unix.Madvise(b, unix.MADV_REMOVE) }

func (s *Shared) unmap(mem []byte) error { return Unmap(mem) }
