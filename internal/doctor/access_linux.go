package doctor

import (
	"os"

	"golang.org/x/sys/unix"
)

// access tells whether this process may read and write a file. Opening a group's file would take the group.
func access(path string) error {
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK, unix.AT_EACCESS); err != nil {
		return &os.PathError{Op: "access", Path: path, Err: err}
	}
	return nil
}
