//go:build (amd64 || arm64) && !race

package sandbox

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testZone is a time zone that only a file has.
const testZone = "GLN"

// process is a child that has answered.
type process struct {
	answer
	pid int
}

// run has a child carry out orders, as root or as an ordinary user, with a capability in each set. It lives until
// the test ends.
func run(t *testing.T, uid uint32, o orders) process {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("GLASSNIC_NO_NETNS") != "" {
			t.Skip("GLASSNIC_NO_NETNS is set")
		}
		t.Fatal("dropping privileges takes root: run as root, or set GLASSNIC_NO_NETNS=1 to leave this test out")
	}
	dir := publicDir(t)
	zone := filepath.Join(dir, "zone")
	if err := os.WriteFile(zone, zoneFile(), 0o644); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	cmd := exec.CommandContext(ctx, filepath.Join(dir, "child"))
	cmd.Env = append(os.Environ(), childEnv+"="+string(text), "TZ=:"+zone, "TMPDIR=/tmp")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{4, 27}},
		AmbientCaps: []uintptr{unix.CAP_NET_RAW},
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the end: %v\n%s", err, stderr.Bytes())
		}
	})
	p := process{pid: cmd.Process.Pid}
	if err := json.NewDecoder(out).Decode(&p.answer); err != nil {
		_, _ = io.Copy(io.Discard, out)
		t.Fatalf("no answer: %v\n%s", err, stderr.Bytes())
	}
	return p
}

// publicDir is a folder that every user can read, with this binary as "child".
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "glassnic-sandbox-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "child"), b, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// zoneFile is a time zone without changes (RFC 9636, section 3).
func zoneFile() []byte {
	b := append([]byte("TZif"), make([]byte, 16)...)
	for _, n := range []uint32{0, 0, 0, 0, 1, uint32(len(testZone) + 1)} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(append(b, make([]byte, 6)...), testZone+"\x00"...)
}

// threads returns the lines of /proc/PID/task/TID/status of every thread.
func (p process) threads(t *testing.T) (list []map[string]string) {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
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
	if len(list) < 10 {
		t.Fatalf("%d threads", len(list))
	}
	return list
}

const noCaps = "0000000000000000"

// Every thread is without privileges, those that were there before and those that came after.
func TestDrop(t *testing.T) {
	for name, c := range map[string]struct {
		uid, to uint32
		user    string
	}{
		"root":                {0, 65534, ""},
		"root, to a number":   {0, 4321, "4321"},
		"ordinary":            {1234, 1234, ""},
		"ordinary, by number": {1234, 1234, "1234"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := run(t, c.uid, orders{User: c.user})
			if p.Error != "" {
				t.Fatal(p.Error)
			}
			id := fmt.Sprintf("%[1]d %[1]d %[1]d %[1]d", c.to)
			want := map[string]string{
				"Uid": id, "Gid": id, "CapInh": noCaps, "CapPrm": noCaps, "CapEff": noCaps, "CapAmb": noCaps,
				"NoNewPrivs": "1", "Seccomp": "2",
			}
			if c.uid == 0 {
				want["CapBnd"], want["Groups"] = noCaps, ""
			}
			for _, th := range p.threads(t) {
				for k, v := range want {
					if th[k] != v {
						t.Errorf("thread %s: %s: %q, want %q", th["Pid"], k, th[k], v)
					}
				}
			}
			for _, what := range slices.Sorted(maps.Keys(p.Refused)) {
				if got := p.Refused[what]; !strings.HasSuffix(got, unix.EPERM.Error()) {
					t.Errorf("%s: %q", what, got)
				}
			}
			if len(p.Refused) < 10 || len(p.Fails) > 0 {
				t.Errorf("%d probes; fails: %v", len(p.Refused), p.Fails)
			}
			if r := p.Report; r.UID != int(c.to) || r.GID != int(c.to) {
				t.Errorf("%+v", r)
			}
		})
	}
}

// What TestDrop probes can be done by a process that drops nothing.
func TestKeep(t *testing.T) {
	p := run(t, 0, orders{Keep: true})
	for _, what := range slices.Sorted(maps.Keys(p.Refused)) {
		if got := p.Refused[what]; got != "" {
			t.Errorf("%s: %s", what, got)
		}
	}
}

// Landlock keeps files shut without seccomp, where the kernel has it, and the report says whether it does.
func TestLandlockAlone(t *testing.T) {
	p := run(t, 0, orders{Without: []string{"seccomp"}})
	if p.Error != "" {
		t.Fatal(p.Error)
	}
	want := ""
	kernel, _, e := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if e == 0 {
		want = unix.EACCES.Error()
	} else {
		kernel = 0
	}
	if p.Report.Landlock != int(kernel) {
		t.Errorf("Landlock %d, and the kernel has %d (%v)", p.Report.Landlock, kernel, e)
	}
	for _, what := range []string{"open to read", "open to write"} {
		if p.Refused[what] != want {
			t.Errorf("Landlock %d: %s: %q", p.Report.Landlock, what, p.Refused[what])
		}
	}
	if got := p.Refused["local socket"]; got != "" {
		t.Errorf("local socket: %s", got)
	}
}

// Where the kernel has no Landlock, all else is in force.
func TestWithoutLandlock(t *testing.T) {
	p := run(t, 0, orders{Without: []string{"Landlock"}})
	if p.Error != "" {
		t.Fatal(p.Error)
	}
	for _, th := range p.threads(t) {
		if th["NoNewPrivs"] != "1" || th["Seccomp"] != "2" {
			t.Errorf("thread %s: %v", th["Pid"], th)
		}
	}
	if !strings.Contains(p.Report.String(), "no Landlock") {
		t.Error(p.Report)
	}
}

func TestWrongUser(t *testing.T) {
	for _, c := range []struct {
		uid  uint32
		user string
		want string
	}{
		{0, "no-such-user", "/etc/passwd"},
		{0, "root", "ordinary user"},
		{0, "0", "ordinary user"},
		{1234, "nobody", "only root can"},
	} {
		p := run(t, c.uid, orders{User: c.user})
		if !strings.Contains(p.Error, c.want) {
			t.Errorf("%s: %q", c.user, p.Error)
		}
	}
}
