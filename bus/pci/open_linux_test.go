package pci

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"glassnic/bus"
	"glassnic/bus/dma"
)

func mustOpen(t *testing.T, s Sysfs) *function {
	t.Helper()
	fn, err := s.Open(context.Background(), "03:00.0", bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fn.Close() })
	return fn.(*function)
}

func TestOpenAndClose(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	s, log := tr.recorded(tr.sys())
	fn := mustOpen(t, s)
	if fn.Address() != card || fn.ID().String() != "8086:10fb" || fn.NUMANode() != 1 {
		t.Errorf("%s %v on node %d", fn.Address(), fn.ID(), fn.NUMANode())
	}
	if c := tr.command(card); c != CmdMemory|CmdNoINTx {
		t.Errorf("Command is %#x", c)
	}
	if len(*log) != 0 {
		t.Errorf("opening a quiet device wrote %q", *log)
	}
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	if r.Size() != 128<<10 || !r.SeesReads() {
		t.Errorf("BAR of %d bytes, sees reads %v", r.Size(), r.SeesReads())
	}
	r.Write32(0x200, 0x11223344)
	if v := binary.LittleEndian.Uint32([]byte(tr.read(dev(card) + "/resource0"))[0x200:]); v != 0x11223344 {
		t.Errorf("resource0 holds %#x", v)
	}
	again, err := fn.BAR(0)
	if err != nil || again != r {
		t.Errorf("mapped twice: %v", err)
	}
	for _, n := range []int{-1, 1, 6} {
		if _, err := fn.BAR(n); err == nil || !strings.Contains(err.Error(), card) {
			t.Errorf("BAR %d: %v", n, err)
		}
	}
	// BAR 4 is 128 bytes that start within a page.
	small, err := fn.BAR(4)
	if err != nil || small.Size() != 128 {
		t.Fatalf("BAR 4 of %d bytes, %v", small.Size(), err)
	}
	small.Write32(0, 7)
	if raw := tr.read(dev(card) + "/resource4"); raw[0] != 0 || raw[0x80] != 7 {
		t.Error("BAR 4 does not start where the resource does")
	}
	if err := fn.Reset(); err != nil || !reflect.DeepEqual(*log, []string{dev(card) + "/reset=1"}) {
		t.Errorf("reset wrote %q, %v", *log, err)
	}
	if v, err := fn.Config().Read16(CfgVendor); err != nil || v != 0x8086 {
		t.Errorf("configuration space: %#x, %v", v, err)
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if c := tr.command(card); c&CmdMaster != 0 {
		t.Errorf("after Close, Command is %#x", c)
	}
	if err := fn.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := fn.BAR(0); !errors.Is(err, os.ErrClosed) {
		t.Errorf("BAR of a closed device: %v", err)
	}
	if maps, _ := os.ReadFile("/proc/self/maps"); bytes.Contains(maps, []byte(tr.root)) {
		t.Error("registers stay mapped")
	}
}

func TestOpenRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		spoil func(tr tree)
		inUse bool
		want  string
	}{
		"kernel driver": {func(tr tree) { tr.bound(card, "ixgbe") }, true, "glassnic dev unbind " + card},
		"IOMMU": {func(tr tree) {
			tr.file("kernel/iommu_groups/3/type", "DMA-FQ\n")
			tr.link(dev(card)+"/iommu_group", "kernel/iommu_groups/3")
		}, false, "glassnic dev bind " + card + " --driver vfio-pci"},
		"missing":   {func(tr tree) { tr.remove(dev(card)) }, false, "dev list"},
		"no config": {func(tr tree) { tr.remove(dev(card) + "/config") }, false, "open configuration space"},
		"gone": {func(tr tree) {
			tr.file(dev(card)+"/config", strings.Repeat("\xff", 64))
		}, false, "does not answer"},
		"no page map": {func(tr tree) { tr.remove("pagemap") }, false, "run as root"},
	} {
		tr := newTree(t)
		tr.addCard(card)
		c.spoil(tr)
		before := tr.snapshot()
		_, err := tr.sys().Open(context.Background(), card, bus.Options{})
		if err == nil || errors.Is(err, bus.ErrInUse) != c.inUse || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), card) {
			t.Errorf("%s: %v", what, err)
		}
		if !reflect.DeepEqual(before, tr.snapshot()) {
			t.Errorf("%s: the device was touched", what)
		}
	}
	tr := newTree(t)
	tr.addCard(card)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tr.sys().Open(ctx, card, bus.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := tr.sys().Open(context.Background(), card, bus.Options{HugePageSize: 4096}); err == nil || tr.command(card) != CmdMemory {
		t.Errorf("page size of 4096: %v, Command %#x", err, tr.command(card))
	}
	tr.file("kernel/iommu_groups/3/type", "identity\n")
	tr.link(dev(card)+"/iommu_group", "kernel/iommu_groups/3")
	mustOpen(t, tr.sys())
}

func TestOpenIsExclusive(t *testing.T) {
	for _, file := range []string{"resource0", "config"} {
		tr := newTree(t)
		tr.addCard(card)
		if file == "config" {
			tr.remove(dev(card) + "/resource0")
		}
		tr.driver("ixgbe")
		fn := mustOpen(t, tr.sys())
		if err := fn.master(); err != nil {
			t.Fatal(err)
		}
		_, err := tr.sys().Open(context.Background(), card, bus.Options{})
		if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), "fuser -v "+tr.path(dev(card)+"/"+file)) {
			t.Errorf("second open: %v", err)
		}
		if c := tr.command(card); c&CmdMaster == 0 {
			t.Errorf("the second open took bus mastering away: %#x", c)
		}
		if _, err := tr.sys().Bind(card, "ixgbe", false); !errors.Is(err, bus.ErrInUse) {
			t.Errorf("a kernel driver got an open device: %v", err)
		}
		fn.Close()
		mustOpen(t, tr.sys())
	}
}

// TestOpenStopsStaleDMA opens a device whose last user was killed.
func TestOpenStopsStaleDMA(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.setCommand(card, CmdMemory|CmdMaster)
	s := tr.sys()
	var during []uint16
	s.write = func(path, text string) error {
		if path != tr.path(dev(card)+"/reset") {
			t.Errorf("wrote %s", path)
		}
		during = append(during, tr.command(card))
		return writeFile(path, text)
	}
	mustOpen(t, s)
	if !slices.Equal(during, []uint16{CmdMemory}) {
		t.Errorf("Command during resets: %#x", during)
	}

	tr = newTree(t)
	tr.addCard(card)
	tr.setCommand(card, CmdMaster)
	tr.remove(dev(card) + "/reset") // a device without function reset
	mustOpen(t, tr.sys())
	if c := tr.command(card); c&CmdMaster != 0 {
		t.Errorf("before the driver has reset it, Command is %#x", c)
	}

	tr = newTree(t)
	tr.addCard(card)
	tr.setCommand(card, CmdMaster)
	s = tr.sys()
	s.write = func(string, string) error { return errors.New("reset failed") }
	if _, err := s.Open(context.Background(), card, bus.Options{}); err == nil || tr.command(card)&CmdMaster != 0 {
		t.Errorf("reset failed: %v, Command %#x", err, tr.command(card))
	}
}

// space is a configuration space that reports writes, or refuses them.
type space struct {
	b       []byte
	written func(off int64)
	fail    error
	deaf    bool
}

func (s *space) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(s.b).ReadAt(p, off)
}

func (s *space) WriteAt(p []byte, off int64) (int, error) {
	if s.fail != nil {
		return 0, s.fail
	}
	if !s.deaf {
		copy(s.b[off:], p)
	}
	if s.written != nil {
		s.written(off)
	}
	return len(p), nil
}

var _ io.WriterAt = (*space)(nil)

// pool is a source that tells what became of its page.
type pool struct {
	*dma.Shared
	released bool
}

func (p *pool) Release(m dma.Memory) error { p.released = true; return p.Shared.Release(m) }

// withPool opens the card and gives it memory that the test watches.
func withPool(t *testing.T, tr tree) (*function, *pool, *space) {
	t.Helper()
	fn := mustOpen(t, tr.sys())
	sh, err := dma.NewShared(dma.SharedOptions{Size: 8 << 20, SmallPages: true})
	if err != nil {
		t.Fatal(err)
	}
	p := &pool{Shared: sh}
	_ = fn.huge.Close()
	fn.huge, fn.arena = p, dma.NewArena(p)
	fn.alloc = Late(fn.arena, fn.master)
	_ = fn.cfg.Close()
	sp := &space{b: header()}
	fn.cfg = &Config{addr: card, rw: sp}
	if _, err := fn.DMA().Alloc(128, 0); err != nil {
		t.Fatal(err)
	}
	if c := binary.LittleEndian.Uint16(sp.b[CfgCommand:]); c != CmdMemory|CmdMaster {
		t.Errorf("with memory, Command is %#x", c)
	}
	return fn, p, sp
}

// TestMasterComesWithMemory checks that nobody gets memory that the device cannot reach, and that bus
// mastering is switched on once.
func TestMasterComesWithMemory(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	fn, _, sp := withPool(t, tr)
	writes := 0
	sp.written = func(int64) { writes++ }
	held := fn.arena.Held()
	if _, err := fn.DMA().Alloc(dma.SharedPage, 0); err != nil || writes != 0 || fn.DMA().Domain() != fn.arena.Domain() {
		t.Errorf("%v, %d writes", err, writes)
	}
	refuse := errors.New("no")
	a := Late(fn.arena, func() error { return refuse })
	for range 2 {
		if _, err := a.Alloc(dma.SharedPage, 0); !errors.Is(err, refuse) || fn.arena.Held() != held+1 {
			t.Errorf("%v, %d pages held", err, fn.arena.Held())
		}
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if err := fn.master(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func TestCloseStopsDMAFirst(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	fn, p, sp := withPool(t, tr)
	if _, err := fn.BAR(0); err != nil {
		t.Fatal(err)
	}
	seen := false
	sp.written = func(off int64) {
		seen = true
		maps, _ := os.ReadFile("/proc/self/maps")
		if p.released || !bytes.Contains(maps, []byte(tr.path(dev(card)+"/resource0"))) {
			t.Error("memory or registers went before bus mastering")
		}
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if c := binary.LittleEndian.Uint16(sp.b[CfgCommand:]); !seen || c != CmdMemory || !p.released {
		t.Errorf("Command %#x, memory released %v", c, p.released)
	}
}

func TestCloseKeepsMemoryOfRunningDevice(t *testing.T) {
	for what, spoil := range map[string]func(*space){
		"write fails": func(s *space) { s.fail = errors.New("no") },
		"stays on":    func(s *space) { s.deaf = true },
	} {
		tr := newTree(t)
		tr.addCard(card)
		fn, p, sp := withPool(t, tr)
		spoil(sp)
		err := fn.Close()
		if err == nil || !strings.Contains(err.Error(), card) || !strings.Contains(err.Error(), "kept from use") {
			t.Errorf("%s: %v", what, err)
		}
		if p.released {
			t.Errorf("%s: memory was given away under a running device", what)
		}
		fn.DMA().Free(dma.Memory{Bytes: make([]byte, 128), IOVA: 1}) // no panic after Close
	}
	tr := newTree(t)
	tr.addCard(card)
	fn, p, sp := withPool(t, tr)
	copy(sp.b, bytes.Repeat([]byte{0xff}, 64))
	if err := fn.Close(); !errors.Is(err, errGone) || !p.released {
		t.Errorf("pulled card: %v, memory released %v", err, p.released)
	}
}

func TestBAROfShortFile(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.file(dev(card)+"/resource0", "short")
	if _, err := mustOpen(t, tr.sys()).BAR(0); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("%v", err)
	}
	tr.file(dev(card)+"/resource", "0x1 nonsense\n")
	if _, err := tr.sys().Resources(card); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("%v", err)
	}
}

func TestRegisteredScheme(t *testing.T) {
	_, err := bus.Open(context.Background(), "ffff:ff:1f.7", bus.Options{})
	if err == nil || !strings.Contains(err.Error(), "pci ffff:ff:1f.7: find device") {
		t.Errorf("%v", err)
	}
}
