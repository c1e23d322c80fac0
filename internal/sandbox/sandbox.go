// Package sandbox takes from a running process what it does not need once its devices, memory and files are
// open: the root user, capabilities, the way to get any (no_new_privs), files and the network (Landlock), and
// all system calls but those of a data path (seccomp). All of it is for good and for all threads.
//
// Facts are those of Linux's man-pages: credentials(7), capabilities(7), PR_SET_NO_NEW_PRIVS(2const), landlock(7),
// seccomp(2).
package sandbox

import "fmt"

// Nobody is the user that root becomes where Options name none.
const Nobody = "nobody"

// Options say how to drop.
type Options struct {
	// User is whom a process that is root becomes, by name or number: Nobody for "". Where the process is not
	// root, it is that process's own user or "".
	User string
}

// Report is what is in force after Drop.
type Report struct {
	User     string // name, or number where it has no name
	UID, GID int
	Landlock int // version of Landlock's ABI; 0 where the kernel has none: then seccomp alone keeps files shut
}

// String returns the report in a line.
func (r Report) String() string {
	s := fmt.Sprintf("user %s (%d), no capabilities, no new privileges, seccomp", r.User, r.UID)
	if r.Landlock == 0 {
		return s + "; this kernel has no Landlock"
	}
	return fmt.Sprintf("%s, Landlock %d", s, r.Landlock)
}

// Drop leaves the process without privileges. It is called when all is open, and cannot be undone; files that are
// open stay usable. What the program still does afterwards is in the table of system calls, calls_linux.go; all
// others fail with EPERM, such as open(2), socket(2) and execve(2). It may be called concurrently with anything
// that the table has.
//
// After an error the process may have lost a part of its privileges: the caller closes what it has and ends.
func Drop(opt Options) (Report, error) { return drop(opt) }
