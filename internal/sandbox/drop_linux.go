//go:build amd64 || arm64

package sandbox

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/landlock-lsm/go-landlock/landlock"
	ll "github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/cap"
)

// step is one of those that drop takes.
type step struct {
	name string
	do   func(*Report) error
}

// steps in their order: each needs what the next takes away.
var steps = []step{
	{"bounding set", emptyBounds},
	{"user", become},
	{"capabilities", noCapabilities},
	{"no new privileges", noNewPrivileges},
	{"Landlock", noFiles},
	{"seccomp", fewCalls},
}

func drop(opt Options) (Report, error) {
	// The C library starts threads by calls that the table does not have, and aborts where it must not.
	if withC {
		return Report{}, errWithC
	}
	r, err := whom(opt.User)
	if err != nil {
		return r, fmt.Errorf("sandbox: %w", err)
	}
	return r, take(&r, steps)
}

var errWithC = errors.New("sandbox: this program was built with cgo, whose threads need more system calls: build with CGO_ENABLED=0, as `make build` does, or start it with --no-drop")

func take(r *Report, list []step) error {
	// The standard library opens the time zone's file when it is first asked for a local time.
	_, _ = time.Now().Zone()
	for _, s := range list {
		if err := s.do(r); err != nil {
			return fmt.Errorf("sandbox: %s: %w", s.name, err)
		}
	}
	return nil
}

// emptyBounds empties the set of capabilities that programs may gain when they are executed. Without CAP_SETPCAP it
// stays, which does no harm: nothing is gained any more under no_new_privs.
func emptyBounds(*Report) error {
	if may, err := cap.GetProc().GetFlag(cap.Effective, cap.SETPCAP); err != nil || !may {
		return err
	}
	for c := range cap.MaxBits() {
		if err := cap.DropBound(c); err != nil {
			return fmt.Errorf("%v: %w", c, err)
		}
	}
	return nil
}

// become changes real, effective and saved user and group, and leaves all other groups.
func become(r *Report) error {
	if os.Geteuid() != 0 {
		return nil
	}
	// These keep the permitted capabilities, which the next step takes.
	if err := cap.SetGroups(r.GID); err != nil {
		return fmt.Errorf("group %d: %w: root lacks CAP_SETGID, as in some containers", r.GID, err)
	}
	if err := cap.SetUID(r.UID); err != nil {
		return fmt.Errorf("user %d: %w: root lacks CAP_SETUID, as in some containers", r.UID, err)
	}
	return nil
}

// noCapabilities empties the effective, permitted and inheritable sets. The ambient set goes with them
// (capabilities(7), thread capability sets).
func noCapabilities(*Report) error { return cap.NewSet().SetProc() }

func noNewPrivileges(*Report) error {
	_, err := cap.Prctlw(unix.PR_SET_NO_NEW_PRIVS, 1)
	return err
}

// noFiles has the kernel refuse to open, make or remove any file, and to bind or connect TCP sockets, as far as its
// Landlock knows of that. A kernel without Landlock is no error. Signals are not restricted: until version 7 of the
// ABI that could keep the threads of this process from each other.
func noFiles(r *Report) error {
	v, err := ll.LandlockGetABIVersion()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Landlock = v
	return landlock.V5.BestEffort().Restrict()
}

// fewCalls installs the filter of system calls.
func fewCalls(*Report) error {
	prog, err := program(calls(os.Getpid()))
	if err != nil {
		return err
	}
	err = install(prog)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return fmt.Errorf("%w: the kernel has no filters (CONFIG_SECCOMP_FILTER)", err)
	}
	return err
}
