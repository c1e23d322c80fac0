//go:build guest

package guest

import (
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"glassnic/test/vm/plan"
)

// TestThrough has the kernel talk to itself through fwd: the outer two of four cards each lie in a network namespace,
// and fwd joins the inner two, which are of different kinds.
func TestThrough(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c[1], c[2])
	for i, k := range []card{c[0], c[3]} {
		space := [...]string{"left", "right"}[i]
		command(t, "ip", "netns", "add", space)
		command(t, "ip", "link", "set", netdev(t, k), "netns", space, "name", "wire0")
		command(t, "ip", "-n", space, "addr", "add", [...]string{"192.0.2.1/24", "192.0.2.2/24"}[i], "dev", "wire0")
		command(t, "ip", "-n", space, "link", "set", "wire0", "up")
		defer command(t, "ip", "netns", "del", space)
	}
	in := func(space string, args ...string) *exec.Cmd {
		return exec.Command("ip", append([]string{"netns", "exec", space}, args...)...)
	}
	f := start(t, nil, c[1].addr, c[2].addr, idle)
	var out []byte
	await(t, "a first answer through fwd", func() bool {
		f.lives(t)
		var err error
		out, err = in("left", "ping", "-c", "1", "-W", "1", "192.0.2.2").CombinedOutput()
		return err == nil
	})
	out, err := in("left", "ping", "-c", "20", "-i", "0.01", "-s", "1400", "-w", "20", "192.0.2.2").CombinedOutput()
	if n := plan.Unanswered(string(out), 20); err != nil || n != 0 {
		t.Errorf("ping: %v, no answer to %d\n%s", err, n, out)
	}
	server := in("right", "iperf3", "-s", "-1", "--forceflush")
	var said words
	server.Stdout, server.Stderr = &said, &said
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Process.Kill()
	await(t, "iperf3's server", func() bool { return strings.Contains(said.String(), "listening") })
	const bytes = 16 << 20
	out, err = in("left", "iperf3", "-c", "192.0.2.2", "-n", "16M", "-J", "--connect-timeout", "5000").CombinedOutput()
	if err != nil {
		t.Fatalf("iperf3: %v\n%s\nserver:\n%s", err, out, said.String())
	}
	var report struct {
		End struct {
			Received struct {
				Bytes float64 `json:"bytes"`
				Rate  float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	// The client ends when its kernel has taken all, of which up to ten megabytes may lie in buffers of both ends.
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Bytes < bytes/4 {
		t.Errorf("iperf3: %v, %+v", err, report)
	}
	t.Logf("iperf3: %.1f Mbit/s", report.End.Received.Rate/1e6)
	total := f.end(t)
	if least := uint64(report.End.Received.Bytes / 1460); total.RxPackets < least || total.TxPackets < least {
		t.Errorf("fwd: %+v", total)
	}
	t.Logf("fwd: %+v", total)
	giveBack()
}
