package testpmd

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Ring is how many descriptors queues of a Forwarder have, and Burst how many frames it receives at once, unless its Setup
// says otherwise.
const (
	Ring  = 256
	Burst = 32
)

// memory is what a Forwarder takes, in MiB, and buffers what it has for each port.
const (
	memory  = 64
	buffers = 4096
)

// patience is how long a command may take.
const patience = 20 * time.Second

// prompt stands where testpmd waits for a command.
const prompt = "testpmd> "

// Setup says how a Forwarder is to be.
type Setup struct {
	Vdevs []string // one or two virtual devices, as DPDK's --vdev takes them
	Huge  bool     // its memory is huge pages
	Work  int      // the CPU of the thread that forwards
	Wait  int      // that of the main thread, which waits for commands and sleeps
	Ring  int      // 0: Ring
	Burst int      // 0: Burst
}

// Forwarder is a testpmd that sends every frame back that its one port receives, or out of the other of two, from Go until
// Pause, and counts what that costs it.
type Forwarder struct{ *Process }

// Figures are what a Forwarder counted from Go to Pause: the packets that it received, ticks of the time stamp counter
// of the bursts that received some, sending included (--record-core-cycles), and the packets that it could send.
type Figures struct{ Packets, Ticks, Sent uint64 }

// Huge tells whether as many huge pages are free as so many Forwarders and a port of ours take.
func Huge(forwarders int) bool {
	b, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return false
	}
	m := regexp.MustCompile(`HugePages_Free:\s+(\d+)(?s:.*)Hugepagesize:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		return false
	}
	pages, _ := strconv.Atoi(string(m[1]))
	kib, _ := strconv.Atoi(string(m[2]))
	return pages*kib/1024 >= (forwarders+1)*memory
}

// Forward starts a Forwarder in the namespaces of the calling thread. The caller calls Kill in the end.
func Forward(of Setup) (*Forwarder, error) {
	p, err := start(true, of.args())
	if err != nil {
		return nil, err
	}
	f := &Forwarder{p}
	if _, err := f.answer("start", 0); err != nil {
		p.Kill()
		return nil, err
	}
	return f, nil
}

func (of Setup) args() []string {
	args := []string{"--no-pci", "--no-telemetry", "--force-max-simd-bitwidth=512", "-m", strconv.Itoa(memory)}
	if of.Huge {
		args = append(args, "--in-memory", "--single-file-segments")
	} else {
		args = append(args, "--no-huge", "--no-shconf")
	}
	args = append(args, "--lcores", fmt.Sprintf("0@%d,1@%d", of.Wait, of.Work))
	for _, v := range of.Vdevs {
		args = append(args, "--vdev", v)
	}
	topology := "loop"
	if len(of.Vdevs) > 1 {
		topology = "paired"
	}
	ring := strconv.Itoa(cmp.Or(of.Ring, Ring))
	return append(args, "--", "-i", "--nb-cores=1", "--rxd="+ring, "--txd="+ring, "--burst="+strconv.Itoa(cmp.Or(of.Burst, Burst)),
		"--total-num-mbufs="+strconv.Itoa(buffers*len(of.Vdevs)), "--record-core-cycles", "--no-lsc-interrupt", "--disable-link-check",
		"--no-flush-rx", "--port-topology="+topology, "--forward-mode=io")
}

// SwapAddresses has it swap the Ethernet addresses of each frame, from the next Go on.
func (f *Forwarder) SwapAddresses() error {
	_, err := f.do("set fwd macswap")
	return err
}

// Go has it forward, after it has sent so many bursts of frames of 64 bytes, FCS not included.
func (f *Forwarder) Go(bursts int) error {
	command := "start"
	if bursts > 0 {
		command = fmt.Sprintf("start tx_first %d", bursts)
	}
	_, err := f.do(command)
	return err
}

// Pause stops what Go began.
func (f *Forwarder) Pause() (Figures, error) {
	out, err := f.do("stop")
	if err != nil {
		return Figures{}, err
	}
	return parse(out)
}

// do gives a command and returns what it printed.
func (f *Forwarder) do(command string) (string, error) {
	before := len(f.Output())
	if _, err := io.WriteString(f.in, command+"\n"); err != nil {
		return "", fmt.Errorf("dpdk-testpmd: %s: %w", command, err)
	}
	return f.answer(command, before)
}

// answer waits for the next prompt.
func (f *Forwarder) answer(command string, from int) (string, error) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		out := f.Output()[from:]
		if strings.HasSuffix(out, "\n"+prompt) {
			return out, nil
		}
		select {
		case <-f.out.more:
		case <-f.gone:
			return "", fmt.Errorf("dpdk-testpmd: %s: it ended, and printed\n%s", command, f.Output())
		case <-late.C:
			return "", fmt.Errorf("dpdk-testpmd: %s: no answer after %v; it printed\n%s", command, patience, f.Output())
		}
	}
}

var cycles = regexp.MustCompile(`CPU cycles/packet=\S+ \(total cycles=(\d+) / total \w+ packets=(\d+)\)`)

var accumulated = regexp.MustCompile(`Accumulated forward statistics(?s:.*?)TX-packets:\s*(\d+)`)

// parse finds the figures in what testpmd printed when it stopped. One that received nothing prints none.
func parse(out string) (Figures, error) {
	m, sent := cycles.FindStringSubmatch(out), accumulated.FindStringSubmatch(out)
	if m == nil || sent == nil {
		if strings.Contains(out, "Accumulated forward statistics") {
			return Figures{}, nil
		}
		return Figures{}, fmt.Errorf("dpdk-testpmd printed no statistics when it stopped, but\n%s", out)
	}
	var f Figures
	for _, v := range []struct {
		to   *uint64
		text string
	}{{&f.Ticks, m[1]}, {&f.Packets, m[2]}, {&f.Sent, sent[1]}} {
		n, err := strconv.ParseUint(v.text, 10, 64)
		if err != nil {
			return Figures{}, fmt.Errorf("dpdk-testpmd printed %q: %w", v.text, err)
		}
		*v.to = n
	}
	return f, nil
}
