//go:build amd64 || arm64

package sandbox

import "golang.org/x/sys/unix"

// call is a row of the table: a system call that is let through if all its arguments pass. A call may have several
// rows.
type call struct {
	number uintptr
	name   string
	why    string
	args   []arg
}

// arg is a test of the lower half of an argument, which is all that the kernel looks at in those that are tested
// here: int, unsigned int, and flags below bit 32.
type arg struct {
	index      int
	mask, want uint32
}

// calls is the whole of what a process without privileges may ask of the kernel; anything else is EPERM. The
// numbers are this architecture's; calls of another, or of amd64's x32, are not let through.
func calls(pid int) []call {
	anonymous := []arg{{2, unix.PROT_EXEC, 0}, {3, unix.MAP_ANONYMOUS, unix.MAP_ANONYMOUS}}
	self := []arg{{0, ^uint32(0), uint32(pid)}}
	command := func(c uint32) []arg { return []arg{{1, ^uint32(0), c}} }
	option := func(level, name uint32) []arg { return []arg{{1, ^uint32(0), level}, {2, ^uint32(0), name}} }
	return []call{
		// The data path.
		{unix.SYS_PPOLL, "ppoll", "workers sleep until a queue has a frame", nil},
		{unix.SYS_READ, "read", "event descriptors, TAP interfaces", nil},
		{unix.SYS_WRITE, "write", "the same; captures, reports, messages", nil},
		{unix.SYS_SENDTO, "sendto", "what asks for the state of a network interface, and wakes an AF_XDP socket, by sockets that are open", nil},
		{unix.SYS_RECVFROM, "recvfrom", "the same", nil},
		{unix.SYS_SENDMMSG, "sendmmsg", "packet sockets that are open", nil},
		{unix.SYS_GETSOCKOPT, "getsockopt", "what packet sockets missed", option(unix.SOL_PACKET, unix.PACKET_STATISTICS)},
		{unix.SYS_GETSOCKOPT, "getsockopt", "what AF_XDP sockets missed", option(unix.SOL_XDP, unix.XDP_STATISTICS)},
		{unix.SYS_GETSOCKOPT, "getsockopt", "an error of theirs, such as that an interface went down", option(unix.SOL_SOCKET, unix.SO_ERROR)},
		{unix.SYS_PREAD64, "pread64", "configuration space, I/O ports, the page map; the runtime reads its CPU limit", nil},
		{unix.SYS_PWRITE64, "pwrite64", "configuration space, I/O ports; bus mastering off at the end", nil},
		{unix.SYS_IOCTL, "ioctl", "VFIO's alone, type ';' of linux/vfio.h: interrupts, reset, map and unmap", []arg{{1, 0xffffff00, ';' << 8}}},
		{unix.SYS_EVENTFD2, "eventfd2", "to wake workers; the runtime's poller", nil},
		{unix.SYS_SCHED_SETAFFINITY, "sched_setaffinity", "a worker pins its own thread", []arg{{0, ^uint32(0), 0}}},
		{unix.SYS_SCHED_GETAFFINITY, "sched_getaffinity", "the same; the runtime counts its CPUs", nil},
		{unix.SYS_SCHED_YIELD, "sched_yield", "a worker with nothing to do; the runtime", nil},
		{unix.SYS_CLOSE, "close", "the end", nil},
		{unix.SYS_MUNMAP, "munmap", "the end: registers and DMA memory; the runtime", nil},
		{unix.SYS_FSTAT, "fstat", "os.File.Stat", nil},
		{unix.SYS_FCNTL, "fcntl", "files become blocking or not", command(unix.F_GETFL)},
		{unix.SYS_FCNTL, "fcntl", "the same", command(unix.F_SETFL)},
		// Memory shared with a card in another process (bus/shm).
		{unix.SYS_FCNTL, "fcntl", "locks of pages", command(unix.F_OFD_SETLK)},
		{unix.SYS_LSEEK, "lseek", "finds pages that are free", nil},
		{unix.SYS_FALLOCATE, "fallocate", "gives pages back", nil},
		// The Go runtime.
		{unix.SYS_FUTEX, "futex", "locks", nil},
		{unix.SYS_NANOSLEEP, "nanosleep", "its monitor", nil},
		{unix.SYS_CLOCK_GETTIME, "clock_gettime", "where the vDSO has no clock", nil},
		{unix.SYS_MMAP, "mmap", "memory of no file, which cannot be executed", anonymous},
		{unix.SYS_MADVISE, "madvise", "gives memory back, asks for huge pages", nil},
		{unix.SYS_EPOLL_CREATE1, "epoll_create1", "its poller, made when first used", nil},
		{unix.SYS_EPOLL_CTL, "epoll_ctl", "the same", nil},
		{unix.SYS_EPOLL_PWAIT, "epoll_pwait", "the same", nil},
		{unix.SYS_CLONE, "clone", "threads, not processes", []arg{{0, unix.CLONE_THREAD, unix.CLONE_THREAD}}},
		{unix.SYS_SIGALTSTACK, "sigaltstack", "a thread's stack for signals", nil},
		{unix.SYS_RT_SIGPROCMASK, "rt_sigprocmask", "threads begin and end", nil},
		{unix.SYS_RT_SIGACTION, "rt_sigaction", "os/signal", nil},
		{unix.SYS_RT_SIGRETURN, "rt_sigreturn", "a signal's handler ends", nil},
		{unix.SYS_RESTART_SYSCALL, "restart_syscall", "the kernel goes on with a sleep after SIGSTOP", nil},
		{unix.SYS_TGKILL, "tgkill", "preempts its own threads; a crash", self},
		{unix.SYS_GETPID, "getpid", "the same", nil},
		{unix.SYS_GETTID, "gettid", "the same", nil},
		{unix.SYS_EXIT, "exit", "a thread ends", nil},
		{unix.SYS_EXIT_GROUP, "exit_group", "the process ends", nil},
		// --cpuprofile.
		{unix.SYS_SETITIMER, "setitimer", "the profiler's clock", nil},
		{unix.SYS_TIMER_CREATE, "timer_create", "the same for new threads", nil},
		{unix.SYS_TIMER_SETTIME, "timer_settime", "the same", nil},
		{unix.SYS_TIMER_DELETE, "timer_delete", "the same", nil},
	}
}
