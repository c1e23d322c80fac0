package sim

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/mmio"
	_ "glassnic/bus/shm"
	facts "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

const testMemory = 64 << 20

func mustServe(t *testing.T, dir string, memory int, wires ...wire.End) *Server {
	t.Helper()
	s, err := NewServer(dir, memory, wires)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustClose(t *testing.T, c interface{ Close() error }) {
	t.Helper()
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// TestServerFiles compares with what package bus/shm says lies in the directory.
func TestServerFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made/by/us")
	s := mustServe(t, dir, testMemory, wire.NewLoop(), new(wire.None))
	for name, size := range map[string]int64{"dma": testMemory, "p0/resource0": 128 << 10, "p1/resource0": 128 << 10, "p0/config": 64, "p1/config": 64} {
		st, err := os.Stat(filepath.Join(dir, name))
		if err != nil || st.Size() != size || !st.Mode().IsRegular() {
			t.Errorf("%s: %v, %v, want %d bytes", name, st, err, size)
		}
	}
	if n := len(s.Ports()); n != 2 {
		t.Fatalf("%d ports", n)
	}
	for i, p := range s.Ports() {
		fn := mustOpen(t, "shm:"+filepath.Join(dir, []string{"p0", "p1"}[i]))
		if id := fn.ID(); id.String() != "8086:10fb" || id.Class != 0x020000 || p.Driver() {
			t.Errorf("port %d: ID %+v, driver seen %v", i, id, p.Driver())
		}
		r, err := fn.BAR(0)
		if err != nil {
			t.Fatal(err)
		}
		r.Write32(facts.RDLEN(9), 0x2000)
		if v := p.reg(facts.RDLEN(9)); v != 0x2000 {
			t.Errorf("port %d: the card reads %#x", i, v)
		}
		m, err := fn.DMA().Alloc(128, 0)
		if err != nil {
			t.Fatal(err)
		}
		m.Bytes[5] = 42
		if b, ok := s.space.At("test", m.IOVA, 128, false); !ok || b[5] != 42 {
			t.Errorf("port %d: the card does not find the memory at %#x", i, m.IOVA)
		}
		if err := p.look(); err != nil || !p.Driver() {
			t.Errorf("port %d: driver not seen: %v", i, err)
		}
		mustClose(t, fn)
		if err := p.look(); err != nil || p.Driver() || p.reg(facts.RDLEN(9)) != 0 {
			t.Errorf("port %d: driver seen %v, %v, RDLEN %#x after it has gone", i, p.Driver(), err, p.reg(facts.RDLEN(9)))
		}
	}
	if s.Ports()[0].Card.MAC() == s.Ports()[1].Card.MAC() {
		t.Error("two cards have one address")
	}
	mustClose(t, s)
	if _, err := os.Stat(filepath.Join(dir, "p1/resource0")); err != nil {
		t.Errorf("after Close: %v", err)
	}
}

// reg reads a register as a driver does.
func (p *ServedPort) reg(off uint32) uint32 {
	return mmio.MapPolled(p.regs).Read32(off)
}

func TestServerIsExclusive(t *testing.T) {
	dir := t.TempDir()
	s := mustServe(t, dir, testMemory, wire.NewLoop())
	end := &closing{}
	_, err := NewServer(dir, testMemory, []wire.End{end})
	if err == nil || !strings.HasPrefix(text(err), "serve "+dir+": ") || !strings.Contains(text(err), "another server") || end.n != 1 {
		t.Errorf("second server: %v, wire closed %d times", err, end.n)
	}
	mustClose(t, s)
	mustClose(t, mustServe(t, dir, testMemory, wire.NewLoop()))
}

func TestServerKeepsMemory(t *testing.T) {
	dir := t.TempDir()
	size := func() int64 {
		st, err := os.Stat(filepath.Join(dir, "dma"))
		if err != nil {
			t.Fatal(err)
		}
		return st.Size()
	}
	for _, c := range []struct {
		memory int
		want   int64
	}{{1, 4 << 20}, {16 << 20, 16 << 20}, {8 << 20, 16 << 20}, {32 << 20, 32 << 20}} {
		s := mustServe(t, dir, c.memory)
		if size() != c.want || int64(len(s.mem)) != c.want {
			t.Errorf("asked for %d: %d bytes, of which %d mapped, want %d", c.memory, size(), len(s.mem), c.want)
		}
		s.mem[3<<20] += 1
		mustClose(t, s)
	}
	s := mustServe(t, dir, 0)
	if size() != DefaultMemory || s.mem[3<<20] != 4 {
		t.Errorf("%d bytes, %d instead of 4 in it", size(), s.mem[3<<20])
	}
	mustClose(t, s)
}

func TestServerErrors(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  []string
	}{
		"large registers": {func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/p1", 0o700), os.WriteFile(dir+"/p1/resource0", make([]byte, 256<<10), 0o600))
		}, []string{"p1: ", "/p1/resource0 has 262144 bytes", "131072", "remove it"}},
		"registers are a directory": {func(dir string) error { return os.MkdirAll(dir+"/p1/resource0", 0o700) }, []string{"p1: ", "resource0"}},
		"port is a file":            {func(dir string) error { return os.WriteFile(dir+"/p0", nil, 0o600) }, []string{"p0"}},
		"an interrupt is a file": {func(dir string) error {
			return errors.Join(os.Mkdir(dir+"/p1", 0o700), os.WriteFile(dir+"/p1/irq3", nil, 0o600))
		}, []string{"p1: ", "/p1/irq3", "no FIFO", "remove it"}},
		"config is a directory": {func(dir string) error { return os.MkdirAll(dir+"/p0/config", 0o700) }, []string{"p0: ", "config"}},
		"dma is a directory":    {func(dir string) error { return os.Mkdir(dir+"/dma", 0o700) }, []string{"dma"}},
		"lock is a directory":   {func(dir string) error { return os.Mkdir(dir+"/lock", 0o700) }, []string{"lock"}},
	} {
		dir := t.TempDir()
		if err := c.spoil(dir); err != nil {
			t.Fatal(err)
		}
		ends := []*closing{{}, {}}
		s, err := NewServer(dir, testMemory, []wire.End{ends[0], ends[1]})
		if err == nil || s != nil {
			t.Errorf("%s: it serves", name)
			continue
		}
		for _, want := range append(c.want, "serve "+dir+": ") {
			if !strings.Contains(text(err), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
		if ends[0].n != 1 || ends[1].n != 1 {
			t.Errorf("%s: wires were closed %d and %d times", name, ends[0].n, ends[1].n)
		}
		if maps, _ := os.ReadFile("/proc/self/maps"); strings.Contains(string(maps), dir) {
			t.Errorf("%s: files stay mapped", name)
		}
	}
}

func TestServerOnFullFileSystem(t *testing.T) {
	mnt := t.TempDir()
	if err := unix.Mount("none", mnt, "tmpfs", 0, "size=128k"); err != nil {
		t.Fatalf("mounting a tmpfs of 128 KiB: %v: run as root", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) })
	if _, err := NewServer(mnt, testMemory, []wire.End{new(wire.None)}); err == nil || !strings.Contains(text(err), "p0: ") || !strings.Contains(text(err), "make room") {
		t.Errorf("%v", err)
	}
}
