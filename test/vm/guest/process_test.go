//go:build guest

package guest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// forwarder is a running `glassnic fwd --json`.
type forwarder struct {
	cmd    *exec.Cmd
	lines  atomic.Int64
	moved  atomic.Uint64 // frames, by all lines
	quiet  atomic.Int64  // lines without any since the last with some
	last   []byte
	stderr words
	done   chan struct{} // closed when there is no more output
}

// words is what a process has said so far.
type words struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (w *words) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(b)
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
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
	f := start(t, nil, args...)
	await(t, "the first line of "+strings.Join(f.cmd.Args, " "), func() bool {
		f.lives(t)
		return f.lines.Load() > 0
	})
	return f
}

// start starts fwd, as another user where one is given.
func start(t *testing.T, as *syscall.SysProcAttr, args ...string) *forwarder {
	t.Helper()
	f := &forwarder{cmd: exec.Command("/bin/glassnic", append([]string{"fwd", "--json"}, args...)...), done: make(chan struct{})}
	f.cmd.Stderr, f.cmd.SysProcAttr = &f.stderr, as
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
				continue
			}
			var w way
			_ = json.Unmarshal(s.Bytes(), &w)
			if f.moved.Add(w.RxPackets); w.RxPackets > 0 {
				f.quiet.Store(0)
			} else if f.moved.Load() > 0 {
				f.quiet.Add(1)
			}
		}
	}()
	return f
}

// lives fails the test where fwd has ended.
func (f *forwarder) lives(t *testing.T) {
	t.Helper()
	select {
	case <-f.done:
		t.Fatalf("fwd ended: %v\n%s", f.cmd.Wait(), f.stderr.String())
	default:
	}
}

// end interrupts fwd, which must succeed, and returns its totals, which must add up.
func (f *forwarder) end(t *testing.T) way {
	t.Helper()
	total, err := f.interrupt(t)
	if err != nil {
		t.Fatalf("fwd: %v\n%s", err, f.stderr.String())
	}
	return total
}

// interrupt interrupts fwd and returns its totals, which must add up, and how it ended.
func (f *forwarder) interrupt(t *testing.T) (total way, ended error) {
	t.Helper()
	if err := f.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("fwd does not end")
	}
	ended = f.cmd.Wait()
	if err := json.Unmarshal(f.last, &total); err != nil {
		t.Fatalf("fwd's totals: %v in %q\n%s", err, f.last, f.stderr.String())
	}
	dropped := uint64(0)
	for _, n := range total.Drops {
		dropped += n
	}
	if total.RxPackets != total.TxPackets+dropped {
		t.Errorf("fwd: %+v does not add up", total)
	}
	return total, ended
}
