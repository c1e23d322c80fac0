package ladder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// napi is the kernel's thread that receives for an interface. Left alone, the kernel does that work as a soft interrupt on
// whichever CPU sent the frame, and puts it to the account of whoever is running there; as a thread it has a CPU and a clock.
type napi struct{ pid int }

// newNAPI has the kernel receive by a thread on a CPU, in the namespace of the calling thread.
func newNAPI(dev string, onCPU int, attr unix.SchedAttr) (n napi, err error) {
	if err := setting(dev, "threaded", 1); err != nil {
		return n, leftOut("%w: threaded NAPI needs Linux 5.12", err)
	}
	if n.pid, err = findNAPI(dev); err != nil {
		return n, err
	}
	var set unix.CPUSet
	set.Set(onCPU)
	if err := unix.SchedSetaffinity(n.pid, &set); err != nil {
		return n, fmt.Errorf("%s: pin its NAPI thread to CPU %d: %w", dev, onCPU, err)
	}
	if err := unix.SchedSetAttr(n.pid, &attr, 0); err != nil {
		return n, fmt.Errorf("%s: sched_setattr of its NAPI thread: %w", dev, err)
	}
	return n, nil
}

// findNAPI looks for the thread napi/DEV-ID.
func findNAPI(dev string) (int, error) {
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		comm, err := os.ReadFile(name)
		if err == nil && strings.HasPrefix(string(comm), "napi/"+dev+"-") {
			return strconv.Atoi(filepath.Base(filepath.Dir(name)))
		}
	}
	return 0, leftOut("%s: /proc does not show its NAPI thread: run outside of containers with processes of their own", dev)
}

// ran returns the nanoseconds that the thread ran. The zero napi has no thread.
func (n napi) ran() (uint64, error) {
	if n.pid == 0 {
		return 0, nil
	}
	return cpuTime(n.pid, false)
}

// cpuTime returns the nanoseconds that a process or one of this process's threads ran (clock_getcpuclockid(3)).
func cpuTime(id int, isThread bool) (uint64, error) {
	const sched, perThread = 2, 4 // linux/posix-timers.h: CPUCLOCK_SCHED, CPUCLOCK_PERTHREAD_MASK
	clock := ^int32(id)<<3 | sched
	if isThread {
		clock |= perThread
	}
	var t unix.Timespec
	if err := unix.ClockGettime(clock, &t); err != nil {
		return 0, fmt.Errorf("processor time of %d: %w", id, err)
	}
	return uint64(t.Nano()), nil
}

// waited returns the nanoseconds that a thread of the system was ready to run and had no CPU, up to when it last got one
// (Linux, Documentation/scheduler/sched-stats.rst, /proc/PID/schedstat). They are 0 where the kernel does not count them.
func waited(id int) (uint64, error) {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(id) + "/schedstat")
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0, fmt.Errorf("/proc/%d/schedstat: %q", id, b)
	}
	return strconv.ParseUint(f[1], 10, 64)
}

// waited is the same of the thread of an interface.
func (n napi) waited() (uint64, error) {
	if n.pid == 0 {
		return 0, nil
	}
	return waited(n.pid)
}

// setting writes one of an interface's files in /sys, in the namespace of the calling thread.
func setting(dev, name string, value int) error {
	return os.WriteFile("/sys/class/net/"+dev+"/"+name, strconv.AppendInt(nil, int64(value), 10), 0o644)
}
