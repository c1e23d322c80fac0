//go:build guest

package guest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestVhostUser serves iperf3 as often as the host wants it, at another address of the guest's only card each time: the
// host pings, kills and measures. Of four pairs of queues all are in use in the first session, and one in the second.
// In a session called cut, the guest cuts large frames itself.
func TestVhostUser(t *testing.T) {
	dev := netdev(t, cards(t)[0])
	command(t, "ip", "link", "set", dev, "up")
	many := os.Getenv("PAIRS") == "4"
	if many {
		command(t, "ethtool", "-L", dev, "combined", "4")
	}
	for i, session := range strings.Fields(os.Getenv("SESSIONS")) {
		if many && i == 1 {
			command(t, "ethtool", "-L", dev, "combined", "1")
		}
		if session == "cut" {
			command(t, "ethtool", "-K", dev, "tso", "off")
		}
		before := counters(t, dev)
		serve(t, dev, fmt.Sprint("192.0.2.", 2+i, "/24"))
		if !many {
			continue
		}
		now, used := counters(t, dev), 0
		for k := range 4 {
			rx, tx := fmt.Sprintf("rx_queue_%d_packets", k), fmt.Sprintf("tx_queue_%d_packets", k)
			if now[rx] > before[rx]+5 {
				used++
			}
			if i == 1 && k > 0 && (now[rx] != before[rx] || now[tx] != before[tx]) {
				t.Errorf("queue %d is not in use, and is used: %v, and %v before", k, now, before)
			}
		}
		if i == 0 && used < 2 {
			t.Errorf("%d queues have received: %v", used, now)
		}
	}
	if many {
		command(t, "ethtool", "-L", dev, "combined", "4")
		pingBy(t, dev, 0)
		pingBy(t, dev, 1)
	}
	log, err := os.ReadFile("/sys/class/net/" + dev + "/statistics/rx_errors")
	if err != nil || strings.TrimSpace(string(log)) != "0" {
		t.Errorf("damaged frames: %s, %v", log, err)
	}
}

// serve serves one session of iperf3. The card gets the address when the server listens.
func serve(t *testing.T, dev, address string) {
	t.Helper()
	var out bytes.Buffer
	server := exec.Command("iperf3", "-s", "-1")
	server.Stdout, server.Stderr = &out, &out
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "iperf3 listens", func() bool {
		for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
			if sockets, _ := os.ReadFile(file); listens.Match(sockets) {
				return true
			}
		}
		return false
	})
	command(t, "ip", "addr", "add", address, "dev", dev)
	if err := server.Wait(); err != nil {
		t.Fatalf("iperf3: %v\n%s", err, out.String())
	}
}

// listens is a socket that waits for connections to port 5201.
var listens = regexp.MustCompile(`:1451 \S+ 0A `)

// pingBy pings the host from one of two processors, which have two of the four queues each.
func pingBy(t *testing.T, dev string, cpu int) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var was, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &was); err != nil {
		t.Fatal(err)
	}
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.SchedSetaffinity(0, &was); err != nil {
			t.Error(err)
		}
	}()
	sent := func() int {
		now := counters(t, dev)
		return now[fmt.Sprintf("tx_queue_%d_packets", cpu)] + now[fmt.Sprintf("tx_queue_%d_packets", cpu+2)]
	}
	before := sent()
	command(t, "ping", "-c", "10", "-i", "0.05", "-w", "20", "192.0.2.1")
	if n := sent() - before; n < 10 {
		t.Errorf("%d of 10 pings left by the queues of processor %d", n, cpu)
	}
}

var counter = regexp.MustCompile(`(?m)^ *(\w+): (\d+)$`)

// counters are those of the kernel's driver.
func counters(t *testing.T, dev string) map[string]int {
	t.Helper()
	out, err := exec.Command("ethtool", "-S", dev).CombinedOutput()
	if err != nil {
		t.Fatalf("ethtool -S: %v\n%s", err, out)
	}
	all := map[string]int{}
	for _, m := range counter.FindAllStringSubmatch(string(out), -1) {
		all[m[1]], _ = strconv.Atoi(m[2])
	}
	return all
}
