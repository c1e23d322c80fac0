//go:build guest

package guest

import (
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// tryOpen has the forwarder open its own program, and returns what open(2) gives it: a descriptor or an error below
// zero.
func (f *forwarder) tryOpen(t *testing.T) int {
	t.Helper()
	// The name is its first argument, whose address is the 48th number (proc_pid_stat(5), arg_start).
	line := text(t, fmt.Sprintf("/proc/%d/stat", f.cmd.Process.Pid))
	fields := strings.Fields(line[strings.LastIndex(line, ")")+1:]) // from the third on
	name, err := strconv.ParseUint(fields[48-3], 10, 64)
	if err != nil || name == 0 {
		t.Fatalf("%q: %v", line, err)
	}
	return f.inject(t, unix.SYS_OPEN, name, unix.O_RDONLY, 0)
}

// trySocket has the forwarder make a socket, and returns what socket(2) gives it.
func (f *forwarder) trySocket(t *testing.T) int {
	t.Helper()
	return f.inject(t, unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_DGRAM, 0)
}

// inject has one of the forwarder's threads make a system call by ptrace(2), and returns its result.
func (f *forwarder) inject(t *testing.T, number uint64, a, b, c uint64) int {
	t.Helper()
	runtime.LockOSThread() // the tracer is a thread
	defer runtime.UnlockOSThread()
	for _, dir := range f.tasks(t) {
		tid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := injectThread(t, tid, number, a, b, c); ok {
			return got
		}
	}
	t.Fatal("no thread of fwd sleeps in a system call")
	return 0
}

// injectThread takes a thread that is in a system call back to the instruction that made it, which then makes
// another one.
func injectThread(t *testing.T, tid int, number uint64, a, b, c uint64) (int, bool) {
	t.Helper()
	if unix.PtraceAttach(tid) != nil {
		return 0, false // it has ended
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("trace thread %d: %v", tid, err)
		}
	}
	wait := func() {
		t.Helper()
		var st unix.WaitStatus
		_, err := unix.Wait4(tid, &st, unix.WALL, nil)
		must(err)
		if !st.Stopped() {
			t.Fatalf("thread %d ended: %#x", tid, st)
		}
	}
	wait()
	var before, regs unix.PtraceRegs
	must(unix.PtraceGetRegs(tid, &before))
	code := make([]byte, 2)
	_, err := unix.PtracePeekText(tid, uintptr(before.Rip-2), code)
	must(err)
	if code[0] != 0x0f || code[1] != 0x05 { // SYSCALL (Intel 64 Software Developer's Manual, volume 2)
		must(unix.PtraceDetach(tid))
		return 0, false
	}
	regs = before
	regs.Rip, regs.Rax, regs.Rdi, regs.Rsi, regs.Rdx = before.Rip-2, number, a, b, c
	regs.Orig_rax = 1<<64 - 1 // or the kernel would go on with the call that it was in
	must(unix.PtraceSetRegs(tid, &regs))
	must(unix.PtraceSingleStep(tid))
	wait()
	must(unix.PtraceGetRegs(tid, &regs))
	must(unix.PtraceSetRegs(tid, &before))
	must(unix.PtraceDetach(tid))
	return int(int64(regs.Rax)), true
}
