package vm

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
)

// archive is an initramfs under way: a cpio archive in the format "newc" (Linux,
// Documentation/driver-api/early-userspace/buffer-format.rst).
type archive struct {
	bytes.Buffer
	have map[string]bool
	ino  int
}

// entry adds a file, or a folder where mode says so, and the folders that it lies in.
func (a *archive) entry(name string, mode int, data []byte) {
	if a.have[name] {
		return
	}
	if dir := path.Dir(name); dir != "." {
		a.entry(dir, 0o40755, nil)
	}
	if a.have == nil {
		a.have = map[string]bool{}
	}
	a.have[name] = true
	a.raw(name, mode, data)
}

func (a *archive) raw(name string, mode int, data []byte) {
	a.ino++
	fmt.Fprintf(a, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.ino, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.Write(data)
	a.pad()
}

func (a *archive) pad() { a.Write(make([]byte, -a.Len()&3)) }

// end closes the archive.
func (a *archive) end() { a.raw("TRAILER!!!", 0, nil) }

// copy adds a file of this machine.
func (a *archive) copy(name, from string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	a.entry(name, 0o100755, b)
	return nil
}

// libraries are the folders of this machine's shared libraries.
var libraries = []string{"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64"}

// dynamic adds a program of this machine, with the libraries that it needs.
func (a *archive) dynamic(name, file string) error {
	if a.have[name] {
		return nil
	}
	if err := a.copy(name, file); err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	needs, err := f.ImportedLibraries()
	if err != nil {
		return err
	}
	if s := f.Section(".interp"); s != nil {
		b, err := s.Data()
		if err != nil {
			return err
		}
		loader := string(bytes.TrimRight(b, "\x00"))
		if err := a.dynamic(loader[1:], loader); err != nil {
			return err
		}
	}
	for _, lib := range needs {
		i := slices.IndexFunc(libraries, func(dir string) bool {
			_, err := os.Stat(filepath.Join(dir, lib))
			return err == nil
		})
		if i < 0 {
			return fmt.Errorf("%s needs %s, which is in none of %v", file, lib, libraries)
		}
		if err := a.dynamic("lib/x86_64-linux-gnu/"+lib, filepath.Join(libraries[i], lib)); err != nil {
			return err
		}
	}
	return nil
}

// modprobe adds modules with the index by which modprobe finds them.
func (a *archive) modprobe(k *kernel, names []string) error {
	if len(names) == 0 {
		return nil
	}
	files, _, err := k.load(names...)
	if err != nil {
		return err
	}
	root, err := os.MkdirTemp("", "glassnic-modules-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(root)
	release := filepath.Base(k.tree)
	dir := filepath.Join(root, "lib/modules", release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Symlink(f, filepath.Join(dir, filepath.Base(f))); err != nil {
			return err
		}
	}
	if _, err := output(root, "depmod", "-b", root, release); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := a.copy("lib/modules/"+release+"/"+e.Name(), filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
