package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"glassnic/test/vm/plan"
)

// TestVhostUser boots guests whose only card is our device end of vhost-user, which fwd joins to a TAP interface: the
// host pings the guest and runs iperf3 both ways, and fwd is killed and started again in between. Of four pairs of queues
// the guest uses four, one and four. Large frames stay so between the guest and the kernel's TAP, unless the guest cuts them
// itself, and a modelled card cuts them before the other. The pin interrupts: with MSI-X and vhost-user, QEMU 7.2 ends by a
// segmentation fault where it emulates the processor.
func TestVhostUser(t *testing.T) {
	for _, c := range []struct {
		name, device, port string
		adaptive           bool
		pairs              int
		sessions           string
	}{
		{"split, four pairs", ",mq=on", "sim:tap=t0", true, 4, "to from"},
		{"packed", ",packed=on", "tap:t0", false, 1, "to from cut"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			h.args = []string{"fwd", "vhost-user:" + h.socket, c.port, "--json", "--large-frames", fmt.Sprint("--queues=", c.pairs)}
			if c.adaptive {
				h.args = append(h.args, "--adaptive")
			} else {
				h.args = append(h.args, "--idle-sleep=100us") // the guest needs the processor
			}
			ended := make(chan bool)
			go func() {
				defer close(ended)
				guest{
					devices: []string{
						"-object", "memory-backend-memfd,id=mem,size=1024M,share=on", "-numa", "node,memdev=mem",
						"-chardev", "socket,id=c0,path=" + h.socket + ",reconnect=1", "-netdev", fmt.Sprint("vhost-user,id=n0,chardev=c0,queues=", c.pairs),
						"-device", "virtio-net-pci,netdev=n0,addr=2,disable-legacy=on,vectors=0" + c.device,
					},
					modules: virtioModules, tests: []string{"TestVhostUser"}, env: []string{"SESSIONS=" + c.sessions, fmt.Sprint("PAIRS=", c.pairs)},
					cpus:  min(c.pairs, 2),
					limit: 2 * time.Minute,
				}.run(t)
			}()
			defer func() { <-ended }()
			fwd := h.forward(t)
			h.ping(t, ended)
			before := h.count(t)
			h.iperf(t, "-P", fmt.Sprint(min(2*c.pairs-1, 6)))
			h.large(t, before, "tx", c.port == "tap:t0")
			fwd.kill()
			fwd = h.forward(t)
			h.ping(t, ended)
			before = h.count(t)
			h.iperf(t, "-R")
			h.large(t, before, "rx", c.port == "tap:t0")
			if strings.HasSuffix(c.sessions, "cut") {
				h.ping(t, ended)
				before = h.count(t)
				h.iperf(t, "-R")
				h.large(t, before, "rx", false)
			}
			<-ended
			fwd.end(t)
		})
	}
}

// host is a network namespace with a TAP interface, and a socket for a guest.
type host struct {
	program, socket string
	space           string // process whose network namespace it is
	args            []string
	sessions        int    // of iperf3 that have begun
	peer            string // the guest's address in this one
}

func newHost(t *testing.T) *host {
	t.Helper()
	dir, err := os.MkdirTemp("", "glassnic-vhost-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	h := &host{program: filepath.Join(dir, "glassnic"), socket: filepath.Join(dir, "s")}
	build := exec.Command("go", "build", "-o", h.program, "glassnic/cmd/glassnic")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	// The namespace is there for as long as this process, which says when it has it.
	keeper := exec.Command("unshare", "-n", "sh", "-c", "echo here; exec cat")
	in, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := keeper.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := keeper.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_ = keeper.Wait()
	})
	if _, err := out.Read(make([]byte, 5)); err != nil {
		t.Fatalf("unshare -n: %v: this test needs root", err)
	}
	h.space = fmt.Sprint(keeper.Process.Pid)
	for _, args := range []string{
		"tuntap add t0 mode tap", "link set t0 addrgenmode none", "addr add 192.0.2.1/24 dev t0", "link set t0 up",
	} {
		if out, err := h.command(append([]string{"ip"}, strings.Fields(args)...)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", args, err, out)
		}
	}
	return h
}

// command prepares a command in the namespace.
func (h *host) command(args ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", h.space, "-n"}, args...)...)
}

// count is what has gone through the TAP interface, as the kernel counts it: "tx" is what it sent.
func (h *host) count(t *testing.T) map[string]struct{ Bytes, Packets float64 } {
	t.Helper()
	out, err := h.command("ip", "-j", "-s", "link", "show", "t0").Output()
	var links []struct {
		Stats map[string]struct{ Bytes, Packets float64 } `json:"stats64"`
	}
	if err := errors.Join(err, json.Unmarshal(out, &links)); err != nil || len(links) != 1 {
		t.Fatalf("ip -s link: %v\n%s", err, out)
	}
	return links[0].Stats
}

// large checks whether frames beyond the MTU have gone one way since a count.
func (h *host) large(t *testing.T, before map[string]struct{ Bytes, Packets float64 }, way string, want bool) {
	t.Helper()
	now := h.count(t)[way]
	mean := (now.Bytes - before[way].Bytes) / (now.Packets - before[way].Packets)
	t.Logf("%s: %.0f bytes a frame", way, mean)
	if got := mean > 1514; got != want {
		t.Errorf("%s: %.0f bytes a frame, large ones: want %v", way, mean, want)
	}
}

// forwarder is a running fwd.
type forwarder struct {
	cmd         *exec.Cmd
	out, errors bytes.Buffer
	done        bool
}

func (h *host) forward(t *testing.T) *forwarder {
	t.Helper()
	f := &forwarder{cmd: h.command(append([]string{h.program}, h.args...)...)}
	f.cmd.Stdout, f.cmd.Stderr = &f.out, &f.errors
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		f.kill()
		f.report(t)
	})
	return f
}

func (f *forwarder) kill() {
	if !f.done {
		_ = f.cmd.Process.Kill()
		_ = f.cmd.Wait()
		f.done = true
	}
}

// report shows what a failed test's fwd said.
func (f *forwarder) report(t *testing.T) {
	if t.Failed() {
		t.Logf("fwd said:\n%s%s", f.errors.String(), last(f.out.String(), 5))
	}
}

// end interrupts fwd, whose totals must add up and tell of no damage.
func (f *forwarder) end(t *testing.T) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := f.cmd.Wait()
	f.done = true
	if err != nil {
		t.Errorf("fwd: %v\n%s", err, f.errors.String())
	}
	packets := uint64(0)
	for _, line := range bytes.Split(f.out.Bytes(), []byte("\n")) {
		var s struct {
			Type      string `json:"type"`
			RxPackets uint64 `json:"rx_packets"`
			RxErrors  uint64 `json:"rx_errors"`
			RxDropped uint64 `json:"rx_dropped"`
			TxDropped uint64 `json:"tx_dropped"`
		}
		if json.Unmarshal(line, &s) != nil || s.Type != "port" {
			continue
		}
		packets += s.RxPackets
		if s.RxErrors+s.RxDropped+s.TxDropped != 0 {
			t.Errorf("%s", line)
		}
	}
	if packets < 1000 {
		t.Errorf("%d frames were received\n%s", packets, f.out.String())
	}
}

// ping waits until the guest answers at the address of the next session, and then for answers to all of 20 pings.
func (h *host) ping(t *testing.T, ended chan bool) {
	t.Helper()
	h.peer = fmt.Sprint("192.0.2.", 2+h.sessions)
	h.sessions++
	for begin := time.Now(); ; {
		if h.command("ping", "-c", "1", "-W", "1", h.peer).Run() == nil {
			break
		}
		select {
		case <-ended:
			t.Fatal("the guest has ended")
		default:
		}
		if time.Since(begin) > defaultLimit {
			t.Fatal("the guest does not answer")
		}
	}
	out, err := h.command("ping", "-c", "20", "-i", "0.05", "-s", "1400", "-w", "20", h.peer).CombinedOutput()
	if n := plan.Unanswered(string(out), 20); err != nil || n != 0 {
		t.Errorf("ping: %v, no answer to %d\n%s", err, n, out)
	}
}

// iperf moves 16 MiB between host and guest.
func (h *host) iperf(t *testing.T, args ...string) {
	t.Helper()
	const size = 16 << 20
	out, err := h.command(append([]string{"iperf3", "-c", h.peer, "-n", "16M", "-J", "--connect-timeout", "5000"}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("iperf3: %v\n%s", err, out)
	}
	var report struct {
		End struct {
			Received struct {
				Bytes float64 `json:"bytes"`
				Rate  float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	// Whoever sends ends when its kernel has taken all, of which up to ten megabytes may lie in buffers of both ends.
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Bytes < size/4 {
		t.Errorf("iperf3: %v, %+v", err, report)
	}
	t.Logf("iperf3 %v: %.0f Mbit/s", args, report.End.Received.Rate/1e6)
}
