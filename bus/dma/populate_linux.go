package dma

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Populate gives the pages of a mapping memory before their first use, in huge pages where the kernel
// can. It fails with ErrNoMemory where the memory, the file system or the huge page pool is exhausted,
// which a plain access would answer with SIGBUS, and with errors.ErrUnsupported before Linux 5.14. The
// contents stay.
func Populate(b []byte) error {
	err := unix.Madvise(b, unix.MADV_POPULATE_WRITE)
	switch {
	case err == nil:
		// Makes a huge page of shared memory whatever shmem_enabled says (Linux 6.1); without one
		// the memory works as well.
		_ = unix.Madvise(b, unix.MADV_COLLAPSE)
		return nil
	case errors.Is(err, unix.EINVAL): // before Linux 5.14
		return errors.ErrUnsupported
	}
	return fmt.Errorf("%d bytes of memory cannot be had (%w): %w", len(b), err, ErrNoMemory)
}
