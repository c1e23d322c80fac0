//go:build linux && (amd64 || arm64)

package sandbox

import (
	"fmt"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// install puts the filter on all threads at once (seccomp(2), SECCOMP_FILTER_FLAG_TSYNC). The kernel copies it.
func install(prog []bpf.RawInstruction) error {
	if len(prog) == 0 || len(prog) > unix.BPF_MAXINSNS {
		return fmt.Errorf("%d instructions: %w", len(prog), unix.EINVAL)
	}
	list := make([]unix.SockFilter, len(prog))
	for i, p := range prog {
		list[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	f := unix.SockFprog{Len: uint16(len(list)), Filter: &list[0]}
	tid, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&f)))
	if e != 0 {
		return e
	}
	if tid != 0 {
		return fmt.Errorf("thread %d has another filter already", tid)
	}
	return nil
}
