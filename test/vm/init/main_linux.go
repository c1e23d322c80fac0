// Command init is the first process of a guest: it loads kernel modules, runs the steps of /plan.json one after
// the other, writes a JSON line about each to the second serial port, and switches the guest off.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/test/vm/plan"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}

func run() error {
	for _, m := range []struct{ kind, dir string }{
		{"proc", "/proc"}, {"sysfs", "/sys"}, {"devtmpfs", "/dev"}, {"tmpfs", "/tmp"}, {"tmpfs", "/run"},
	} {
		if err := os.MkdirAll(m.dir, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.dir, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.dir, err)
		}
	}
	_ = os.Chmod("/tmp", 0o1777)
	_ = os.Setenv("PATH", "/bin")
	_ = os.Setenv("HOME", "/tmp")
	out, err := os.OpenFile("/dev/ttyS1", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	var p plan.Plan
	b, err := os.ReadFile("/plan.json")
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if err != nil {
		return err
	}
	for _, m := range p.Modules {
		if err := load(m); err != nil {
			return fmt.Errorf("load %s: %w", m, err)
		}
	}
	for _, s := range p.Steps {
		r := do(s)
		line, err := json.Marshal(r)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return err
		}
	}
	return nil
}

// load loads the module in a file; parameters may follow the name.
func load(m plan.Module) error {
	f, err := os.Open(filepath.Join("/modules", m.File))
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), m.Parameters, 0); err != nil && err != unix.EEXIST {
		return err
	}
	return nil
}

// do runs a step to its end, or kills it after its time.
func do(s plan.Step) plan.Result {
	ctx, cancel := context.WithTimeout(context.Background(), s.Limit)
	defer cancel()
	begin := time.Now()
	c := exec.CommandContext(ctx, s.Args[0], s.Args[1:]...)
	c.Env = append(os.Environ(), s.Env...)
	c.WaitDelay = time.Second
	out, err := c.CombinedOutput()
	r := plan.Result{Name: s.Name, Exit: c.ProcessState.ExitCode(), Output: string(out), Took: time.Since(begin)}
	if err != nil {
		r.Error = err.Error()
		if ctx.Err() != nil {
			r.Error = fmt.Sprintf("killed after %v", s.Limit)
		}
		r.Log = kernelLog()
	}
	return r
}

// kernelLog returns what the kernel has logged.
func kernelLog() string {
	b := make([]byte, 1<<18)
	n, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, b)
	if err != nil {
		return err.Error()
	}
	return string(b[:n])
}
