package traffic

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "glassnic/driver/all"
	_ "glassnic/sim"
)

// patience bounds every wait for something that must happen: generous, for machines that are busy.
const patience = 30 * time.Second

// scratch is a directory for the whole run.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(testAll(m))
}

func testAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "glassnic-traffic-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

// program builds the program once and returns its path.
func program(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

var build = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "glassnic")
	cmd := exec.Command("go", "build", "-o", path, "glassnic/cmd/glassnic")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build glassnic/cmd/glassnic: %w\n%s", err, out)
	}
	return path, nil
})

// packages are the Debian packages of the tools.
var packages = map[string]string{
	"ip": "iproute2", "ping": "iputils-ping", "iperf3": "iperf3", "curl": "curl", "tcpdump": "tcpdump",
	"tshark": "tshark", "capinfos": "wireshark-common",
}

// need fails the test where a tool is not installed.
func need(t *testing.T, tools ...string) {
	t.Helper()
	var missing []string
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			missing = append(missing, packages[tool])
		}
	}
	if len(missing) > 0 {
		t.Fatalf("tools are missing: apt-get install -y %s", strings.Join(missing, " "))
	}
}

// needRoot fails the test where it cannot make network namespaces.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Getenv("GLASSNIC_NO_NETNS") != "" {
		t.Skip("GLASSNIC_NO_NETNS is set")
	}
	if os.Geteuid() != 0 {
		t.Fatal("network namespaces and TAP interfaces need root: run as root, or set GLASSNIC_NO_NETNS=1 to leave this test out")
	}
}

// command runs a program to its end and returns what it wrote to stdout.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err := output(exec.CommandContext(ctx, name, args...), (*exec.Cmd).Start)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// output runs a command, which start starts; the error has what it wrote to stderr.
func output(cmd *exec.Cmd, start func(*exec.Cmd) error) (string, error) {
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := start(cmd)
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return out.String(), fmt.Errorf("%s: %w\n%s%s", strings.Join(cmd.Args, " "), err, out.String(), errs.String())
	}
	return out.String(), nil
}

// eventually waits until check returns nil; the test fails with what check said last.
func eventually(t testing.TB, limit time.Duration, what string, check func() error) {
	t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v: %v", what, limit, err)
		}
	}
}
