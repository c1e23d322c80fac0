package afxdp

import (
	"bytes"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/nic"
	"glassnic/packet"
)

// inNamespace runs f on a thread in a fresh network namespace with a pair of interfaces of four queues; the thread ends
// with it.
func inNamespace(t *testing.T, mtu string, f func()) {
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
		const queues = " numrxqueues 4 numtxqueues 4 "
		run(t, "sysctl -q net.ipv6.conf.default.disable_ipv6=1")
		run(t, "ip link add left mtu "+mtu+queues+"type veth peer name right mtu "+mtu+queues)
		run(t, "ip link set left up")
		run(t, "ip link set right up")
		f()
	}()
	<-done
}

func run(t *testing.T, line string) string {
	t.Helper()
	args := strings.Fields(line)
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v: %s", line, err, out)
		runtime.Goexit()
	}
	return string(out)
}

func open(t *testing.T, rest string, cfg nic.Config) *Device {
	t.Helper()
	dev, err := nic.Open(t.Context(), "xdp:"+rest, cfg)
	if err != nil {
		t.Error(err)
		runtime.Goexit()
	}
	return dev.(*Device)
}

func closeAll(t *testing.T, ports ...nic.Device) {
	t.Helper()
	if err := nic.CloseAll(ports...); err != nil {
		t.Error(err)
	}
}

// build makes a frame of a pool, each of its buffers with at most some bytes.
func build(t *testing.T, pool *packet.Pool, part int, f []byte) *packet.Buf {
	t.Helper()
	var first, last *packet.Buf
	for len(f) > 0 {
		var b [1]*packet.Buf
		if pool.Alloc(b[:]) == 0 {
			t.Error("no buffer")
			runtime.Goexit()
		}
		k := min(len(f), part)
		b[0].SetBytes(f[:k])
		if f = f[k:]; first == nil {
			first = b[0]
		} else {
			last.SetNext(b[0])
		}
		last = b[0]
	}
	return first
}

// send sends frames of a port's own pool.
func send(t *testing.T, d *Device, queue, part int, frames ...[]byte) {
	t.Helper()
	for _, f := range frames {
		one := []*packet.Buf{build(t, d.Info().Pool, part, f)}
		wait(t, "room in the transmit ring", func() bool { return d.tx[queue].Send(one) == 1 })
	}
}

// receive waits for frames.
func receive(t *testing.T, q *rxQueue, n int) (all [][]byte) {
	t.Helper()
	batch := make([]*packet.Buf, 7)
	wait(t, "frames", func() bool {
		k := q.Receive(batch)
		for _, b := range batch[:k] {
			all = append(all, b.AppendTo(nil))
		}
		packet.Free(batch[:k])
		return len(all) >= n
	})
	return all
}

// wait waits until something is so.
func wait(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !so(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Errorf("no %s", what)
			runtime.Goexit()
		}
	}
}

func testFrame(size int, typ string) []byte {
	f := bytes.Repeat([]byte{byte(size)}, size)
	copy(f, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01"+typ)
	return f
}
