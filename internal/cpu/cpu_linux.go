package cpu

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// online is where the kernel lists the CPUs that run.
const online = "/sys/devices/system/cpu/online"

// Pin makes the calling thread run on one CPU only. The caller has locked its goroutine to the thread
// (runtime.LockOSThread) and does not unlock it: if the goroutine ends locked, the thread goes
// with it, otherwise other goroutines would inherit the CPU.
func Pin(cpu int) error {
	if cpu < 0 || cpu >= Max {
		return fmt.Errorf("cpu: pin to CPU %d: want 0 to %d", cpu, Max-1)
	}
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		have, _ := Allowed()
		return fmt.Errorf("cpu: pin to CPU %d: %w; this process may use %v", cpu, err, have)
	}
	return nil
}

// Online returns the CPUs that the machine runs on, in ascending order.
func Online() ([]int, error) {
	b, err := os.ReadFile(online)
	if err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	return ParseList(string(b))
}

// Allowed returns the CPUs that the calling thread may run on, in ascending order: those online, less
// what a cgroup, taskset or Pin took away.
func Allowed() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("cpu: read the affinity: %w", err)
	}
	var list []int
	for n := range Max {
		if set.IsSet(n) {
			list = append(list, n)
		}
	}
	return list, nil
}
