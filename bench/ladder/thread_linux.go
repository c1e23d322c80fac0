package ladder

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"

	"glassnic/internal/cpu"
)

// thread is a thread of its own, which ends with close and takes with it what is tied to it: its CPU, its namespaces.
type thread struct {
	jobs chan func()
	gone chan struct{}
}

// newThread starts a thread on a CPU; prepare runs on it first.
func newThread(onCPU int, prepare func() error) (*thread, error) {
	t := &thread{jobs: make(chan func()), gone: make(chan struct{})}
	started := make(chan struct{})
	go t.begin(started)
	<-started
	err := t.do(func() error {
		if err := cpu.Pin(onCPU); err != nil || prepare == nil {
			return err
		}
		return prepare()
	})
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// begin is the thread's life. The process's first thread does not end with its goroutine: it is held while another is started.
func (t *thread) begin(started chan struct{}) {
	runtime.LockOSThread()
	if unix.Gettid() == os.Getpid() {
		defer runtime.UnlockOSThread()
		go t.begin(started)
		<-started
		return
	}
	close(started)
	defer close(t.gone)
	for f := range t.jobs { // and it is never unlocked
		f()
	}
}

// do calls f on the thread and returns when it is done.
func (t *thread) do(f func() error) error {
	done := make(chan error, 1)
	t.jobs <- func() { done <- f() }
	return <-done
}

func (t *thread) close() {
	close(t.jobs)
	<-t.gone
}

// newNamespace starts a thread in a network namespace of its own. The kernel removes it with the thread, also where the
// process is killed.
func newNamespace(onCPU int) (*thread, error) { return newThread(onCPU, enterNamespace) }

// enterNamespace puts the calling thread into a network namespace of its own.
func enterNamespace() error {
	// /sys shows the interfaces of the namespace in which it was mounted, so that it is mounted again.
	err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS)
	if errors.Is(err, unix.EPERM) {
		return leftOut("make a network namespace: %w: run as root, in a container with --privileged", err)
	}
	if err != nil {
		return leftOut("make a network namespace: %w: the kernel needs CONFIG_NET_NS", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return leftOut("mount /sys: %w: run as root, in a container with --privileged", err)
	}
	for _, name := range []string{"all", "default"} { // or it would talk by itself
		err := sysctl("net/ipv6/conf/"+name+"/disable_ipv6", "1")
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// sysctl sets one of the namespace's settings, on its thread.
func sysctl(name, value string) error { return os.WriteFile("/proc/sys/"+name, []byte(value), 0o644) }
