//go:build amd64 || arm64

package sandbox

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

const testPID = 4242

// verdict runs the filter on a system call. The machine of package bpf reads big-endian words.
func verdict(t *testing.T, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	p, err := program(calls(testPID))
	if err != nil {
		t.Fatal(err)
	}
	list, ok := bpf.Disassemble(p)
	if !ok {
		t.Fatal("the filter has unknown instructions")
	}
	vm, err := bpf.NewVM(list)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 64) // struct seccomp_data
	binary.BigEndian.PutUint32(data[0:], number)
	binary.BigEndian.PutUint32(data[4:], arch)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[16+8*i:], uint32(a))
		binary.BigEndian.PutUint32(data[20+8*i:], uint32(a>>32))
	}
	n, err := vm.Run(data)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func TestFilter(t *testing.T) {
	here := archs[runtime.GOARCH]
	other := uint32(unix.AUDIT_ARCH_I386)
	const eperm = uint32(unix.SECCOMP_RET_ERRNO) + uint32(unix.EPERM)
	for _, c := range []struct {
		name   string
		arch   uint32
		number uint32
		args   []uint64
		want   uint32
	}{
		{"read", here, unix.SYS_READ, nil, unix.SECCOMP_RET_ALLOW},
		{"read, of another architecture", other, unix.SYS_READ, nil, unix.SECCOMP_RET_KILL_PROCESS},
		{"read of x32", here, unix.SYS_READ | 1<<30, nil, eperm},
		{"open", here, unix.SYS_OPENAT, nil, eperm},
		{"socket", here, unix.SYS_SOCKET, nil, eperm},
		{"no call at all", here, 1<<32 - 1, nil, eperm},
		{"map VFIO DMA memory", here, unix.SYS_IOCTL, []uint64{3, 0x3b71}, unix.SECCOMP_RET_ALLOW},
		{"make a TAP interface", here, unix.SYS_IOCTL, []uint64{3, unix.TUNSETIFF}, eperm},
		{"a terminal's input", here, unix.SYS_IOCTL, []uint64{3, unix.TIOCSTI}, eperm},
		{"memory", here, unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ | unix.PROT_WRITE, unix.MAP_PRIVATE | unix.MAP_ANON}, unix.SECCOMP_RET_ALLOW},
		{"executable memory", here, unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_EXEC, unix.MAP_PRIVATE | unix.MAP_ANON}, eperm},
		{"a file's memory", here, unix.SYS_MMAP, []uint64{0, 4096, unix.PROT_READ, unix.MAP_SHARED}, eperm},
		{"thread", here, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_THREAD}, unix.SECCOMP_RET_ALLOW},
		{"process", here, unix.SYS_CLONE, []uint64{uint64(unix.SIGCHLD)}, eperm},
		{"own thread", here, unix.SYS_TGKILL, []uint64{testPID, 1, 9}, unix.SECCOMP_RET_ALLOW},
		{"another's thread", here, unix.SYS_TGKILL, []uint64{testPID + 1, 1, 9}, eperm},
		{"flags of a file", here, unix.SYS_FCNTL, []uint64{3, unix.F_SETFL}, unix.SECCOMP_RET_ALLOW},
		{"owner of a file's signals", here, unix.SYS_FCNTL, []uint64{3, unix.F_SETOWN}, eperm},
		{"the last row", here, unix.SYS_TIMER_DELETE, nil, unix.SECCOMP_RET_ALLOW},
	} {
		if got := verdict(t, c.arch, c.number, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
}

// Every row says what it is for, and none is behind one that lets all of its call through.
func TestTable(t *testing.T) {
	whole := map[uintptr]bool{}
	for _, c := range calls(testPID) {
		if c.name == "" || c.why == "" {
			t.Errorf("%+v", c)
		}
		if whole[c.number] {
			t.Errorf("%s: this row is never reached", c.name)
		}
		whole[c.number] = whole[c.number] || len(c.args) == 0
	}
}
