package vm

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// qemu is the command that starts an emulator, with its first arguments.
type qemu struct {
	args []string
	env  []string
}

// systemQEMU is the one that is installed.
var systemQEMU = sync.OnceValues(func() (*qemu, error) {
	if _, err := output("", "qemu-system-x86_64", "--version"); err != nil {
		return nil, fmt.Errorf("apt-get install qemu-system-x86: %w", err)
	}
	return &qemu{args: []string{"qemu-system-x86_64"}}, nil
})

// newer is the suite of Debian that newQEMU comes from.
const newer = "forky"

// newQEMU fetches a QEMU that has more cards, and all that it needs, without installing them. It runs with a
// dynamic loader and libraries of its own.
var newQEMU = sync.OnceValues(func() (*qemu, error) {
	dir, err := cached("qemu-"+newer, fetchQEMU)
	if err != nil {
		return nil, err
	}
	in := func(p string) string { return filepath.Join(dir, p) }
	return &qemu{
		args: []string{
			in("usr/lib64/ld-linux-x86-64.so.2"), "--library-path", in("usr/lib/x86_64-linux-gnu") + ":" + in("usr/lib"),
			in("usr/bin/qemu-system-x86_64"), "-L", in("usr/share/qemu"), "-L", in("usr/share/seabios"), "-L", in("usr/lib/ipxe/qemu"),
		},
		env: []string{"QEMU_MODULE_DIR=" + in("usr/lib/x86_64-linux-gnu/qemu")},
	}, nil
})

// fetchQEMU has a package manager with no state but its own download QEMU and unpacks it.
func fetchQEMU(dir string) error {
	mirror, err := mirror()
	if err != nil {
		return err
	}
	apt := filepath.Join(dir, "apt")
	for _, d := range []string{"lists/partial", "cache/archives/partial", "state"} {
		if err := os.MkdirAll(filepath.Join(apt, d), 0o755); err != nil {
			return err
		}
	}
	source := fmt.Sprintf("deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s main\n", mirror, newer)
	for name, text := range map[string]string{"sources.list": source, "status": ""} {
		if err := os.WriteFile(filepath.Join(apt, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	options := []string{
		"-o", "Dir::Etc::sourcelist=" + filepath.Join(apt, "sources.list"), "-o", "Dir::Etc::sourceparts=/dev/null",
		"-o", "Dir::State=" + filepath.Join(apt, "state"), "-o", "Dir::State::status=" + filepath.Join(apt, "status"),
		"-o", "Dir::State::lists=" + filepath.Join(apt, "lists"), "-o", "Dir::Cache=" + filepath.Join(apt, "cache"),
		"-o", "APT::Install-Recommends=0", "-o", "APT::Sandbox::User=root", "-q", "-y",
	}
	if _, err := output(apt, "apt-get", append(options, "update")...); err != nil {
		return err
	}
	if _, err := output(apt, "apt-get", append(options, "install", "--download-only", "qemu-system-x86")...); err != nil {
		return err
	}
	debs, _ := filepath.Glob(filepath.Join(apt, "cache/archives/*.deb"))
	if len(debs) == 0 {
		return fmt.Errorf("apt-get downloaded nothing")
	}
	for _, d := range debs {
		if _, err := output(dir, "dpkg", "-x", d, "."); err != nil {
			return err
		}
	}
	// Later packages merge /lib64 and /usr/lib64; older ones ship the loader in the former.
	if _, err := os.Stat(filepath.Join(dir, "usr/lib64/ld-linux-x86-64.so.2")); err != nil {
		return fmt.Errorf("the packages have no dynamic loader: %w", err)
	}
	return os.RemoveAll(apt)
}

// mirror returns where the system's own packages of Debian come from.
func mirror() (string, error) {
	out, err := output("", "apt-get", "indextargets", "--format", "$(SITE) $(ORIGIN) $(LABEL)", "Created-By: Packages")
	if err != nil {
		return "", err
	}
	for _, line := range strings.Split(out, "\n") {
		if site, rest, _ := strings.Cut(line, " "); rest == "Debian Debian" {
			return site, nil
		}
	}
	return "", fmt.Errorf("apt knows no mirror of Debian: `apt-get update`")
}
