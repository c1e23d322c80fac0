//go:build guest

package guest

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// steering has the kernel choose queues for what the card receives: by the hash's table, by filters of single flows, and
// by those that it makes itself of what it sends.
func (j *judge) steering(t *testing.T) {
	t.Helper()
	// Flows that it sends get signature filters, so that answers come in by the sender's queue.
	before := j.statistics(t)
	j.transfer(t, "signature filters", peer, true)
	if n := j.statistics(t); n["fdir_match"] == before["fdir_match"] {
		t.Errorf("no frame matched a signature filter: fdir_match %d, fdir_miss %d", n["fdir_match"], n["fdir_miss"])
	}

	// With perfect match nothing is added by itself, and the hash decides.
	command(t, "ethtool", "-K", j.name, "ntuple", "on")
	j.up(t)
	j.ping(t, peer, 56)
	for queue := range 2 {
		weights := []string{"1", "0"}
		if queue == 1 {
			weights = []string{"0", "1"}
		}
		command(t, "ethtool", append([]string{"-X", j.name, "weight"}, weights...)...)
		j.says(t, fmt.Sprintf("    0:      %[1]d     %[1]d     %[1]d", queue), "ethtool", "-x", j.name)
		j.receivesBy(t, "the table", queue)
	}
	command(t, "ethtool", "-X", j.name, "equal", "2")
	command(t, "ethtool", "-N", j.name, "rx-flow-hash", "udp4", "sdfn")
	j.says(t, "L4 bytes 0 & 1 [TCP/UDP src port]", "ethtool", "-n", j.name, "rx-flow-hash", "udp4")

	// Filters of a flow, with its ports, lead wherever they say.
	for _, queue := range []int{0, 1} {
		command(t, "ethtool", "-N", j.name, "flow-type", "tcp4", "src-ip", peer, "src-port", "5201", "action", fmt.Sprint(queue), "loc", "7")
		j.says(t, "Filter: 7", "ethtool", "-n", j.name)
		j.receivesBy(t, "a filter", queue)
		command(t, "ethtool", "-N", j.name, "delete", "7")
	}
	// One of addresses only drops all of a sender, until it is taken away.
	command(t, "ethtool", "-N", j.name, "flow-type", "ip4", "src-ip", peer, "action", "-1", "loc", "9")
	if out, err := exec.Command("ping", "-c", "3", "-i", "0.05", "-W", "1", peer).CombinedOutput(); err == nil {
		t.Errorf("a filter that drops lets through:\n%s", out)
	}
	command(t, "ethtool", "-N", j.name, "delete", "9")
	j.ping(t, peer, 56)
	command(t, "ethtool", "-K", j.name, "ntuple", "off")
	j.up(t)
	j.ping(t, peer, 56)
}

// receivesBy has the peer send and looks by which queue it comes in. A few frames may be of something else, such as
// neighbour discovery.
func (j *judge) receivesBy(t *testing.T, why string, queue int) {
	t.Helper()
	before := j.statistics(t)
	j.transfer(t, why, peer, true)
	after := j.statistics(t)
	here, there := fmt.Sprintf("rx_queue_%d_packets", queue), fmt.Sprintf("rx_queue_%d_packets", 1-queue)
	if got, other := after[here]-before[here], after[there]-before[there]; got < 100 || other > 10 {
		t.Errorf("%s leads to queue %d, where %d packets came, and %d in the other", why, queue, got, other)
	}
}

// statistics are the counters of ethtool -S by name.
func (j *judge) statistics(t *testing.T) map[string]int {
	t.Helper()
	n := map[string]int{}
	for line := range strings.Lines(command(t, "ethtool", "-S", j.name)) {
		var v int
		if name, rest, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			if _, err := fmt.Sscan(rest, &v); err == nil {
				n[name] = v
			}
		}
	}
	return n
}
