package ladder

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	_ "glassnic/driver/all"
	"glassnic/internal/cpu"
)

// needNamespaces leaves a test out where CONTRIBUTING.md says so. It takes two CPUs.
func needNamespaces(t *testing.T) {
	t.Helper()
	if os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("GLASSNIC_NO_NETNS is set")
	}
	if have, err := cpu.Allowed(); err != nil || len(have) < 2 {
		t.Fatalf("this process may use CPUs %v (%v): the ladder needs two; GLASSNIC_NO_NETNS=1 leaves this test out", have, err)
	}
	t.Cleanup(func() { nothingLeft(t) })
}

// nothingLeft waits until there are no namespaces, interfaces and kernel threads of this process's, and no folders.
func nothingLeft(t *testing.T) {
	t.Helper()
	left := func() (found []string) {
		here, err := os.Readlink("/proc/self/ns/net")
		if err != nil {
			t.Fatal(err)
		}
		threads, _ := filepath.Glob("/proc/self/task/*/ns/net")
		for _, name := range threads {
			if ns, err := os.Readlink(name); err == nil && ns != here {
				found = append(found, name+" is "+ns)
			}
		}
		all, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, name := range all {
			comm, _ := os.ReadFile(name)
			for _, end := range []string{"gi", "gd"} {
				if strings.HasPrefix(string(comm), "napi/"+end+processID()+"-") {
					found = append(found, strings.TrimSpace(string(comm)))
				}
			}
		}
		folders, _ := filepath.Glob(filepath.Join(os.TempDir(), "glassnic-ladder-*"))
		return append(found, folders...)
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		found := left()
		if len(found) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Errorf("left behind: %v", found)
			return
		}
	}
}

// Every rung forwards, touches what it says it touches, and its counters add up.
func TestRungs(t *testing.T) {
	needNamespaces(t)
	t.Setenv("TMPDIR", t.TempDir())
	results, err := Run(t.Context(), Options{Rungs: Names(), Duration: time.Millisecond, Slice: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if len(results) != len(Rungs()) {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if _, err := netlink.GenlFamilyGet(ovsDatapath); r.Rung == "ovs" && err != nil {
			// Where the kernel has none, the table names what would have it. TestOVS of test/vm has a kernel with it.
			var table strings.Builder
			if err := Table(&table, results); err != nil || !strings.Contains(r.Skipped, "left out: the kernel has no Open vSwitch: `modprobe openvswitch`") || !strings.Contains(table.String(), r.Skipped) {
				t.Errorf("%+v\n%s", r, &table)
			}
			continue
		}
		if r.Skipped != "" {
			t.Errorf("%s: %s", r.Rung, r.Skipped)
			continue
		}
		if r.Sent == 0 || r.Received != r.Sent+r.Dropped || r.Offered != r.Received+r.Missed {
			t.Errorf("counters do not add up: %+v", r)
		}
		if r.Arrived == 0 || r.Arrived > r.Sent || r.Wrong != 0 {
			t.Errorf("%d of %d frames arrived, %d of them not as they should be", r.Arrived, r.Sent, r.Wrong)
		}
		if r.Mpps <= 0 || r.TicksPerPacket <= 0 || r.SystemCalls < leastCalls[r.Rung] {
			t.Errorf("figures: %+v", r)
		}
	}
}

// leastCalls are system calls per packet that it takes at least.
var leastCalls = map[string]float64{"recv": 2, "mmsg": 2. / mmsgBatch, "tpacket": 1. / portBatch, "xdp-copy": 1. / portBatch, "xdp-native": 1. / portBatch, "xdp-poll": 1. / pollBatch}

// A forwarder that does not touch is found out.
func TestUntouched(t *testing.T) {
	needNamespaces(t)
	lazy := Rung{Name: "lazy", open: func(_ context.Context, b *bed) (runner, error) {
		return openSockets(b, func(s *sockets, w *watch, c *counts) {
			buf := make([]byte, 2048)
			for !w.over(c) {
				n, err := unix.Read(s.rx, buf)
				if err != nil {
					w.idle()
					continue
				}
				c.received++
				if _, err := unix.Write(s.tx, buf[:n]); err == nil {
					c.sent++
				}
			}
		})
	}}
	opt, _, err := Options{Slice: 20 * time.Millisecond}.defaults()
	if err != nil {
		t.Fatal(err)
	}
	opt.Duration = opt.Slice
	results, err := measure(t.Context(), opt, []Rung{lazy})
	if err != nil {
		t.Fatal(err)
	}
	if r := results[0]; r.Arrived == 0 || r.Wrong != r.Arrived {
		t.Errorf("%d of %d frames were found wrong", r.Wrong, r.Arrived)
	}
}

// broken is a rung that fails when it is to forward.
type broken struct{ runner }

var errBroken = errors.New("it broke")

func (broken) slice(time.Duration) (sample, error) { return sample{}, errBroken }

// A rung that fails while it is made or while it forwards leaves nothing behind, nor do those beside it.
func TestFailure(t *testing.T) {
	needNamespaces(t)
	opt, _, err := Options{}.defaults()
	if err != nil {
		t.Fatal(err)
	}
	good := Rung{Name: "good", open: openRouting}
	for _, bad := range []Rung{
		{Name: "bad", open: func(_ context.Context, b *bed) (runner, error) {
			r, err := openKernel(b, trackOf{}, func(*track) error { return nil })
			return broken{r}, err
		}},
		{Name: "bad", open: func(_ context.Context, b *bed) (runner, error) {
			return openKernel(b, trackOf{}, func(*track) error { return errBroken })
		}},
		{Name: "bad", open: func(ctx context.Context, b *bed) (runner, error) {
			_, err := openPorts(ctx, b, "packet:IN", "packet:nothing")
			if err == nil || !strings.Contains(err.Error(), "no such interface") {
				t.Errorf("%v", err)
			}
			return nil, errBroken
		}},
	} {
		if _, err := measure(t.Context(), opt, []Rung{bad, good}); !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "ladder: bad: ") {
			t.Errorf("%v", err)
		}
		nothingLeft(t)
	}
}

// Who may not make namespaces is told what would help, and has the other rungs.
func TestUnprivileged(t *testing.T) {
	var err error
	th, e := newThread(0, nil)
	if e != nil {
		t.Fatal(e)
	}
	defer th.close()
	_ = th.do(func() error {
		none := [2]unix.CapUserData{}
		if e := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0]); e != nil {
			t.Error(e)
			return nil
		}
		err = enterNamespace()
		return nil
	})
	if !errors.Is(err, errLeftOut) || !strings.Contains(err.Error(), "run as root") {
		t.Fatalf("%v", err)
	}
	refused := Rung{Name: "refused", open: func(context.Context, *bed) (runner, error) { return nil, err }}
	opt, _, e := Options{}.defaults()
	if e != nil {
		t.Fatal(e)
	}
	opt.Duration, opt.Slice = time.Millisecond, time.Millisecond
	if _, e := measure(t.Context(), opt, []Rung{refused}); !errors.Is(e, errLeftOut) {
		t.Errorf("nothing could be measured: %v", e)
	}
	results, e := measure(t.Context(), opt, []Rung{refused, {Name: "ixgbe", open: openIxgbe}})
	if e != nil || !strings.Contains(results[0].Skipped, "run as root") || results[1].Sent == 0 {
		t.Errorf("%+v, %v", results, e)
	}
}
