package dma

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// HugeOptions say which huge pages NewHuge takes.
type HugeOptions struct {
	// PageSize is 2 MiB (also for 0) or 1 GiB.
	PageSize int
	// NUMANode is the node whose memory is preferred; negative for none. Another node's pages are
	// taken where it has none left.
	NUMANode int
	// Pagemap is where physical addresses are looked up: "" for /proc/self/pagemap.
	Pagemap string
}

// Huge is a Source of huge pages whose IOVA is the physical address. Huge pages are never swapped
// out, so they are not locked as well; they are kept from child processes. No file system needs to be
// mounted. Its methods may be called concurrently.
type Huge struct {
	size    int
	node    int
	pagemap *os.File
	mmap    func() ([]byte, error)
	munmap  func([]byte) error
}

// NewHuge opens the table of physical addresses; pages are taken by Page. The privilege that the
// table needs (CAP_SYS_ADMIN) is needed here and may be dropped afterwards. The caller closes it.
func NewHuge(opt HugeOptions) (*Huge, error) {
	h := &Huge{size: opt.PageSize, node: opt.NUMANode, munmap: unix.Munmap}
	h.mmap = h.mmapHuge
	if h.size == 0 {
		h.size = 2 << 20
	}
	if h.size != 2<<20 && h.size != 1<<30 {
		return nil, fmt.Errorf("dma: huge page size of %d bytes: take %d (2 MiB) or %d (1 GiB)", h.size, 2<<20, 1<<30)
	}
	path := opt.Pagemap
	if path == "" {
		path = "/proc/self/pagemap"
	}
	var err error
	if h.pagemap, err = os.Open(path); err != nil {
		return nil, fmt.Errorf("dma: open page map: %w: run as root", err)
	}
	return h, nil
}

// Page implements Source: a zeroed page, present in memory.
func (h *Huge) Page() (Memory, error) {
	b, err := h.mmap()
	if err != nil {
		return Memory{}, err
	}
	m, err := h.prepare(b)
	if err != nil {
		_ = h.munmap(b)
	}
	return m, err
}

func (h *Huge) mmapHuge() ([]byte, error) {
	size := unix.MAP_HUGE_2MB
	if h.size == 1<<30 {
		size = unix.MAP_HUGE_1GB
	}
	// The kernel reserves the page here, so an empty pool is an error now and not SIGBUS later.
	b, err := unix.Mmap(-1, 0, h.size, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_SHARED|unix.MAP_ANON|unix.MAP_HUGETLB|size)
	if err != nil {
		return nil, h.noPages(err)
	}
	return b, nil
}

func (h *Huge) prepare(b []byte) (Memory, error) {
	// A child's copy would let pages move away under the device.
	if err := unix.Madvise(b, unix.MADV_DONTFORK); err != nil {
		return Memory{}, fmt.Errorf("dma: keep huge page from child processes: madvise: %w", err)
	}
	// A preference: a node without memory, a kernel without NUMA or a container that forbids the
	// call leave the page where the kernel puts it.
	_ = preferNode(b, h.node)
	switch err := unix.Madvise(b, unix.MADV_POPULATE_WRITE); {
	case err == nil:
	case errors.Is(err, unix.EINVAL): // before Linux 5.14
		b[0] = 0
	default: // a control group's limit, say
		return Memory{}, h.noPages(err)
	}
	phys, err := h.physical(address(b))
	if err != nil {
		return Memory{}, err
	}
	return Memory{Bytes: b, IOVA: phys}, nil
}

// physical looks one address up (Documentation/admin-guide/mm/pagemap.rst: bit 63 present, bits 0–54
// the page frame number).
func (h *Huge) physical(virt uintptr) (uint64, error) {
	small := uintptr(os.Getpagesize())
	var e [8]byte
	if _, err := h.pagemap.ReadAt(e[:], int64(virt/small)*8); err != nil {
		return 0, fmt.Errorf("dma: physical address of %#x: read %s: %w", virt, h.pagemap.Name(), err)
	}
	v := binary.NativeEndian.Uint64(e[:])
	if v>>63 == 0 {
		return 0, fmt.Errorf("dma: physical address of %#x: %s says the page is not in memory", virt, h.pagemap.Name())
	}
	frame := v & (1<<55 - 1)
	if frame == 0 {
		return 0, fmt.Errorf("dma: physical address of %#x: %s hides page frames: run as root (CAP_SYS_ADMIN)", virt, h.pagemap.Name())
	}
	phys := frame * uint64(small)
	if phys%uint64(h.size) != 0 {
		return 0, fmt.Errorf("dma: physical address %#x is no huge page of %d bytes", phys, h.size)
	}
	return phys, nil
}

func (h *Huge) noPages(err error) error {
	kib := h.size >> 10
	pool := fmt.Sprintf("/hugepages/hugepages-%dkB/nr_hugepages", kib)
	more := 512
	if h.size == 1<<30 {
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
	if h.node >= 0 {
		s += fmt.Sprintf(" (or on NUMA node %d alone: %s)", h.node, cure(fmt.Sprintf("/sys/devices/system/node/node%d", h.node)+pool))
	}
	if h.size == 1<<30 {
		s += "; where memory is too scattered for that, boot with hugepagesz=1G hugepages=1"
	}
	return fmt.Errorf("dma: %w of %d KiB left (%w): as root: %s", ErrNoHugePages, kib, err, s)
}

// Release implements Source. The device must not reach the page any more.
func (h *Huge) Release(m Memory) error {
	if err := h.munmap(m.Bytes); err != nil {
		return fmt.Errorf("dma: unmap huge page: %w", err)
	}
	return nil
}

// PageSize implements Source.
func (h *Huge) PageSize() int { return h.size }

// physical memory is one address space for all devices.
type physical struct{}

// Domain implements Source: all sources of physical addresses share one.
func (h *Huge) Domain() any { return physical{} }

// Close closes the table of physical addresses; pages stay until they are released.
func (h *Huge) Close() error { return h.pagemap.Close() }
