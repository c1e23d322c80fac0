package traffic

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
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
func run(t *testing.T, args ...string) *process {
	t.Helper()
	return runWith(t, (*exec.Cmd).Start, args...)
}

func runWith(t *testing.T, start func(*exec.Cmd) error, args ...string) *process {
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
func (p *process) running(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("%s ended by itself: %v\n%s", p.name, p.err, p.errors.String())
	default:
	}
}

// wait waits until check, which is to look at the lines, returns nil.
func (p *process) wait(t *testing.T, limit time.Duration, what string, check func() error) {
	t.Helper()
	eventually(t, limit, p.name+": "+what, func() error {
		p.running(t)
		return check()
	})
}

// waitReady waits until a server has published n ports.
func (p *process) waitReady(t *testing.T, n int) {
	t.Helper()
	p.wait(t, patience, "ready", func() error {
		if got := len(p.all("ready")); got != n {
			return fmt.Errorf("%d ports of %d", got, n)
		}
		return nil
	})
}

// finish waits until the program ends by itself.
func (p *process) finish(t *testing.T) {
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
func (p *process) interrupt(t *testing.T) {
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

// ports is a directory of served cards.
type ports struct{ dir string }

// newPorts makes a directory on tmpfs.
func newPorts(t *testing.T) ports {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "glassnic-traffic-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return ports{dir}
}

// serve starts a server with a card on each wire and waits until it is ready.
func (p ports) serve(t *testing.T, wires ...string) *process {
	t.Helper()
	return p.serveWith(t, (*exec.Cmd).Start, wires...)
}

func (p ports) serveWith(t *testing.T, start func(*exec.Cmd) error, wires ...string) *process {
	t.Helper()
	args := []string{"sim", "serve", p.dir, "--memory", "64M"}
	for _, w := range wires {
		args = append(args, "--port", w)
	}
	s := runWith(t, start, args...)
	s.waitReady(t, len(wires))
	return s
}

func (p ports) address(i int) string { return fmt.Sprintf("shm:%s/p%d", p.dir, i) }

// registers opens the register file of a card.
func (p ports) registers(t *testing.T, i int) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, fmt.Sprintf("p%d", i), "resource0"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (p ports) register(t *testing.T, i int, offset uint32) uint32 {
	t.Helper()
	f := p.registers(t, i)
	defer f.Close()
	var b [4]byte
	if _, err := f.ReadAt(b[:], int64(offset)); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint32(b[:])
}

func (p ports) setRegister(t *testing.T, i int, offset, v uint32) {
	t.Helper()
	f := p.registers(t, i)
	defer f.Close()
	if _, err := f.WriteAt(binary.LittleEndian.AppendUint32(nil, v), int64(offset)); err != nil {
		t.Fatal(err)
	}
}

// pageSize is the unit in which drivers lock DMA memory (package bus/shm).
const pageSize = 2 << 20

// memory opens the DMA memory.
func (p ports) memory(t *testing.T) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(p.dir, "dma"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// lockedPages returns how many pages a driver holds.
func lockedPages(t *testing.T, dma *os.File) (n int) {
	t.Helper()
	st, err := dma.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for at := int64(pageSize); at+pageSize <= st.Size(); at += pageSize {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: pageSize}
		if err := unix.FcntlFlock(dma.Fd(), unix.F_OFD_GETLK, &lock); err != nil {
			t.Fatal(err)
		}
		if lock.Type != unix.F_UNLCK {
			n++
		}
	}
	return n
}

// drops writes those counts of a card that are drops and not zero.
func drops(card map[string]uint64, direction string) (n uint64) {
	for name, v := range card {
		switch name {
		case "rx_frames", "rx_host", "rx_bytes", "tx_sent", "tx_bytes":
		default:
			if strings.HasPrefix(name, direction) {
				n += v
			}
		}
	}
	return n
}
