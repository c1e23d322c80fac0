package dma

import (
	"encoding/binary"
	"fmt"
	"os"
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
	h := &Huge{size: opt.PageSize, node: opt.NUMANode, munmap: Unmap}
	h.mmap = h.mmapHuge
	var err error
	if h.size, err = HugePageSize(h.size); err != nil {
		return nil, err
	}
	path := opt.Pagemap
	if path == "" {
		path = "/proc/self/pagemap"
	}
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

func (h *Huge) mmapHuge() ([]byte, error) { return reserveHuge(h.size, h.node) }

func (h *Huge) prepare(b []byte) (Memory, error) {
	if err := settleHuge(b, h.node); err != nil {
		return Memory{}, err
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
