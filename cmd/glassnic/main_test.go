package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"glassnic": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "adds": adds, "keys": keys},
	})
}

// exits runs a command line in this process and compares its exit code: exits CODE ARG...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	var stdout, stderr bytes.Buffer
	if got := run(args[1:], &stdout, &stderr); (got == want) == neg {
		ts.Fatalf("exit code %d\n%s%s", got, &stdout, &stderr)
	}
	_, _ = io.Copy(ts.Stdout(), &stdout)
	_, _ = io.Copy(ts.Stderr(), &stderr)
}

// TestListOrdinaryUser runs dev list as nobody, on this machine.
func TestListOrdinaryUser(t *testing.T) {
	cmd := exec.Command("glassnic", "dev", "list")
	if os.Getuid() == 0 {
		// Nobody may enter neither Go's folder of test binaries nor that of testscript.
		dir := t.TempDir()
		for _, d := range []string{dir, filepath.Dir(dir)} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		self, err := os.ReadFile("/proc/self/exe")
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, "glassnic")
		if err := os.WriteFile(name, self, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command(name, "dev", "list")
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, stderrOf(err))
	}
	head, rest, _ := strings.Cut(string(out), "\n")
	if got, want := strings.Join(strings.Fields(head), " "), "ADDRESS NAME DRIVER NUMA IOMMU INTERFACES STATE SERVED BY"; got != want {
		t.Errorf("head %q, want %q", got, want)
	}
	cards, err := filepath.Glob("/sys/bus/pci/devices/*/class")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cards {
		class, _ := os.ReadFile(f)
		if addr := filepath.Base(filepath.Dir(f)); strings.HasPrefix(string(class), "0x02") != strings.Contains(rest, addr) {
			t.Errorf("%s has class %s, and the list is\n%s", addr, class, out)
		}
	}
}

func stderrOf(err error) string {
	if e, ok := err.(*exec.ExitError); ok {
		return string(e.Stderr)
	}
	return fmt.Sprint(err)
}
