package vm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// cached returns the folder of a name in the cache, which fill fills where it is not there yet. Several
// processes may ask at once. A fill that was cut off leaves nothing.
func cached(name string, fill func(dir string) error) (string, error) {
	root := os.Getenv("GLASSNIC_VM_CACHE")
	if root == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the guests' kernel, set GLASSNIC_VM_CACHE: %w", err)
		}
		root = filepath.Join(user, "glassnic", "vm")
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return "", err
	}
	lock, err := os.Create(filepath.Join(root, "lock"))
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	dir := filepath.Join(root, name)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", err
	}
	if err := os.MkdirAll(part, 0o755); err != nil {
		return "", err
	}
	if err := fill(part); err != nil {
		return "", fmt.Errorf("fill %s: %w", dir, err)
	}
	return dir, os.Rename(part, dir)
}

// output runs a command in a folder and returns what it prints, without white space around it.
func output(dir, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
