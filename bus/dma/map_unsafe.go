//go:build linux

package dma

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugeSize is the size of the pages that a mapping is laid out for.
const hugeSize = 2 << 20

// MapFile maps size bytes of f from offset 0 on, shared and writable, on a 2 MiB boundary so that the
// kernel can back it with huge pages, and keeps it from child processes. Memory of hugetlbfs is not
// reserved: Populate each page before its first use, which fails where a plain access would raise
// SIGBUS. The caller gives the mapping back to Unmap.
func MapFile(f *os.File, size int) ([]byte, error) {
	return mapShared(int(f.Fd()), size, unix.MAP_NORESERVE)
}

// Unmap undoes MapFile, MapHuge and MapPlain. Nothing may touch the bytes any more.
func Unmap(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return unix.MunmapPtr(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
}

func mapShared(fd, size, flags int) ([]byte, error) {
	if size <= 0 || size > 1<<46 {
		return nil, fmt.Errorf("mmap: size of %d bytes", size)
	}
	const prot = unix.PROT_READ | unix.PROT_WRITE
	n := uintptr(size)
	// Room for any alignment is taken first and its overlap given back.
	room, err := unix.MmapPtr(-1, 0, nil, n+hugeSize, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	pad := -uintptr(room) & (hugeSize - 1)
	p := unsafe.Add(room, pad)
	if _, err := unix.MmapPtr(fd, 0, p, n, prot, unix.MAP_SHARED|unix.MAP_FIXED|flags); err != nil {
		_ = unix.MunmapPtr(room, n+hugeSize)
		// hugetlbfs with larger pages wants a larger alignment, which the kernel finds itself.
		if p, err = unix.MmapPtr(fd, 0, nil, n, prot, unix.MAP_SHARED|flags); err != nil {
			return nil, fmt.Errorf("mmap: %w", err)
		}
	} else {
		if pad > 0 {
			_ = unix.MunmapPtr(room, pad)
		}
		end := (pad + n + pageSize - 1) &^ (pageSize - 1)
		if rest := n + hugeSize - end; rest > 0 && end < n+hugeSize {
			_ = unix.MunmapPtr(unsafe.Add(room, end), rest)
		}
	}
	b := unsafe.Slice((*byte)(p), size)
	// Advice only: without it the mapping works, with smaller pages.
	_ = unix.Madvise(b, unix.MADV_HUGEPAGE)
	_ = unix.Madvise(b, unix.MADV_DONTFORK)
	return b, nil
}

// mapAnonymous maps size bytes of shared memory where the kernel puts them.
func mapAnonymous(size, flags int) ([]byte, error) {
	p, err := unix.MmapPtr(-1, 0, nil, uintptr(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON|flags)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), size), nil
}

var pageSize = uintptr(os.Getpagesize())

// preferNode asks for the memory of b on a NUMA node when it is touched first.
func preferNode(b []byte, node int) error {
	if node < 0 || node >= 1024 {
		return nil
	}
	var mask [1024 / 64]uint64
	mask[node/64] = 1 << (node % 64)
	// The kernel takes one bit less than maxnode says (mbind(2)).
	_, _, e := unix.Syscall6(unix.SYS_MBIND, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
		unix.MPOL_PREFERRED, uintptr(unsafe.Pointer(&mask)), uintptr(len(mask)*64+1), 0)
	if e != 0 {
		return e
	}
	return nil
}

func address(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }
