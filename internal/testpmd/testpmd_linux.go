// Package testpmd runs DPDK's dpdk-testpmd (Debian package dpdk-dev) as a partner of tests and measurements.
package testpmd

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
)

// ErrMissing says how to get testpmd.
var ErrMissing = errors.New("dpdk-testpmd is missing: apt-get install -y --no-install-recommends dpdk-dev")

// Process is a testpmd that runs.
type Process struct {
	cmd  *exec.Cmd
	out  output
	in   io.WriteCloser
	gone chan struct{} // closed when it has ended
}

// output is what it prints.
type output struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{} // has an entry when something was printed since the last look; nil where nobody looks
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.more <- struct{}{}:
	default:
	}
	return o.b.Write(b)
}

// TB is what Start needs of a test.
type TB interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
	Failed() bool
	Logf(string, ...any)
}

// Start has testpmd forward with virtual devices, as DPDK's --vdev takes them, with so many queues each way. It takes no
// huge pages and no device of the machine. What args adds goes to the application. The test's end stops it; a test that
// failed shows what it printed.
func Start(t TB, vdevs []string, queues int, args ...string) *Process {
	t.Helper()
	// The main thread only waits for its standard input to end.
	lcores := "0@0,1@0"
	if runtime.NumCPU() > 1 {
		lcores = "0@0,1@1"
	}
	n := strconv.Itoa(queues)
	all := []string{
		"--no-pci", "--no-shconf", "--no-huge", "-m", "256", "--no-telemetry", "--lcores", lcores,
	}
	for _, v := range vdevs {
		all = append(all, "--vdev", v)
	}
	all = append(append(all, "--", "--nb-cores=1", "--rxq="+n, "--txq="+n, "--rxd=256", "--txd=256", "--total-num-mbufs=8192", "--no-lsc-interrupt", "--no-flush-rx"), args...)
	p, err := start(false, all)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			p.Stop() // which prints its statistics
		}
		p.Kill()
		if t.Failed() {
			t.Logf("dpdk-testpmd %q:\n%s", all, p.Output())
		}
	})
	return p
}

// start starts testpmd. What it prints comes by lines where somebody reads along, else when its buffer is full.
func start(byLines bool, args []string) (*Process, error) {
	path, err := exec.LookPath("dpdk-testpmd")
	if err != nil {
		return nil, ErrMissing
	}
	p := &Process{cmd: exec.Command(path, args...), gone: make(chan struct{})}
	if byLines {
		p.cmd = exec.Command("stdbuf", append([]string{"-oL", path}, args...)...)
		p.out.more = make(chan struct{}, 1)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // its error is the kill, or in what it printed
		close(p.gone)
	}()
	return p, nil
}

// Stop ends it in order, and returns when it is gone. One that was killed is left alone.
func (p *Process) Stop() {
	_ = p.in.Close()
	<-p.gone
}

// PID is its process's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends it at once, and returns when it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.gone
	_ = p.in.Close()
}

// Output is what it has printed so far.
func (p *Process) Output() string {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	return p.out.b.String()
}
