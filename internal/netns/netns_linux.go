// Package netns gives tests a network namespace of their own.
package netns

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Run runs f on a thread in a fresh network namespace; the kernel removes it, and the interfaces in it, when f has
// ended and with it the thread. f may end by runtime.Goexit, but not by t.Fatal: it has a goroutine of its own. Where
// GLASSNIC_NO_NETNS is set the test is left out.
func Run(t *testing.T, f func()) {
	t.Helper()
	if os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("GLASSNIC_NO_NETNS is set")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare: %v: run as root, or set GLASSNIC_NO_NETNS=1 to leave this test out", err)
			return
		}
		f()
	}()
	<-done
}

// RunPair is Run with two veth interfaces, left and right, joined and up, that many queues each way. The kernel sends
// nothing there on its own.
func RunPair(t *testing.T, mtu, queues int, f func()) {
	t.Helper()
	Run(t, func() {
		n := strconv.Itoa(queues)
		end := " mtu " + strconv.Itoa(mtu) + " numrxqueues " + n + " numtxqueues " + n
		Command(t, "sysctl -q net.ipv6.conf.default.disable_ipv6=1")
		Command(t, "ip link add left"+end+" type veth peer name right"+end)
		Command(t, "ip link set left up")
		Command(t, "ip link set right up")
		f()
	})
}

// Command runs a program, with arguments that hold no blanks, and returns what it printed. Where it fails the test
// fails, and the goroutine ends.
func Command(t *testing.T, line string) string {
	t.Helper()
	args := strings.Fields(line)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
		runtime.Goexit()
	}
	return string(out)
}
