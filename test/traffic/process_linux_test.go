package traffic

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// line is one of any that the program prints with --json.
type line struct {
	Type string
	Port string
	way
	Directions []way

	RxMissed  uint64 `json:"rx_missed"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxDropped uint64 `json:"tx_dropped"`
	Stamped   uint64

	Sleeps *struct {
		Sleeps, Woken, Vain uint64
		Asleep              uint64 `json:"asleep_ns"`
	}

	Card  map[string]uint64
	Wire  wireTotals `json:"wire_totals"`
	Check verdicts   `json:"checked"`
}

type way struct {
	From, To  string
	RxPackets uint64 `json:"rx_packets"`
	TxPackets uint64 `json:"tx_packets"`
	Drops     map[string]uint64
}

type wireTotals struct {
	RxFrames uint64 `json:"rx_frames"`
	TxFrames uint64 `json:"tx_frames"`
	Dropped  uint64
}

type verdicts struct {
	OK, Reordered, Duplicate, Stale, Corrupt, Foreign, Lost uint64
	Missing                                                 int64
}

// broken are the verdicts that nothing excuses: frames that were not sent so.
func (v verdicts) broken() uint64 { return v.Reordered + v.Duplicate + v.Stale + v.Corrupt + v.Foreign }

// process is the program with a command line, which prints JSON.
type process struct {
	cmd    *exec.Cmd
	name   string
	done   chan struct{} // closed when it has ended and all is read
	err    error         // of its end
	errors bytes.Buffer

	mu    sync.Mutex
	lines []line
	wrong error // a line that is none of JSON
}

// run starts the program; it is killed at the end of the test if it still runs then.
func run(t testing.TB, args ...string) *process {
	t.Helper()
	return runWith(t, (*exec.Cmd).Start, args...)
}

func runWith(t testing.TB, start func(*exec.Cmd) error, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program(t), append(args, "--json")...), name: args[0], done: make(chan struct{})}
	p.cmd.Stderr = &p.errors
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // where the test itself is killed
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := start(p.cmd); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		for s := bufio.NewScanner(out); s.Scan(); {
			var l line
			err := json.Unmarshal(s.Bytes(), &l)
			p.mu.Lock()
			if err != nil {
				p.wrong = fmt.Errorf("%w: %s", err, s.Text())
			}
			p.lines = append(p.lines, l)
			p.mu.Unlock()
		}
		p.err = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
	})
	return p
}

// all returns the lines of a type so far.
func (p *process) all(kind string) (found []line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.lines {
		if l.Type == kind {
			found = append(found, l)
		}
	}
	return found
}

// running fails the test if the program has ended.
func (p *process) running(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("%s ended by itself: %v\n%s", p.name, p.err, p.errors.String())
	default:
	}
}

// wait waits until check, which is to look at the lines, returns nil.
func (p *process) wait(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	eventually(t, limit, p.name+": "+what, func() error {
		p.running(t)
		return check()
	})
}

// waitReady waits until a server has published n ports.
func (p *process) waitReady(t testing.TB, n int) {
	t.Helper()
	p.wait(t, patience, "ready", func() error {
		if got := len(p.all("ready")); got != n {
			return fmt.Errorf("%d ports of %d", got, n)
		}
		return nil
	})
}

// finish waits until the program ends by itself.
func (p *process) finish(t testing.TB) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		t.Fatalf("%s does not end", p.name)
	}
	if p.err != nil || p.wrong != nil || p.errors.Len() > 0 {
		t.Fatalf("%s: %v %v\n%s", p.name, p.err, p.wrong, p.errors.String())
	}
}

// interrupt presses Ctrl-C and waits for the end, which must be a good one.
func (p *process) interrupt(t testing.TB) {
	t.Helper()
	p.running(t)
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	p.finish(t)
}

// kill ends the program at once, wherever it is.
func (p *process) kill(t *testing.T) {
	t.Helper()
	p.running(t)
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

// received is what fwd or gen has received so far, by their reports.
func (p *process) received() (n uint64) {
	for _, l := range p.all("interval") {
		n += l.RxPackets
	}
	return n
}
