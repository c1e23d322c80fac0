package dma

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// fakeHuge is a Huge over ordinary memory with a page map of its own, to which the pages are entered
// by set.
func fakeHuge(t *testing.T) (h *Huge, set func(entry uint64)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pagemap")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := NewHuge(HugeOptions{NUMANode: -1, Pagemap: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	mem, err := unix.Mmap(-1, 0, 2<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(mem) })
	h.mmap = func() ([]byte, error) { return mem, nil }
	h.munmap = func([]byte) error { return nil }
	return h, func(entry uint64) {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		off := int64(address(mem)/uintptr(os.Getpagesize())) * 8
		if _, err := f.WriteAt(binary.NativeEndian.AppendUint64(nil, entry), off); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPhysicalAddress(t *testing.T) {
	h, set := fakeHuge(t)
	frame := uint64(0x1234<<21) / uint64(os.Getpagesize())
	set(1<<63 | 1<<61 | 1<<55 | frame) // present, file page, soft-dirty
	m, err := h.Page()
	if err != nil {
		t.Fatal(err)
	}
	if m.IOVA != 0x1234<<21 || len(m.Bytes) != 2<<20 {
		t.Errorf("page of %d bytes at %#x", len(m.Bytes), m.IOVA)
	}
	// Once per page: allocations follow without another look.
	set(0)
	a := NewArena(h)
	a.pages = []*page{{mem: m, free: []span{{0, len(m.Bytes)}}}}
	if x, err := a.Alloc(4096, 0); err != nil || x.IOVA != m.IOVA {
		t.Errorf("%#x, %v", x.IOVA, err)
	}
}

func TestPhysicalAddressRefused(t *testing.T) {
	for name, c := range map[string]struct {
		entry uint64
		want  string
	}{
		"hidden":     {1 << 63, "CAP_SYS_ADMIN"},
		"absent":     {512, "not in memory"},
		"misaligned": {1<<63 | 513, "no huge page"},
	} {
		h, set := fakeHuge(t)
		unmapped := false
		h.munmap = func([]byte) error { unmapped = true; return nil }
		set(c.entry)
		_, err := h.Page()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if !unmapped {
			t.Errorf("%s: the page stays mapped", name)
		}
	}
}

func TestPagemapTooShort(t *testing.T) {
	h, _ := fakeHuge(t)
	if _, err := h.Page(); err == nil || !strings.Contains(err.Error(), "physical address") {
		t.Errorf("empty page map: %v", err)
	}
	if _, err := NewHuge(HugeOptions{Pagemap: "/nonexistent"}); err == nil || !strings.Contains(err.Error(), "root") {
		t.Errorf("no page map: %v", err)
	}
	if _, err := NewHuge(HugeOptions{PageSize: 4096}); err == nil {
		t.Error("4 KiB passed for a huge page")
	}
}

func TestNoHugePages(t *testing.T) {
	err := noHugePages(2<<20, -1, unix.ENOMEM)
	if !errors.Is(err, ErrNoHugePages) || !errors.Is(err, unix.ENOMEM) {
		t.Errorf("%v wraps neither", err)
	}
	if s := err.Error(); !strings.Contains(s, "> /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages") || strings.Contains(s, "/node") {
		t.Error(s)
	}
	s := noHugePages(1<<30, 1, unix.ENOMEM).Error()
	for _, want := range []string{
		"echo 1 > /sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages",
		"> /sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "hugepagesz=1G",
	} {
		if want == "echo 1 > /sys/devices/system/node/node1/hugepages/hugepages-1048576kB/nr_hugepages" {
			if _, err := os.Stat("/sys/devices/system/node/node1"); err == nil {
				want = want[len("echo 1"):] // this machine's number is in front
			}
		}
		if !strings.Contains(s, want) {
			t.Errorf("%q lacks %q", s, want)
		}
	}
}

// TestRealHugePage takes a page from this machine's pool, which may have none.
func TestRealHugePage(t *testing.T) {
	h, err := NewHuge(HugeOptions{NUMANode: 0})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	m, err := h.Page()
	if err != nil {
		hidden := os.Geteuid() != 0 && strings.Contains(err.Error(), "CAP_SYS_ADMIN")
		if !errors.Is(err, ErrNoHugePages) && !hidden {
			t.Fatal(err)
		}
		return
	}
	if m.IOVA == 0 || m.IOVA%(2<<20) != 0 || len(m.Bytes) != 2<<20 {
		t.Errorf("page of %d bytes at %#x", len(m.Bytes), m.IOVA)
	}
	m.Bytes[2<<20-1] = 1
	if err := h.Release(m); err != nil {
		t.Error(err)
	}
}

func TestDomainIsPhysical(t *testing.T) {
	a, _ := fakeHuge(t)
	b, _ := fakeHuge(t)
	if a.Domain() != b.Domain() {
		t.Error("physical addresses of two sources are different address spaces")
	}
}

func TestMapFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1, 5000, 2 << 20, 5<<20 + 3} {
		if err := f.Truncate(int64(size)); err != nil {
			t.Fatal(err)
		}
		b, err := MapFile(f, size)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) != size || address(b)%hugeSize != 0 {
			t.Errorf("%d bytes at %#x", len(b), address(b))
		}
		b[size-1] = 0x77
		var got [1]byte
		if _, err := f.ReadAt(got[:], int64(size-1)); err != nil || got[0] != 0x77 {
			t.Errorf("the file holds %v, %v", got, err)
		}
		end := (address(b) + uintptr(size) + pageSize - 1) &^ (pageSize - 1)
		if m := maps(t); !strings.Contains(m, fmt.Sprintf("\n%x-%x rw-s", address(b), end)) ||
			strings.Contains(m, fmt.Sprintf("-%x ---p", address(b))) || strings.Contains(m, fmt.Sprintf("\n%x-", end)) {
			t.Errorf("%d bytes at %#x leave room mapped around them:%s", size, address(b), m)
		}
		if err := Unmap(b); err != nil {
			t.Error(err)
		}
		if strings.Contains(maps(t), fmt.Sprintf("\n%x-%x rw-s", address(b), end)) {
			t.Errorf("%d bytes stay mapped", size)
		}
	}
	for _, size := range []int{0, -1} {
		if _, err := MapFile(f, size); err == nil {
			t.Errorf("%d bytes were mapped", size)
		}
	}
	if err := Unmap(nil); err != nil {
		t.Error(err)
	}
}

func maps(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + string(b)
}

func TestPopulateFullFileSystem(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("none", dir, "tmpfs", 0, "size=4M"); err != nil {
		t.Fatalf("mounting a tmpfs of 4 MiB: %v: run as root", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	f, err := os.Create(filepath.Join(dir, "dma"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(16 << 20); err != nil {
		t.Fatal(err)
	}
	b, err := MapFile(f, 16<<20)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = Unmap(b) }()
	if err := Populate(b[2<<20 : 4<<20]); err != nil {
		t.Errorf("first page: %v", err)
	}
	if err := Populate(b[4<<20:]); !errors.Is(err, ErrNoMemory) {
		t.Errorf("more than the file system holds: %v", err)
	}
}

func TestReleaseGivesMemoryBack(t *testing.T) {
	s, err := NewShared(SharedOptions{Size: 8 << 20, SmallPages: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	m, err := s.Page()
	if err != nil {
		t.Fatal(err)
	}
	m.Bytes[5] = 1
	if err := s.Release(m); err != nil {
		t.Fatal(err)
	}
	if s.Bytes()[m.IOVA+5] != 0 {
		t.Error("released memory keeps its contents")
	}
}

// TestMapHuge takes a page from this machine's pool, which may have none.
func TestMapHuge(t *testing.T) {
	b, err := MapHuge(0, 0)
	if err != nil {
		if !errors.Is(err, ErrNoHugePages) || !strings.Contains(err.Error(), "nr_hugepages") {
			t.Fatal(err)
		}
	} else {
		if len(b) != 2<<20 || b[2<<20-1] != 0 {
			t.Errorf("page of %d bytes", len(b))
		}
		if err := Unmap(b); err != nil {
			t.Error(err)
		}
	}
	if _, err := MapHuge(4096, -1); err == nil {
		t.Error("4 KiB passed for a huge page")
	}
}

func TestMapPlain(t *testing.T) {
	b, err := MapPlain(2<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) != 2<<20 || address(b)%hugeSize != 0 {
		t.Errorf("%d bytes at %#x", len(b), address(b))
	}
	if v := smaps(t, address(b), "Rss:"); v != "2048 kB" {
		t.Errorf("%s of it are in memory", v)
	}
	if v := smaps(t, address(b), "VmFlags:"); !strings.Contains(" "+v+" ", " dc ") { // do not copy on fork
		t.Errorf("children get it: %s", v)
	}
	b[0], b[len(b)-1] = 1, 1
	if err := Unmap(b); err != nil {
		t.Error(err)
	}
	if _, err := MapPlain(1<<60, -1); !errors.Is(err, ErrNoMemory) {
		t.Errorf("more than there is: %v", err)
	}
}

// smaps returns a field of the mapping at an address (proc_pid_smaps(5)).
func smaps(t *testing.T, addr uintptr, field string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut("\n"+string(b), fmt.Sprintf("\n%x-", addr))
	_, value, _ := strings.Cut(after, "\n"+field)
	line, _, _ := strings.Cut(value, "\n")
	return strings.TrimSpace(line)
}
