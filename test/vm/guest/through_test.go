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
	defer space(t, "left", netdev(t, c[0]), "192.0.2.1/24")()
	defer space(t, "right", netdev(t, c[3]), "192.0.2.2/24")()
	through(t, start(t, nil, c[1].addr, c[2].addr, idle), 1460)
	giveBack()
}

// space makes a network namespace, with an interface that is called wire0 there, and returns what removes it.
func space(t *testing.T, name, dev, addr string) (remove func()) {
	t.Helper()
	command(t, "ip", "netns", "add", name)
	command(t, "ip", "link", "set", dev, "netns", name, "name", "wire0")
	command(t, "ip", "-n", name, "addr", "add", addr, "dev", "wire0")
	command(t, "ip", "-n", name, "link", "set", "wire0", "up")
	return func() { command(t, "ip", "netns", "del", name) }
}

// through has the namespace left ping right through fwd, and run iperf3, whose segments have so many bytes at most, and
// ends fwd.
func through(t *testing.T, f *forwarder, segment float64) {
	t.Helper()
	in := func(space string, args ...string) *exec.Cmd {
		return exec.Command("ip", append([]string{"netns", "exec", space}, args...)...)
	}
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
	if least := uint64(report.End.Received.Bytes / segment); total.RxPackets < least || total.TxPackets < least {
		t.Errorf("fwd: %+v", total)
	}
	if ordinary := uint64(report.End.Received.Bytes / 1460); segment > 1460 && total.RxPackets > ordinary/2 {
		t.Errorf("fwd: %+v: no large frames", total)
	}
	t.Logf("fwd: %+v", total)
}
