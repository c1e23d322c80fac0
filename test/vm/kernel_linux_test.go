package vm

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"glassnic/test/vm/plan"
)

// kernel is Debian's, as its package has it.
type kernel struct {
	image   string            // an ELF file that QEMU boots by its PVH note
	tree    string            // the folder of its modules, named as its release
	modules map[string]string // module files by name, dashes as underscores
}

// debian fetches the kernel of the suite that runs here, once.
var debian = sync.OnceValues(func() (*kernel, error) {
	name, err := output("", "apt-cache", "depends", "linux-image-amd64")
	if err != nil {
		return nil, fmt.Errorf("which kernel Debian has (`apt-get update` first): %w", err)
	}
	_, name, _ = strings.Cut(name, "Depends: ")
	name, _, _ = strings.Cut(name, "\n")
	if !strings.HasPrefix(name, "linux-image-") {
		return nil, fmt.Errorf("apt-cache depends linux-image-amd64 names no kernel: `apt-get update`")
	}
	dir, err := cached(name, func(dir string) error {
		if _, err := output(dir, "apt-get", "download", name); err != nil {
			return err
		}
		debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
		if len(debs) != 1 {
			return fmt.Errorf("apt-get download %s left %d files", name, len(debs))
		}
		if _, err := output(dir, "dpkg", "-x", debs[0], "."); err != nil {
			return err
		}
		if err := os.Remove(debs[0]); err != nil {
			return err
		}
		images, _ := filepath.Glob(filepath.Join(dir, "boot/vmlinuz-*"))
		if len(images) != 1 {
			return fmt.Errorf("%s has %d kernels", name, len(images))
		}
		return unpackKernel(images[0], filepath.Join(dir, "vmlinux"))
	})
	if err != nil {
		return nil, err
	}
	k := &kernel{image: filepath.Join(dir, "vmlinux"), modules: map[string]string{}}
	trees, _ := filepath.Glob(filepath.Join(dir, "lib/modules/*"))
	if len(trees) != 1 {
		return nil, fmt.Errorf("%s has the modules of %d kernels", name, len(trees))
	}
	k.tree = trees[0]
	err = filepath.WalkDir(k.tree, func(path string, d fs.DirEntry, err error) error {
		if base, ok := strings.CutSuffix(filepath.Base(path), ".ko"); ok {
			k.modules[strings.ReplaceAll(base, "-", "_")] = path
		}
		return err
	})
	return k, err
})

// unpackKernel takes the ELF file out of a bzImage: booting that costs seconds less under emulation (Linux,
// Documentation/x86/boot.rst: setup_sects, payload_offset and payload_length).
func unpackKernel(bzImage, vmlinux string) error {
	b, err := os.ReadFile(bzImage)
	if err != nil {
		return err
	}
	if len(b) < 0x250 || string(b[0x202:0x206]) != "HdrS" {
		return fmt.Errorf("%s is no bzImage", bzImage)
	}
	le := binary.LittleEndian
	at := (int(b[0x1f1])+1)*512 + int(le.Uint32(b[0x248:]))
	end := at + int(le.Uint32(b[0x24c:])) - 4 // without the length of what is packed
	if at > end || end > len(b) {
		return fmt.Errorf("%s: payload of bytes %d to %d in %d", bzImage, at, end, len(b))
	}
	xz := exec.Command("xz", "-dc", "--single-stream")
	xz.Stdin = bytes.NewReader(b[at:end])
	out, err := os.Create(vmlinux)
	if err != nil {
		return err
	}
	xz.Stdout = out
	return errors.Join(xz.Run(), out.Close())
}

// load returns the modules of some names in the order in which they are to be loaded, each behind those that
// it needs. What is built into the kernel is left out. Parameters may follow a name.
func (k *kernel) load(names ...string) (files []string, mods []plan.Module, err error) {
	var add func(name, parameters string) error
	add = func(name, parameters string) error {
		path, ok := k.modules[strings.ReplaceAll(name, "-", "_")]
		if !ok || slices.Contains(files, path) {
			return nil
		}
		needs, err := depends(path)
		if err != nil {
			return err
		}
		for _, n := range needs {
			if err := add(n, ""); err != nil {
				return err
			}
		}
		files = append(files, path)
		mods = append(mods, plan.Module{File: filepath.Base(path), Parameters: parameters})
		return nil
	}
	for _, n := range names {
		name, parameters, _ := strings.Cut(n, " ")
		if _, ok := k.modules[strings.ReplaceAll(name, "-", "_")]; !ok {
			return nil, nil, fmt.Errorf("the kernel's package has no module %s", name)
		}
		if err := add(name, parameters); err != nil {
			return nil, nil, err
		}
	}
	return files, mods, nil
}

// depends returns the names that a module says it needs.
func depends(path string) ([]string, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := f.Section(".modinfo")
	if s == nil {
		return nil, fmt.Errorf("%s has no .modinfo", path)
	}
	b, err := s.Data()
	if err != nil {
		return nil, err
	}
	for _, line := range strings.Split(string(b), "\x00") {
		if list, ok := strings.CutPrefix(line, "depends="); ok && list != "" {
			return strings.Split(list, ","), nil
		}
	}
	return nil, nil
}
