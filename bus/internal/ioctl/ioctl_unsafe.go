//go:build linux

// Package ioctl makes requests of the kernel's devices (ioctl(2)).
package ioctl

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Pass makes a request with the address of b, which the kernel may change. It returns what the kernel
// returns. The kernel must stay within b: by the size that the request has, or that the structure tells.
func Pass(fd int, req uint, b []byte) (int, error) {
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

// Number makes a request with a number.
func Number(fd int, req uint, arg int) (int, error) {
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

// Address is where b lies in this process.
func Address(b []byte) uint64 { return uint64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) }
