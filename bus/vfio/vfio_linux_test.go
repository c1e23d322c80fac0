package vfio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
)

func TestScheme(t *testing.T) {
	_, err := bus.Open(context.Background(), "vfio:ffff:ff:1f.7", bus.Options{})
	if err == nil || !strings.Contains(err.Error(), "ffff:ff:1f.7") || !strings.Contains(err.Error(), "find device") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bus.Open(ctx, "vfio:03:00.0", bus.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestOpenNode opens devices of a made-up sysfs whose group cannot be opened.
func TestOpenNode(t *testing.T) {
	root := t.TempDir()
	const addr = "0000:03:00.0"
	for name, text := range map[string]string{
		"vendor": "0x8086", "device": "0x10fb", "subsystem_vendor": "0x8086", "subsystem_device": "0x3", "revision": "0x1", "class": "0x020000",
	} {
		write(t, filepath.Join(root, "bus/pci/devices", addr, name), text)
	}
	dir := filepath.Join(root, "bus/pci/devices", addr)
	write(t, filepath.Join(root, "bus/pci/drivers/vfio-pci/bind"), "")
	write(t, filepath.Join(root, "kernel/iommu_groups/12/type"), "DMA-FQ")
	link(t, filepath.Join(root, "bus/pci/drivers/vfio-pci"), filepath.Join(dir, "driver"))
	link(t, filepath.Join(root, "kernel/iommu_groups/12"), filepath.Join(dir, "iommu_group"))
	link(t, dir, filepath.Join(root, "kernel/iommu_groups/12/devices", addr))
	sys := pci.Sysfs{Root: root, IDs: []string{}, VFIO: filepath.Join(root, "vfio")}
	_, err := openIn(t.Context(), sys, "03:00.0", bus.Options{})
	if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "vfio "+addr+": open: open "+filepath.Join(root, "vfio/12")) {
		t.Errorf("no node: %v", err)
	}
	// A file that is no group.
	write(t, filepath.Join(root, "vfio/12"), "")
	if _, err := openIn(t.Context(), sys, addr, bus.Options{}); !errors.Is(err, unix.ENOTTY) || !strings.Contains(err.Error(), "status of IOMMU group 12") {
		t.Errorf("a file: %v", err)
	}
	if _, err := openIn(t.Context(), sys, addr, bus.Options{HugePageSize: 4096}); err == nil || !strings.Contains(err.Error(), "huge page size") {
		t.Errorf("pages of 4 KiB: %v", err)
	}
	if len(taken.groups) != 0 || len(taken.containers) != 0 {
		t.Errorf("%d groups and %d containers stay", len(taken.groups), len(taken.containers))
	}
	fds, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range fds {
		if target, _ := os.Readlink(fd); strings.HasPrefix(target, root) {
			t.Errorf("%s stays open", target)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, target, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

func TestExplainMap(t *testing.T) {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &was); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &was) })
	low := unix.Rlimit{Cur: min(was.Max, 64<<10), Max: was.Max}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &low); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		err   error
		noMem bool
		want  []string
	}{
		{unix.ENOMEM, true, []string{fmt.Sprintf("may lock %d KiB", low.Cur>>10), "--memlock=unlimited", "/etc/security/limits.d/", "LimitMEMLOCK=infinity"}},
		{unix.ENOSPC, true, []string{"dma_entry_limit"}},
		{unix.EEXIST, false, nil},
	} {
		err := explainMap(c.err)
		if !errors.Is(err, c.err) || errors.Is(err, dma.ErrNoMemory) != c.noMem {
			t.Errorf("%v: %v", c.err, err)
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q lacks %q", err, w)
			}
		}
	}
	raiseMemlock()
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &now); err != nil || now.Cur != was.Max {
		t.Errorf("limit of %d, and %d at most: %v", now.Cur, was.Max, err)
	}
}

// TestMapParts maps a file as if it were a device whose second page of four cannot be mapped.
func TestMapParts(t *testing.T) {
	page := os.Getpagesize()
	f, err := os.Create(filepath.Join(t.TempDir(), "device"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(int64(6 * page)); err != nil {
		t.Fatal(err)
	}
	size := 4*page - 64
	parts := []span{{0, uint64(page - 1)}, {uint64(2 * page), uint64(size - 1)}}
	b, err := mapParts(int(f.Fd()), int64(page), size, parts)
	if err != nil {
		t.Fatal(err)
	}
	r := mmio.Map(b)
	for i, off := range []int{0, page, 2*page - 4, 2 * page, size - 4} {
		hole := i == 1 || i == 2
		if v := r.Read32(uint32(off)); (v == 1<<32-1) != hole {
			t.Errorf("at %#x: read %#x", off, v)
		}
		r.Write32(uint32(off), 0x01020304)
		var got [4]byte
		if _, err := f.ReadAt(got[:], int64(page+off)); err != nil || (native.Uint32(got[:]) == 0x01020304) == hole {
			t.Errorf("at %#x: the file holds %x, %v", off, got, err)
		}
	}
	if err := unmap(b); err != nil {
		t.Error(err)
	}
	maps, _ := os.ReadFile("/proc/self/maps")
	if bytes.Contains(maps, []byte(f.Name())) {
		t.Error("stays mapped")
	}
	if _, err := mapParts(-1, 0, size, parts); !errors.Is(err, unix.EBADF) {
		t.Errorf("no file: %v", err)
	}
}

func TestEvent(t *testing.T) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	unmasked := 0
	e := &event{fd: fd, unmask: func() error { unmasked++; return nil }}
	ready := func() bool {
		p := []unix.PollFd{{Fd: int32(e.FD()), Events: unix.POLLIN}}
		n, err := unix.Poll(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
	if ready() {
		t.Error("ready before it fired")
	}
	for range 2 { // twice before Clear, and nothing at all
		if _, err := unix.Write(fd, native.AppendUint64(nil, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if !ready() {
		t.Error("not ready")
	}
	for i := range 2 {
		if err := e.Clear(); err != nil || ready() || unmasked != i+1 {
			t.Errorf("clear %d: %v, ready %v, %d unmasked", i, err, ready(), unmasked)
		}
	}
	if err := e.close(); err != nil {
		t.Error(err)
	}
	if err := e.Clear(); !errors.Is(err, os.ErrClosed) || e.FD() != -1 {
		t.Errorf("after close: %v, descriptor %d", err, e.FD())
	}
}
