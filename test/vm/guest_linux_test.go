package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"glassnic/test/vm/plan"
)

// guest is a machine with a stock Debian kernel and cards, and what happens in it.
type guest struct {
	devices []string // QEMU's arguments
	append  string   // kernel arguments
	wires   string   // shell commands that make interfaces for the devices, in a network namespace; it needs root
	iommu   string   // arguments of intel-iommu; "" for none
	shared  bool     // the guest's memory can be shared with other processes
	newer   bool     // a QEMU that has igb and vfio-user
	modules []string // kernel modules, each perhaps with parameters behind it
	later   []string // modules that are not loaded but found by modprobe
	tests   []string // functions of package guest, run one after the other
	env     []string // of the tests
	memory  int      // MiB; 0: 1024
	cpus    int      // 0: 1
	limit   time.Duration
}

// defaultLimit is how long a guest may take, by far.
const defaultLimit = 4 * time.Minute

// turns lets three guests run at a time: while one waits, two processors have work.
var turns = make(chan struct{}, 3)

// clock counts guests that have ended, from when the first began, and what their emulators took of processors.
var clock struct {
	mu     sync.Mutex
	guests int
	begin  time.Time
	took   time.Duration
	worked time.Duration
}

// TestMain prints how long guests took on average, with as many at a time as turns lets.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", fmt.Sprint(cap(turns))); err != nil {
		panic(err)
	}
	code := m.Run()
	if n := clock.guests; n > 0 {
		each := func(d time.Duration) float64 { return d.Seconds() / float64(n) }
		fmt.Printf("%d guests in %.0f s, one in %.1f s and %.1f s of a processor\n", n, clock.took.Seconds(), each(clock.took), each(clock.worked))
	}
	os.Exit(code)
}

// count counts a guest, which is about to boot, and returns what is to be called at its end.
func count() (end func(*os.ProcessState)) {
	clock.mu.Lock()
	defer clock.mu.Unlock()
	if clock.begin.IsZero() {
		clock.begin = time.Now()
	}
	return func(p *os.ProcessState) {
		clock.mu.Lock()
		defer clock.mu.Unlock()
		clock.guests++
		clock.took = time.Since(clock.begin)
		if p != nil { // it began
			clock.worked += p.UserTime() + p.SystemTime()
		}
	}
}

// sparing are kernel arguments that leave out what is dear to emulate and what no test looks at: pages are not cleared
// before the kernel has a use for them, calls take no ways around what processors speculate on, and who changes an
// interface does not wait long for its readers (Linux, Documentation/admin-guide/kernel-parameters.txt).
const sparing = "init_on_alloc=0 mitigations=off rcupdate.rcu_expedited=1 tsc=reliable "

// run boots the guest and fails the test with what a failing step printed, or with the console of a guest that
// did not get to its end. It returns the results.
func (g guest) run(t *testing.T) []plan.Result {
	t.Helper()
	turns <- struct{}{}
	defer func() { <-turns }()
	results, err := g.boot(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Error != "" || strings.Contains(r.Output, "no tests to run") {
			t.Errorf("%s: %s\n%s\nkernel log:\n%s", r.Name, r.Error, r.Output, last(r.Log, 60))
			continue
		}
		t.Logf("%s: %v\n%s", r.Name, r.Took.Round(time.Millisecond), r.Output)
	}
	return results
}

func (g guest) boot(t *testing.T) ([]plan.Result, error) {
	base, err := files()
	if err != nil {
		return nil, err
	}
	k, err := debian()
	if err != nil {
		return nil, err
	}
	find := systemQEMU
	if g.newer {
		find = newQEMU
	}
	q, err := find()
	if err != nil {
		return nil, err
	}
	dir := t.TempDir()
	initrd, console, answers := filepath.Join(dir, "initrd"), filepath.Join(dir, "console"), filepath.Join(dir, "answers")
	limit := g.limit
	if limit == 0 {
		limit = defaultLimit
	}
	if err := g.initrd(initrd, base, k, limit); err != nil {
		return nil, err
	}
	// An emulator that has to wait for a processor would fail the kernel's check of its timer.
	// Without erms and fsrm the kernel clears and copies eight bytes at a time, not one, which is what emulation costs.
	machine, kernelArgs := "q35", "quiet console=ttyS0 panic=-1 no_timer_check "+sparing+g.append
	args := append(q.args[1:len(q.args):len(q.args)],
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-accel", "tcg", "-cpu", "max,-erms,-fsrm",
		"-m", fmt.Sprint(or(g.memory, 1024)), "-smp", fmt.Sprint(or(g.cpus, 1)),
		"-serial", "file:"+console, "-serial", "file:"+answers, "-kernel", k.image, "-initrd", initrd)
	if g.iommu != "" {
		kernelArgs += " intel_iommu=on"
		args = append(args, "-device", "intel-iommu,"+g.iommu)
	}
	if g.shared {
		machine += ",memory-backend=mem"
		args = append(args, "-object", fmt.Sprintf("memory-backend-memfd,id=mem,size=%dM,share=on", or(g.memory, 1024)))
	}
	args = append(args, "-M", machine, "-append", kernelArgs)
	args = append(args, g.devices...)

	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Minute)
	defer cancel()
	name := q.args[0]
	if g.wires != "" {
		args = append([]string{"-n", "sh", "-ec", g.wires + `exec "$0" "$@"`, name}, args...)
		name = "unshare"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), q.env...)
	end := count()
	out, err := cmd.CombinedOutput()
	end(cmd.ProcessState)
	text, _ := os.ReadFile(console)
	b, missing := os.ReadFile(answers)
	if err != nil {
		done := bytes.Count(b, []byte("\n"))
		return nil, fmt.Errorf("%s: %w (%v) after %d steps of %v\n%s\nconsole:\n%s", strings.Join(cmd.Args, " "), err, ctx.Err(), done, g.tests, out, last(string(text), 60))
	}
	if missing != nil {
		return nil, missing
	}
	var results []plan.Result
	for d := json.NewDecoder(bytes.NewReader(b)); d.More(); {
		var r plan.Result
		if err := d.Decode(&r); err != nil {
			return nil, fmt.Errorf("the guest's answers: %w\n%s", err, b)
		}
		results = append(results, r)
	}
	if len(results) != len(g.tests) {
		return nil, fmt.Errorf("the guest did %d of the steps %v\n%s\nconsole:\n%s", len(results), g.tests, out, last(string(text), 60))
	}
	return results, nil
}

// initrd writes the guest's first file system: the base, its modules and its plan.
func (g guest) initrd(file string, base []byte, k *kernel, limit time.Duration) error {
	paths, mods, err := k.load(g.modules...)
	if err != nil {
		return err
	}
	p := plan.Plan{Modules: mods}
	for _, name := range g.tests {
		p.Steps = append(p.Steps, plan.Step{
			Name: name, Args: []string{"/bin/guest.test", "-test.run=^" + name + "$", "-test.v"}, Env: g.env, Limit: limit,
		})
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	var a archive
	a.entry("plan.json", 0o100644, b)
	for _, path := range paths {
		if err := a.copy("modules/"+filepath.Base(path), path); err != nil {
			return err
		}
	}
	if err := a.modprobe(k, g.later); err != nil {
		return err
	}
	a.end()
	return os.WriteFile(file, append(base[:len(base):len(base)], a.Bytes()...), 0o644)
}

// tools are programs of this machine that guests have as well.
var tools = []string{"ip", "ping", "iperf3", "sh", "chmod", "modprobe", "prlimit", "ethtool"}

// files is the archive that all guests share: the first process, the program, its tests, and tools.
var files = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "glassnic-vm-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var a archive
	for name, args := range map[string][]string{
		"init":           {"build", "-o", "init", "glassnic/test/vm/init"},
		"bin/glassnic":   {"build", "-ldflags=-s -w", "-o", "glassnic", "glassnic/cmd/glassnic"},
		"bin/guest.test": {"test", "-c", "-ldflags=-s -w", "-tags", "guest", "-o", "guest.test", "glassnic/test/vm/guest"},
	} {
		args[indexOf(args, "-o")+1] = filepath.Join(dir, args[indexOf(args, "-o")+1])
		cmd := exec.Command("go", args...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		if err := a.copy(name, filepath.Join(dir, filepath.Base(name))); err != nil {
			return nil, err
		}
	}
	for _, name := range tools {
		file, err := exec.LookPath(name)
		if err != nil {
			return nil, fmt.Errorf("%w: run test/run, which installs it", err)
		}
		if file, err = filepath.EvalSymlinks(file); err == nil {
			err = a.dynamic("bin/"+name, file)
		}
		if err != nil {
			return nil, err
		}
	}
	a.entry("etc/passwd", 0o100644, []byte("root:x:0:0::/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n"))
	a.entry("etc/group", 0o100644, []byte("root:x:0:\nnogroup:x:65534:\nuser:x:1000:\n"))
	a.end()
	return a.Bytes(), nil
})

func indexOf(list []string, s string) int {
	for i := range list {
		if list[i] == s {
			return i
		}
	}
	return -1
}

func or(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// last returns the last lines of a text.
func last(text string, n int) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
