package worker

import "golang.org/x/sys/unix"

// yield lets other threads run that wait for this CPU (sched_yield(2)).
func yield() { _, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0) }
