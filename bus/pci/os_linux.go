package pci

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
)

// lockFile takes f for this process until it is closed; bus.ErrInUse if another one has it.
func lockFile(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return bus.ErrInUse
		}
		return err
	}
}

// mapBAR maps size bytes of a BAR and the off bytes of its first page that lie before it.
func mapBAR(path string, off, size int) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || st.Size() < int64(size) {
		return nil, errors.Join(err, fmt.Errorf("%s is shorter than %d bytes", path, size))
	}
	b, err := unix.Mmap(int(f.Fd()), 0, off+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap %s: %w", path, err)
	}
	return b, nil
}

func unmapBAR(b []byte) error { return unix.Munmap(b) }

func newHuge(pageSize, node int, pagemap string) (source, error) {
	h, err := dma.NewHuge(dma.HugeOptions{PageSize: pageSize, NUMANode: node, Pagemap: pagemap})
	if err != nil {
		return nil, err
	}
	return h, nil
}
