//go:build guest

package guest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// forwarder is a running `glassnic fwd --json`.
type forwarder struct {
	cmd    *exec.Cmd
	lines  atomic.Int64
	last   []byte
	stderr bytes.Buffer
	done   chan struct{} // closed when there is no more output
}

// way is what fwd says of one direction or of all.
type way struct {
	RxPackets uint64            `json:"rx_packets"`
	TxPackets uint64            `json:"tx_packets"`
	Drops     map[string]uint64 `json:"drops"`
}

// forward starts fwd and returns when it forwards.
func forward(t *testing.T, args ...string) *forwarder {
	t.Helper()
	f := &forwarder{cmd: exec.Command("glassnic", append([]string{"fwd", "--json"}, args...)...), done: make(chan struct{})}
	f.cmd.Stderr = &f.stderr
	out, err := f.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := f.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.cmd.Process.Kill() })
	go func() {
		defer close(f.done)
		for s := bufio.NewScanner(out); s.Scan(); f.lines.Add(1) {
			if bytes.Contains(s.Bytes(), []byte(`"type":"total"`)) {
				f.last = bytes.Clone(s.Bytes())
			}
		}
	}()
	await(t, "the first line of "+strings.Join(f.cmd.Args, " "), func() bool {
		select {
		case <-f.done:
			t.Fatalf("fwd ended: %v\n%s", f.cmd.Wait(), f.stderr.String())
		default:
		}
		return f.lines.Load() > 0
	})
	return f
}

// end interrupts fwd and returns its totals, which must add up.
func (f *forwarder) end(t *testing.T) (total way) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("fwd does not end")
	}
	if err := f.cmd.Wait(); err != nil {
		t.Fatalf("fwd: %v\n%s", err, f.stderr.String())
	}
	if err := json.Unmarshal(f.last, &total); err != nil {
		t.Fatalf("fwd's totals: %v in %q", err, f.last)
	}
	dropped := uint64(0)
	for _, n := range total.Drops {
		dropped += n
	}
	if total.RxPackets != total.TxPackets+dropped {
		t.Errorf("fwd: %+v does not add up", total)
	}
	return total
}
