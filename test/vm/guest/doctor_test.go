//go:build guest

package guest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// check is what doctor says of one thing.
type check struct {
	Name  string `json:"name"`
	State string `json:"state"`
	Found string `json:"found"`
	Cure  string `json:"cure"`
	Run   string `json:"run"`
}

// checks reads what doctor prints, by name.
func checks(t *testing.T, out string) map[string]check {
	t.Helper()
	all := map[string]check{}
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var c check
		if err := d.Decode(&c); err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		all[c.Name] = c
	}
	return all
}

// mend checks that doctor calls things missing, and not any more after what it tells to run. again runs it.
func mend(t *testing.T, again func() map[string]check, names ...string) {
	t.Helper()
	for _, n := range names {
		c := again()[n]
		if c.State != "missing" || c.Run == "" || !strings.HasPrefix(c.Cure, c.Run) {
			t.Fatalf("%s: %+v, want it missing, with a command", n, c)
		}
		shell(t, c.Run)
		if after := again()[n]; after.State != "ok" {
			t.Errorf("%s: after `%s`: %+v", n, c.Run, after)
		}
		t.Logf("%s: %s: %s", n, c.Found, c.Run)
	}
}

// TestDoctor has a machine without IOMMU, huge pages and vfio-pci, and a card that the kernel uses: doctor names each,
// and what it tells to run mends it. How to boot is told to the host.
func TestDoctor(t *testing.T) {
	c := cards(t)[0]
	shell(t, "ip addr add 192.0.2.1/24 dev "+netdev(t, c))
	again := func() map[string]check { return checks(t, glassnic(t, "doctor", "--json", c.addr)) }
	if said := again()[c.addr+" kernel driver"]; !strings.Contains(said.Found, "e1000e has it, and the system uses "+netdev(t, c)) {
		t.Errorf("%+v", said)
	}
	mend(t, again, "2 MiB huge pages, NUMA node 0", "VFIO module", c.addr+" kernel driver")
	if out := glassnic(t, "dev", "info", c.addr, "--open"); !strings.Contains(out, "82574") {
		t.Errorf("the card that doctor is content with: %s", out)
	}
	iommu := again()["IOMMU"]
	_, args, ok := strings.Cut(iommu.Cure, "boot with ")
	if iommu.State != "missing" || !ok {
		t.Fatalf("%+v", iommu)
	}
	fmt.Printf("BOOT WITH %s\n", args)
}

// TestDoctorVFIO goes on in a machine that was booted as TestDoctor's was told to, until an ordinary user can open a
// card.
func TestDoctorVFIO(t *testing.T) {
	c := cards(t)[0]
	asRoot := func() map[string]check { return checks(t, glassnic(t, "doctor", "--json", c.addr)) }
	if before := asRoot(); before["IOMMU"].State != "ok" || before["IOMMU passthrough"].State != "ok" {
		t.Errorf("after a boot as doctor said: %+v, %+v", before["IOMMU"], before["IOMMU passthrough"])
	}
	mend(t, asRoot, "VFIO module", c.addr+" kernel driver")
	if err := os.Chmod("/dev/vfio/vfio", 0o600); err != nil {
		t.Fatal(err)
	}
	u := newUserShell(t)
	asUser := func() map[string]check { return checks(t, u.run(t, "glassnic doctor --json "+c.addr)) }
	if said := u.run(t, "glassnic dev info "+c.addr+" --open 2>&1 || true"); !strings.Contains(said, "permission denied") {
		t.Errorf("a card that root has, opened by a user: %s", said)
	}
	// What a shell of root's is to do to this one.
	mend(t, func() map[string]check {
		all := asUser()
		for n, k := range all {
			k.Run = strings.ReplaceAll(k.Run, "$$", fmt.Sprint(u.pid))
			k.Cure = k.Run
			all[n] = k
		}
		return all
	}, "VFIO module", "locked memory", c.addr+" group file")
	if said := u.run(t, "glassnic dev info "+c.addr+" --open 2>&1"); !strings.Contains(said, "82574") || strings.Contains(said, "denied") {
		t.Errorf("the card that doctor is content with: %s", said)
	}
	for n, k := range asUser() {
		if strings.HasPrefix(n, c.addr) && k.State != "ok" {
			t.Errorf("%+v", k)
		}
	}
	glassnic(t, "dev", "bind", c.addr, "--driver", c.driver)
}

// userShell is a shell of an ordinary user who may lock little memory.
type userShell struct {
	pid int
	in  io.Writer
	out *bufio.Reader
}

func newUserShell(t *testing.T) *userShell {
	t.Helper()
	cmd := exec.Command("prlimit", "--memlock=65536:65536", "sh")
	cmd.SysProcAttr = user
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &userShell{cmd.Process.Pid, in, bufio.NewReader(out)}
}

// run runs a line and returns what it prints.
func (u *userShell) run(t *testing.T, line string) string {
	t.Helper()
	const end = "--- end ---\n"
	if _, err := io.WriteString(u.in, line+"; echo; echo '"+strings.TrimSpace(end)+"'\n"); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for {
		l, err := u.out.ReadString('\n')
		if err != nil {
			t.Fatalf("%s: %v after %s", line, err, b.String())
		}
		if l == end {
			return strings.TrimSpace(b.String())
		}
		b.WriteString(l)
	}
}
