package vm

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"glassnic/test/datasheet"
)

var update = flag.Bool("update", false, "write down which registers Linux's driver exercises")

// TestJudge gives our modelled 82599 to Linux's own driver of that card, which never saw our code. docs/datasheet.md says
// which registers it exercised.
func TestJudge(t *testing.T) {
	t.Parallel()
	accesses := filepath.Join(t.TempDir(), "accesses")
	t.Cleanup(func() { exercised(t, accesses, "linux") }) // after the card's end
	guest{
		newer: true, shared: true, modules: []string{"ixgbe", "8021q"}, cpus: 2, tests: []string{"TestJudge", "TestZeroCopy"}, devices: modelled(t, accesses),
	}.run(t)
}

// exercised compares what Linux's driver did to the card's registers with what is written down under a name: "linux", or
// "module", which is of a card with a module and has only the registers that others do not make it use.
func exercised(t *testing.T, accesses, name string) {
	if t.Failed() {
		return
	}
	f, err := os.Open(accesses)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen, err := datasheet.FromAccesses(f, datasheet.Dump)
	if err != nil {
		t.Fatal(err)
	}
	path := datasheet.Path(name)
	if *update {
		if name != "linux" {
			other, err := datasheet.Load(datasheet.Path("linux"))
			if err != nil {
				t.Fatal(err)
			}
			maps.DeleteFunc(seen, func(reg, _ string) bool { return other[reg] != "" })
		}
		if err := seen.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	told, err := datasheet.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if less := told.Missing(seen); len(less) > 0 {
		t.Errorf("%s has %v, which Linux's driver did not do: go test ./test/vm -run TestJudge -update && make datasheet", path, less)
	}
	if more := seen.Missing(told); len(more) > 0 {
		t.Logf("%s lacks %v", path, more)
	}
}

// modelled starts a modelled card whose wire is a TAP interface, in a network namespace with the address 192.0.2.1, and
// returns QEMU's arguments for it. Which registers were accessed stands in the end in a file.
func modelled(t *testing.T, accesses string) []string {
	t.Helper()
	s := serve(t, program(t), 0, `
ip tuntap add w0 mode tap
ip link set lo up
ip addr add 192.0.2.1/24 dev w0
ip link set w0 addrgenmode none mtu 9000 up
ip tuntap add v0 mode tap
ip addr add 203.0.113.1/24 dev v0
ip link set v0 addrgenmode none up
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
echo 0 >/proc/sys/net/ipv4/conf/w0/rp_filter
iperf3 -s >/dev/null 2>&1 &
`, "tap=w0", "--accesses", accesses)
	t.Cleanup(func() { s.end(t) })
	startTrunk(t, s.proc.Process.Pid, "w0", "v0")
	return s.device
}

// TestJudgeModule gives Linux's driver our modelled 82599 with a cage and an SFP+ module in it.
func TestJudgeModule(t *testing.T) {
	t.Parallel()
	accesses := filepath.Join(t.TempDir(), "accesses")
	s := serve(t, program(t), 0, `
ip tuntap add w0 mode tap
ip addr add 192.0.2.1/24 dev w0
ip link set w0 addrgenmode none up
`, "tap=w0", "--sfp", "--accesses", accesses)
	guest{newer: true, shared: true, modules: []string{"ixgbe"}, cpus: 2, tests: []string{"TestModule"}, devices: s.device}.run(t)
	s.end(t)
	exercised(t, accesses, "module")
}

// TestJudgeTrace has glassnic sim trace print how Linux's driver brings the card up: docs/tour.md tells of it.
func TestJudgeTrace(t *testing.T) {
	t.Parallel()
	s := serveBy(t, program(t), "trace", 0, `
ip tuntap add w0 mode tap
ip addr add 192.0.2.1/24 dev w0
ip link set w0 addrgenmode none up
`, "tap=w0")
	guest{newer: true, shared: true, modules: []string{"ixgbe"}, cpus: 2, tests: []string{"TestBringUp"}, devices: s.device}.run(t)
	_ = s.proc.Process.Signal(os.Interrupt)
	if err := <-s.gone; err != nil {
		t.Errorf("%v\n%s", err, s.said.String())
	}
	type access struct {
		Op, Register, Section string
		Value                 uint32
	}
	next, seen := 0, 0
	// Reset, transmission, a transmit queue, a receive queue, reception.
	want := []access{
		{"write", "CTRL", "8.2.3.1.1", 1 << 26}, {"write", "DMATXCTL", "8.2.3.9.2", 1},
		{"write", "TXDCTL[0]", "8.2.3.9.10", 1 << 25}, {"write", "RXDCTL[0]", "8.2.3.8.6", 1 << 25}, {"write", "RXCTRL", "8.2.3.8.10", 1},
	}
	for d := json.NewDecoder(&s.out); d.More(); seen++ {
		var a access
		if err := d.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if next < len(want) {
			if w := want[next]; a.Op == w.Op && a.Register == w.Register && a.Section == w.Section && a.Value&w.Value != 0 {
				next++
			}
		}
	}
	if next < len(want) {
		t.Errorf("among %d accesses there is no %+v in its place", seen, want[next])
	}
}
