package shm

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
)

// childEnv holds the address that this binary, run again by a test, opens.
const childEnv = "GLASSNIC_SHM_TEST_CHILD"

func TestMain(m *testing.M) {
	if addr := os.Getenv(childEnv); addr != "" {
		child(addr)
	}
	os.Exit(m.Run())
}

// child takes all DMA memory there is, says what happened and waits to be killed.
func child(addr string) {
	fn, err := bus.Open(context.Background(), addr, bus.Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	n := 0
	for {
		m, err := fn.DMA().Alloc(pageSize, 0)
		if err != nil {
			break
		}
		m.Bytes[0] = 0xcc
		n++
	}
	fmt.Println("holds", n)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// serve lays a directory out as a model does, with DMA memory of so many 2 MiB pages.
func serve(t *testing.T, ports, pages int) string {
	t.Helper()
	dir := t.TempDir()
	file := func(path string, size int64) {
		f, err := os.Create(path)
		if err == nil {
			err = f.Truncate(size)
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	for i := range ports {
		port := filepath.Join(dir, fmt.Sprintf("p%d", i))
		if err := os.Mkdir(port, 0o700); err != nil {
			t.Fatal(err)
		}
		file(filepath.Join(port, "resource0"), 128<<10)
	}
	file(filepath.Join(dir, "dma"), int64(pages+1)*pageSize)
	return dir
}

func mustOpen(t *testing.T, dir, port string) bus.Function {
	t.Helper()
	fn, err := bus.Open(context.Background(), "shm:"+filepath.Join(dir, port), bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fn.Close() })
	return fn
}

func mustAlloc(t *testing.T, fn bus.Function, size int) dma.Memory {
	t.Helper()
	m, err := fn.DMA().Alloc(size, 0)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRegistersAndMemory(t *testing.T) {
	dir := serve(t, 1, 2)
	fn := mustOpen(t, dir, "p0")
	if want := "shm:" + dir + "/p0"; fn.Address() != want || fn.NUMANode() != -1 || fn.Config() != nil {
		t.Errorf("%q on node %d, config %v", fn.Address(), fn.NUMANode(), fn.Config())
	}
	if fn.ID().String() != "8086:10fb" {
		t.Errorf("ID %v", fn.ID())
	}
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != 128<<10 || r.SeesReads() {
		t.Errorf("BAR of %d bytes, sees reads %v", r.Size(), r.SeesReads())
	}
	if _, err := fn.BAR(1); err == nil {
		t.Error("there is a BAR 1")
	}
	r.Write32(0x2810, 0x12345678)
	m := mustAlloc(t, fn, 300)
	copy(m.Bytes, "to the card")
	if m.IOVA < pageSize {
		t.Errorf("memory at %#x", m.IOVA)
	}
	if err := fn.Reset(); err != nil {
		t.Error(err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if err := fn.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := fn.BAR(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("BAR of a closed port: %v", err)
	}
	if _, err := fn.DMA().Alloc(128, 0); err == nil {
		t.Error("a closed port gives memory")
	}
	regs, _ := os.ReadFile(filepath.Join(dir, "p0/resource0"))
	if v := binary.LittleEndian.Uint32(regs[0x2810:]); v != 0x12345678 {
		t.Errorf("the model reads %#x", v)
	}
	mem, _ := os.ReadFile(filepath.Join(dir, "dma"))
	if !strings.HasPrefix(string(mem[m.IOVA:]), "to the card") {
		t.Error("the IOVA is not the offset in the file")
	}
}

func TestMemoryComesZeroed(t *testing.T) {
	dir := serve(t, 1, 1)
	fn := mustOpen(t, dir, "p0")
	m := mustAlloc(t, fn, pageSize)
	m.Bytes[100] = 1
	fn.DMA().Free(m)
	if m = mustAlloc(t, fn, pageSize); m.Bytes[100] != 0 {
		t.Error("memory keeps what its last owner wrote")
	}
}

func TestConfigGivesID(t *testing.T) {
	dir := serve(t, 1, 1)
	path := filepath.Join(dir, "p0/config")
	c := make([]byte, 64)
	copy(c, []byte{0x86, 0x80, 0x28, 0x15})
	copy(c[8:], []byte{0x01, 0x00, 0x00, 0x02})
	copy(c[0x2c:], []byte{0x34, 0x12, 0x78, 0x56})
	if err := os.WriteFile(path, c, 0o600); err != nil {
		t.Fatal(err)
	}
	fn := mustOpen(t, dir, "p0")
	want := bus.ID{Vendor: 0x8086, Device: 0x1528, Subvendor: 0x1234, Subdevice: 0x5678, Revision: 1, Class: 0x020000}
	if fn.ID() != want {
		t.Errorf("%+v", fn.ID())
	}
	fn.Close()
	if err := os.WriteFile(path, c[:63], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.Open(context.Background(), "shm:"+dir+"/p0", bus.Options{}); err == nil || !strings.Contains(err.Error(), "63 bytes") {
		t.Errorf("short config: %v", err)
	}
}

func TestPortsShareMemory(t *testing.T) {
	dir := serve(t, 2, 2)
	link := filepath.Join(t.TempDir(), "again")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	a, b := mustOpen(t, dir, "p0"), mustOpen(t, link, "p1")
	if a.DMA().Domain() != b.DMA().Domain() {
		t.Fatal("ports of one directory have different domains")
	}
	m, n := mustAlloc(t, a, 4096), mustAlloc(t, b, 4096)
	if m.IOVA>>21 != n.IOVA>>21 {
		t.Error("ports of one process do not share pages")
	}
	a.Close()
	n.Bytes[0] = 1
	m.Bytes[0] = 1 // still in b's ring, say
	b.Close()
	c := mustOpen(t, serve(t, 1, 1), "p0")
	d := mustOpen(t, dir, "p0")
	if c.DMA().Domain() == d.DMA().Domain() {
		t.Error("two directories share a domain")
	}
	mustAlloc(t, d, pageSize)
	mustAlloc(t, d, pageSize) // all is free again
}

func TestExclusive(t *testing.T) {
	dir := serve(t, 1, 1)
	fn := mustOpen(t, dir, "p0")
	addr := fn.Address()
	_, err := bus.Open(context.Background(), addr, bus.Options{})
	if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), addr) {
		t.Errorf("second open: %v", err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	if _, err := bus.Open(ctx, addr, bus.Options{}); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("cancelled open: %v", err)
	}
	fn.Close()
	mustOpen(t, dir, "p0")
}

// TestWaitsForPassingLock plays a model that takes the lock for an instant to see if anybody has it.
func TestWaitsForPassingLock(t *testing.T) {
	dir := serve(t, 1, 1)
	f, err := os.Open(filepath.Join(dir, "p0/resource0"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	ctx := &refused{context.Background(), func() { f.Close() }}
	fn, err := bus.Open(ctx, "shm:"+dir+"/p0", bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	fn.Close()
	if ctx.then != nil {
		t.Error("the lock was not tried while the model had it")
	}
}

// refused is a context that calls then once Open waits, which it does after a refused attempt.
type refused struct {
	context.Context
	then func()
}

func (r *refused) Done() <-chan struct{} {
	if r.then != nil {
		r.then()
		r.then = nil
	}
	return nil
}

func TestLockLastsUntilMemoryIsFree(t *testing.T) {
	dir := serve(t, 1, 1)
	fn := mustOpen(t, dir, "p0").(*function)
	mustAlloc(t, fn, 128)
	probe, err := os.OpenFile(filepath.Join(dir, "p0/resource0"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	free := func() bool { return unix.Flock(int(probe.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil }
	regs := fmt.Sprintf("%p-", fn.regs)[2:]
	spacesMu.Lock() // Close gets as far as the memory
	closed := make(chan error)
	go func() { closed <- fn.Close() }()
	for mapped := true; mapped; {
		maps, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		mapped = strings.Contains(string(maps), regs)
	}
	if free() {
		t.Error("the port is free before its memory is")
	}
	spacesMu.Unlock()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if !free() {
		t.Error("the port is locked after Close")
	}
}

func TestErrorsNameTheCure(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"no port":         func(dir string) error { return os.RemoveAll(dir + "/p0") },
		"no registers":    func(dir string) error { return os.Remove(dir + "/p0/resource0") },
		"short registers": func(dir string) error { return os.Truncate(dir+"/p0/resource0", 100) },
		"no dma":          func(dir string) error { return os.Remove(dir + "/dma") },
		"small dma":       func(dir string) error { return os.Truncate(dir+"/dma", 2*pageSize-1) },
		"dma is a directory": func(dir string) error {
			return errors.Join(os.Remove(dir+"/dma"), os.Mkdir(dir+"/dma", 0o700))
		},
		"dma is a device": func(dir string) error {
			return errors.Join(os.Remove(dir+"/dma"), os.Symlink("/dev/null", dir+"/dma"))
		},
	} {
		dir := serve(t, 1, 1)
		if err := spoil(dir); err != nil {
			t.Fatal(err)
		}
		_, err := bus.Open(context.Background(), "shm:"+dir+"/p0", bus.Options{})
		if err == nil {
			t.Errorf("%s: it opened", name)
			continue
		}
		for _, want := range []string{"shm:" + dir + "/p0", "glassnic sim serve " + dir} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
		spacesMu.Lock()
		if len(spaces) != 0 {
			t.Errorf("%s: %d memory files stay mapped", name, len(spaces))
		}
		spacesMu.Unlock()
	}
	for _, rest := range []string{"", ".", "/"} {
		if _, err := bus.Open(context.Background(), "shm:"+rest, bus.Options{}); err == nil {
			t.Errorf("shm:%s opened", rest)
		}
	}
}

func TestFullFileSystem(t *testing.T) {
	mnt := t.TempDir()
	if err := unix.Mount("none", mnt, "tmpfs", 0, "size=3M"); err != nil {
		t.Fatalf("mounting a tmpfs of 3 MiB: %v: run as root", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) })
	dir := serve(t, 1, 4)
	if err := os.Remove(dir + "/dma"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(mnt+"/dma", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Truncate(mnt+"/dma", 5*pageSize), os.Symlink(mnt+"/dma", dir+"/dma")); err != nil {
		t.Fatal(err)
	}
	fn := mustOpen(t, dir, "p0")
	mustAlloc(t, fn, pageSize)
	if _, err := fn.DMA().Alloc(128, 0); !errors.Is(err, dma.ErrNoMemory) || !strings.Contains(err.Error(), "make room") {
		t.Errorf("file system full: %v", err)
	}
}

func TestKilledProcessFreesItsPages(t *testing.T) {
	dir := serve(t, 2, 3)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"=shm:"+dir+"/p0")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(out).ReadString('\n')
	if line != "holds 3\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("child said %q", line)
	}
	fn := mustOpen(t, dir, "p1")
	if _, err := fn.DMA().Alloc(128, 0); !errors.Is(err, dma.ErrNoMemory) {
		t.Errorf("pages of a living process were given away: %v", err)
	}
	if _, err := bus.Open(context.Background(), "shm:"+dir+"/p0", bus.Options{}); !errors.Is(err, bus.ErrInUse) {
		t.Errorf("port of a living process: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	for range 3 {
		if m := mustAlloc(t, fn, pageSize); m.Bytes[0] != 0 {
			t.Error("memory of the dead is not zeroed")
		}
	}
	mustOpen(t, dir, "p0")
}

func TestReleaseRefusesStrangers(t *testing.T) {
	fn := mustOpen(t, serve(t, 1, 2), "p0").(*function)
	m := mustAlloc(t, fn, 128)
	for _, iova := range []uint64{0, m.IOVA + 1, m.IOVA + pageSize, 1 << 60} {
		if err := fn.space.Release(dma.Memory{IOVA: iova}); err == nil {
			t.Errorf("page %#x was released", iova)
		}
	}
}
