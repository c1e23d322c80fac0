package dma

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// HugePageSize checks a size in bytes for huge pages: 2 MiB, which 0 stands for, or 1 GiB.
func HugePageSize(size int) (int, error) {
	switch size {
	case 0, 2 << 20:
		return 2 << 20, nil
	case 1 << 30:
		return size, nil
	}
	return 0, fmt.Errorf("dma: huge page size of %d bytes: take %d (2 MiB) or %d (1 GiB)", size, 2<<20, 1<<30)
}

// MapHuge maps one huge page of 2 MiB or 1 GiB: zeroed, present, never swapped out, kept from child
// processes, and of the NUMA node where that has one left (negative for any). It takes no privilege and no
// mounted file system; an error around ErrNoHugePages names the cure. The caller gives it to Unmap.
func MapHuge(size, node int) ([]byte, error) {
	size, err := HugePageSize(size)
	if err != nil {
		return nil, err
	}
	b, err := reserveHuge(size, node)
	if err != nil {
		return nil, err
	}
	if err := settleHuge(b, node); err != nil {
		return nil, errors.Join(err, Unmap(b))
	}
	return b, nil
}

// MapPlain maps size bytes of ordinary memory for a device behind an IOMMU, which makes them contiguous:
// zeroed, present, kept from child processes, preferably of a NUMA node (negative for any), and laid out so
// that the kernel can use huge pages. Whoever maps it for the device has the kernel pin it. An error wraps
// ErrNoMemory. The caller gives it to Unmap.
func MapPlain(size, node int) ([]byte, error) {
	b, err := mapShared(-1, size, unix.MAP_ANON)
	if err != nil {
		return nil, fmt.Errorf("dma: %d bytes of memory (%w): %w", size, err, ErrNoMemory)
	}
	_ = preferNode(b, node)
	if err := Populate(b); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		return nil, errors.Join(fmt.Errorf("dma: %w", err), Unmap(b))
	}
	return b, nil
}

func reserveHuge(size, node int) ([]byte, error) {
	flag := unix.MAP_HUGE_2MB
	if size == 1<<30 {
		flag = unix.MAP_HUGE_1GB
	}
	// The kernel reserves the page when it is mapped, so an empty pool is an error now and not SIGBUS later.
	b, err := mapAnonymous(size, unix.MAP_HUGETLB|flag)
	if err != nil {
		return nil, noHugePages(size, node, err)
	}
	return b, nil
}

// settleHuge has a page that was reserved present in memory.
func settleHuge(b []byte, node int) error {
	// A child's copy would let pages move away under the device.
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return fmt.Errorf("dma: keep huge page from child processes: madvise: %w", err)
	}
	// A preference: a node without memory, a kernel without NUMA or a container that forbids the
	// call leave the page where the kernel puts it.
	_ = preferNode(b, node)
	switch err := unix.Madvise(b, unix.MADV_POPULATE_WRITE); {
	case err == nil:
	case errors.Is(err, unix.EINVAL): // before Linux 5.14
		b[0] = 0
	default: // a control group's limit, say
		return noHugePages(len(b), node, err)
	}
	return nil
}

func noHugePages(size, node int, err error) error {
	kib := size >> 10
	pool := fmt.Sprintf("/hugepages/hugepages-%dkB/nr_hugepages", kib)
	more := 512
	if size == 1<<30 {
		more = 1
	}
	cure := func(path string) string {
		n := 0
		if b, err := os.ReadFile(path); err == nil {
			n, _ = strconv.Atoi(strings.TrimSpace(string(b)))
		}
		return fmt.Sprintf("echo %d > %s", n+more, path)
	}
	s := cure("/sys/kernel/mm" + pool)
	if node >= 0 {
		s += fmt.Sprintf(" (or on NUMA node %d alone: %s)", node, cure(fmt.Sprintf("/sys/devices/system/node/node%d", node)+pool))
	}
	if size == 1<<30 {
		s += "; where memory is too scattered for that, boot with hugepagesz=1G hugepages=1"
	}
	return fmt.Errorf("dma: %w of %d KiB left (%w): as root: %s", ErrNoHugePages, kib, err, s)
}
