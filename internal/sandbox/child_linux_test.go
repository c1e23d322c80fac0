//go:build (amd64 || arm64) && !race

package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// childEnv holds the orders of this binary, run again by a test. (Not built for the race detector, whose own
// runtime makes system calls that the table does not have.)
const childEnv = "GLASSNIC_SANDBOX_TEST_CHILD"

// orders are what a child does.
type orders struct {
	User    string
	Keep    bool     // drop nothing
	Without []string // names of steps to leave out
}

// answer is what became of it.
type answer struct {
	Error   string
	Report  Report
	Refused map[string]string // what each probe failed with, "" where it did not
	Fails   map[string]string // what should work and does not
}

func TestMain(m *testing.M) {
	if text := os.Getenv(childEnv); text != "" {
		var o orders
		if err := json.Unmarshal([]byte(text), &o); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		child(o)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child has threads, drops, probes, answers, and ends with its standard input.
func child(o orders) {
	before, err := prepare()
	a := answer{}
	if err == nil {
		parkThreads(5)
		a.Report, err = o.drop()
	}
	if err != nil {
		a.Error = err.Error()
	} else {
		parkThreads(5)
		a.Refused, a.Fails = map[string]string{}, map[string]string{}
		for name, probe := range probes() {
			if err := probe(before); err != nil {
				a.Refused[name] = err.Error()
			} else {
				a.Refused[name] = ""
			}
		}
		for name, work := range works() {
			if err := work(before); err != nil {
				a.Fails[name] = err.Error()
			}
		}
	}
	_ = json.NewEncoder(os.Stdout).Encode(a)
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin))
}

func (o orders) drop() (Report, error) {
	if len(o.Without) == 0 && !o.Keep {
		return Drop(Options{User: o.User})
	}
	r, err := whom(o.User)
	if err != nil || o.Keep {
		return r, err
	}
	return r, take(&r, slices.DeleteFunc(slices.Clone(steps), func(s step) bool { return slices.Contains(o.Without, s.name) }))
}

// things are what is open before the drop.
type things struct {
	file   *os.File
	pair   [2]int // connected sockets
	parent int
	cpus   unix.CPUSet // of the parent
}

func prepare() (t things, err error) {
	t.parent = os.Getppid()
	if err := unix.SchedGetaffinity(t.parent, &t.cpus); err != nil {
		return t, err
	}
	if t.file, err = os.CreateTemp("", "glassnic-sandbox-"); err != nil {
		return t, err
	}
	if err := os.Remove(t.file.Name()); err != nil {
		return t, err
	}
	t.pair, err = unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return t, err
}

// parkThreads starts threads that sleep from then on, and returns when all are there.
func parkThreads(n int) {
	var up sync.WaitGroup
	for range n {
		up.Add(1)
		go func() {
			runtime.LockOSThread()
			up.Done()
			select {}
		}()
	}
	up.Wait()
}

// probes are what nobody without privileges needs.
func probes() map[string]func(things) error {
	open := func(path string, flags int) error {
		fd, err := unix.Open(path, flags, 0o600)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	socket := func(family, kind int) error {
		fd, err := unix.Socket(family, kind, 0)
		if err == nil {
			_ = unix.Close(fd)
		}
		return err
	}
	return map[string]func(things) error{
		"open to read":    func(things) error { return open("/etc/passwd", unix.O_RDONLY) },
		"open to write":   func(things) error { return open("/tmp", unix.O_TMPFILE|unix.O_WRONLY) },
		"internet socket": func(things) error { return socket(unix.AF_INET, unix.SOCK_DGRAM) },
		"local socket":    func(things) error { return socket(unix.AF_UNIX, unix.SOCK_STREAM) },
		"executable memory": func(things) error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		},
		"make memory executable": func(things) error {
			b, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err != nil {
				return fmt.Errorf("no memory at all: %w", err)
			}
			return unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC)
		},
		"map a file": func(t things) error {
			if err := t.file.Truncate(4096); err != nil {
				return err
			}
			_, err := unix.Mmap(int(t.file.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
			return err
		},
		// With a pointer that makes it fail in the kernel, if not before.
		"execute": func(things) error {
			_, _, e := unix.RawSyscall(unix.SYS_EXECVE, 1, 0, 0)
			if e == unix.EFAULT {
				return nil
			}
			return e
		},
		// Likewise: no process can be in a new name space alone.
		"new process": func(things) error {
			_, _, e := unix.RawSyscall6(unix.SYS_CLONE, unix.CLONE_NEWUSER|unix.CLONE_FS, 0, 0, 0, 0, 0)
			if e == unix.EINVAL {
				return nil
			}
			return e
		},
		"signal another process": func(t things) error { return unix.Tgkill(t.parent, t.parent, 0) },
		"ask a terminal": func(things) error {
			if _, err := unix.IoctlGetInt(0, unix.TIOCINQ); err != nil && !errors.Is(err, unix.ENOTTY) {
				return err
			}
			return nil
		},
		"change the user": func(things) error { return no(raw(unix.SYS_SETUID, uintptr(os.Getuid()))) },
		// Nothing that exists.
		"trace": func(things) error {
			_, _, e := unix.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_CONT, 1<<30, 0, 0, 0, 0)
			if e == unix.ESRCH {
				return nil
			}
			return no(e)
		},
		"own the file":      func(t things) error { return t.file.Chown(os.Getuid(), -1) },
		"duplicate a file":  func(t things) error { _, err := unix.FcntlInt(0, unix.F_DUPFD_CLOEXEC, 0); return err },
		"change directory":  func(things) error { return unix.Chdir("/") },
		"pin another":       func(t things) error { return unix.SchedSetaffinity(t.parent, &t.cpus) },
		"another protocol":  func(things) error { return socket(unix.AF_PACKET, unix.SOCK_RAW) },
		"limit of the rest": func(things) error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) },
	}
}

func raw(number uintptr, arg uintptr) unix.Errno {
	_, _, e := unix.RawSyscall(number, arg, 0, 0)
	return e
}

func no(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

// works are what goes on.
func works() map[string]func(things) error {
	return map[string]func(things) error{
		"garbage collection": func(things) error {
			for range 20 {
				_ = make([]byte, 8<<20)
				runtime.GC()
			}
			return nil
		},
		"goroutines and timers": func(things) error {
			var all sync.WaitGroup
			for range 100 {
				all.Go(func() { <-time.After(time.Millisecond) })
			}
			all.Wait()
			return nil
		},
		"write to an open file": func(t things) error {
			_, err := t.file.WriteAt([]byte("frame"), 0)
			return err
		},
		"the time zone": func(things) error {
			if zone, _ := time.Now().Zone(); zone != testZone {
				return fmt.Errorf("%q, not %q", zone, testZone)
			}
			return nil
		},
		"open sockets, deadlines and the poller": poll,
		"to pin its own thread": func(things) error {
			done := make(chan error)
			go func() {
				runtime.LockOSThread() // and ends with the goroutine
				var s unix.CPUSet
				err := unix.SchedGetaffinity(0, &s)
				if err == nil {
					err = unix.SchedSetaffinity(0, &s)
				}
				done <- err
			}()
			return <-done
		},
	}
}

// poll makes the runtime's poller, which nothing did before.
func poll(t things) error {
	a, b := os.NewFile(uintptr(t.pair[0]), "a"), os.NewFile(uintptr(t.pair[1]), "b")
	defer a.Close()
	defer b.Close()
	if err := a.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return err
	}
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("read of nothing: %w", err)
	}
	if err := a.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		return err
	}
	go func() { _, _ = b.Write([]byte{1}) }()
	_, err := a.Read(make([]byte, 1))
	return err
}
