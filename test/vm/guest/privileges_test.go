//go:build guest

package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestPrivileges looks at a forwarder while frames flow through it, as root and as an ordinary user: none of its
// threads has a privilege, it may open neither files nor sockets, nothing is lost, and it ends in order. By physical
// address it keeps its privileges unless it is told otherwise, and says what the cards can reach.
func TestPrivileges(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c[1], c[2])
	hugePages(t, pages)
	type run struct {
		name string
		as   *syscall.SysProcAttr
		args []string
		uid  int // that it has in the end
		keep bool
	}
	runs := []run{
		{name: "root", args: []string{idle}, uid: 65534},
		{name: "root, to a user, asleep", args: []string{"--user", "user", "--adaptive"}, uid: 1000},
		{name: "root, as it is", args: []string{idle, "--no-drop"}, keep: true},
		{name: "user", as: user, args: []string{idle}, uid: 1000},
	}
	if vfio() {
		grant(t, c[1], c[2])
	} else {
		runs = []run{
			{name: "root", args: []string{idle}, keep: true},
			{name: "root, to a user", args: []string{idle, "--user", "user"}, uid: 1000},
		}
	}
	left, right := newKernelPort(t, c[0]), newKernelPort(t, c[3])
	for i, r := range runs {
		f := start(t, r.as, append([]string{c[1].addr, c[2].addr}, r.args...)...)
		await(t, "the first line of fwd", func() bool {
			f.lives(t)
			return f.lines.Load() > 0
		})
		left.drain()
		right.drain()
		there, back := newKernelStream(t, uint16(2*i+1), left, right), newKernelStream(t, uint16(2*i+2), right, left)
		f.lets(t, there, back)
		var early uint64 // while the kernel's cards started
		if i == 0 {
			early = there.lost.Load() + back.lost.Load()
		}
		looked := 0
		for _, th := range f.threads(t) {
			looked++
			id, bounds := strings.Repeat(fmt.Sprintf(" %d", r.uid), 4)[1:], none
			if r.as != nil {
				bounds = th["CapBnd"] // which takes a privilege to change
			}
			want := map[string]string{
				"Uid": id, "Gid": id, "Groups": "", "CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": bounds, "CapAmb": none,
				"NoNewPrivs": "1", "Seccomp": "2",
			}
			if r.keep {
				want = map[string]string{"Uid": id, "NoNewPrivs": "0", "Seccomp": "0"}
			}
			for k, v := range want {
				if th[k] != v {
					t.Errorf("%s: thread %s: %s: %q, want %q", r.name, th["Pid"], k, th[k], v)
				}
			}
		}
		file, socket := f.tryOpen(t), f.trySocket(t)
		if r.keep && (file < 0 || socket < 0) || !r.keep && (file != -int(unix.EPERM) || socket != -int(unix.EPERM)) {
			t.Errorf("%s: from inside, open gives %d and socket %d", r.name, file, socket)
		}
		there.goesOn(t, "while it is looked at", 1000)
		back.goesOn(t, "while it is looked at", 1000)
		lost := there.stop().Lost + back.stop().Lost
		total := f.end(t)
		if lost > early || total.RxPackets != total.TxPackets || total.TxPackets < 2000 {
			t.Errorf("%s: %d lost, %d of them early, %+v", r.name, lost, early, total)
		}
		said := f.stderr.String()
		if strings.Contains(said, "Landlock") { // which Debian's kernel has
			t.Errorf("%s: %s", r.name, said)
		}
		for _, card := range c[1:3] {
			if vfio() == strings.Contains(said, card.addr+" is driven by physical address: it can reach all memory") {
				t.Errorf("%s: %q", r.name, said)
			}
		}
		if free := text(t, pool+"free_hugepages"); free != pages {
			t.Errorf("%s: %s of %s huge pages are free afterwards", r.name, free, pages)
		}
		t.Logf("%s: %d threads, %d frames", r.name, looked, total.TxPackets)
	}
	if vfio() {
		// Others that handle frames do as fwd does. The capture is written to a file that only root could open.
		newKernelStream(t, 100, left, right)
		file := filepath.Join(t.TempDir(), "frames")
		for _, args := range [][]string{
			{"gen", c[1].addr, "--count=1000"}, {"cap", c[1].addr, "--count=100", "-w", file}, {"dev", "stats", c[1].addr},
		} {
			out, err := exec.Command("glassnic", append(args, "--verbose")...).CombinedOutput()
			if err != nil || !strings.Contains(string(out), "privileges dropped: user nobody (65534)") {
				t.Errorf("%v: %v\n%s", args, err, out)
			}
		}
		if st, err := os.Stat(file); err != nil || st.Size() < 100*60 {
			t.Errorf("%v, %v", st, err)
		}
	}
	giveBack()
}

// none is an empty set of capabilities.
const none = "0000000000000000"

// threads returns the lines of /proc/PID/task/TID/status of every thread.
func (f *forwarder) threads(t *testing.T) (list []map[string]string) {
	t.Helper()
	for _, dir := range f.tasks(t) {
		b, err := os.ReadFile(filepath.Join(dir, "status"))
		if err != nil {
			continue // a thread that has ended
		}
		m := map[string]string{}
		for line := range strings.Lines(string(b)) {
			k, v, _ := strings.Cut(line, ":")
			m[k] = strings.Join(strings.Fields(v), " ")
		}
		list = append(list, m)
	}
	if len(list) < 3 {
		t.Fatalf("%d threads", len(list))
	}
	return list
}

func (f *forwarder) tasks(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", f.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return list
}
