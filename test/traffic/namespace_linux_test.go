package traffic

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// namespace is a network namespace without a name: that of one thread. The kernel removes it, and the
// interfaces in it, when the thread has ended and with it the programs that were started in it, even
// where the test is killed.
type namespace struct {
	path string // for "ip link set DEV netns PATH"
	jobs chan func()
}

func newNamespace(t *testing.T) *namespace {
	t.Helper()
	needRoot(t)
	ns := &namespace{jobs: make(chan func())}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		err := unix.Unshare(unix.CLONE_NEWNET)
		ns.path = fmt.Sprintf("/proc/%d/task/%d/ns/net", os.Getpid(), unix.Gettid())
		ready <- err
		for f := range ns.jobs {
			f()
		}
	}()
	t.Cleanup(func() { close(ns.jobs) })
	if err := <-ready; err != nil {
		t.Fatalf("make a network namespace: unshare: %v: allow CLONE_NEWNET, for instance docker run --privileged", err)
	}
	ns.run(t, "ip", "link", "set", "lo", "up")
	return ns
}

// do calls f on the namespace's thread: what f opens or starts belongs to the namespace.
func (ns *namespace) do(f func() error) error {
	done := make(chan error, 1)
	ns.jobs <- func() { done <- f() }
	return <-done
}

// command prepares a program that dies with the namespace; start it with start.
func (ns *namespace) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts a command in the namespace.
func (ns *namespace) start(cmd *exec.Cmd) error { return ns.do(cmd.Start) }

// run runs a program in the namespace to its end and returns its stdout.
func (ns *namespace) run(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err := output(ns.command(ctx, name, args...), ns.start)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// kernelStats is what the kernel has counted at an interface, named from its side.
type kernelStats struct {
	Rx, Tx struct {
		Packets, Dropped, Errors uint64
	}
}

func (ns *namespace) stats(t *testing.T, dev string) kernelStats {
	t.Helper()
	var links []struct {
		Stats kernelStats `json:"stats64"`
	}
	out := ns.run(t, "ip", "-j", "-s", "link", "show", "dev", dev)
	if err := json.Unmarshal([]byte(out), &links); err != nil || len(links) != 1 {
		t.Fatalf("ip -j -s link: %v: %s", err, out)
	}
	return links[0].Stats
}
