//go:build linux

package vfio

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// pass makes a request with the address of b, which the kernel may change. It returns what the kernel
// returns. Structures tell the kernel their size, so it stays within b.
func pass(fd int, req uint, b []byte) (int, error) {
	for {
		r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(unsafe.Pointer(unsafe.SliceData(b))))
		if e == 0 {
			return int(r), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// request makes a request with a number.
func request(fd int, req uint, arg int) (int, error) {
	for {
		r, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), uintptr(req), uintptr(arg))
		if e == 0 {
			return int(r), nil
		}
		if e != unix.EINTR {
			return 0, e
		}
	}
}

// address is where b lies in this process.
func address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
