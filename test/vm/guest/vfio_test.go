//go:build guest

package guest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
	chip "glassnic/chip/e1000"
)

// function opens a card that is bound to VFIO, until the end of the test.
func function(t *testing.T, c card, opt bus.Options) bus.Function {
	t.Helper()
	fn, err := bus.Open(context.Background(), c.addr, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fn.Close(); err != nil {
			t.Error(err)
		}
	})
	return fn
}

func registers(t *testing.T, fn bus.Function) mmio.Region {
	t.Helper()
	r, err := fn.BAR(0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func alloc(t *testing.T, fn bus.Function, size int) dma.Memory {
	t.Helper()
	m, err := fn.DMA().Alloc(size, 4096)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// transmit has a card send one frame of 60 bytes from memory at iova, with its ring in m (8254x 3.3.3, the legacy
// descriptor, which all cards know), and waits for the report.
func transmit(t *testing.T, fn bus.Function, m dma.Memory, iova uint64) {
	t.Helper()
	const eop, ifcs, rs, dd = 1 << 24, 1 << 25, 1 << 27, 1
	clear(m.Bytes[:128])
	binary.LittleEndian.PutUint64(m.Bytes, iova)
	binary.LittleEndian.PutUint32(m.Bytes[8:], 60|eop|ifcs|rs)
	r := registers(t, fn)
	r.Write32(chip.TDBAL(0), uint32(m.IOVA))
	r.Write32(chip.TDBAH(0), uint32(m.IOVA>>32))
	r.Write32(chip.TDLEN(0), 128)
	r.Write32(chip.TDH(0), 0)
	r.Write32(chip.TDT(0), 0)
	r.Write32(chip.TCTL, chip.TctlEN)
	r.Write32(chip.TDT(0), 1)
	await(t, "a report of "+fn.Address(), func() bool { return m.Bytes[12]&dd != 0 })
}

// TestDevice opens one card and looks at all that its bus.Function offers.
func TestDevice(t *testing.T) {
	c := cards(t)[0]
	defer take(t, c)()
	fn := function(t, c, bus.Options{})
	defer fn.Close()
	if fn.Address() != c.addr || fn.ID().String() != "8086:10d3" || !fn.(bus.Isolated).Isolated() {
		t.Errorf("%s, %v, isolated %v", fn.Address(), fn.ID(), fn.(bus.Isolated).Isolated())
	}
	r := registers(t, fn)
	if r.Size() != chip.BARSize || r.Read32(chip.RAL(0)) != 0x0000_5452 || r.Read32(chip.RAH(0))&0xffff != 0x0200 {
		t.Errorf("%d bytes, MAC address %#x %#x", r.Size(), r.Read32(chip.RAL(0)), r.Read32(chip.RAH(0)))
	}
	// The same register through the window of I/O ports: IOADDR at 0, IODATA at 4 (82574 10.1.1.3).
	ports, err := fn.BAR(2)
	if err != nil {
		t.Fatal(err)
	}
	ports.Write32(0, chip.RAL(0))
	if v := ports.Read32(4); v != 0x0000_5452 || ports.Read16(0) != uint16(chip.RAL(0)) {
		t.Errorf("by I/O ports: %#x, address %#x", v, ports.Read16(0))
	}
	if _, err := fn.BAR(5); err == nil {
		t.Error("BAR 5 is there")
	}
	command := func() uint16 {
		v, err := fn.Config().Read16(pci.CfgCommand)
		if err != nil {
			t.Fatal(err)
		}
		return v & (pci.CmdMaster | pci.CmdMemory | pci.CmdNoINTx)
	}
	if v := command(); v != pci.CmdMemory|pci.CmdNoINTx {
		t.Errorf("Command %#x after Open", v)
	}
	m := alloc(t, fn, 4096)
	if v := command(); v != pci.CmdMemory|pci.CmdNoINTx|pci.CmdMaster {
		t.Errorf("Command %#x after the first memory", v)
	}
	transmit(t, fn, m, m.IOVA)
	if err := fn.Reset(); err != nil {
		t.Error(err)
	}
	if v := command(); v != pci.CmdMemory|pci.CmdNoINTx|pci.CmdMaster {
		t.Errorf("Command %#x after a reset, which restores it", v)
	}
	if _, err := bus.Open(context.Background(), "vfio:"+c.addr, bus.Options{}); !errors.Is(err, bus.ErrInUse) {
		t.Errorf("opened twice: %v", err)
	}
}

// TestMemory has two cards share memory, of huge pages or, where there are none, of others; one goes on when the
// other is closed. It is locked while devices reach it, and given back.
func TestMemory(t *testing.T) {
	c := cards(t)
	defer take(t, c[0], c[1])()
	for _, n := range []string{"0", "8"} {
		hugePages(t, n)
		before := locked(t)
		a, b := function(t, c[0], bus.Options{}), function(t, c[1], bus.Options{})
		if a.DMA().Domain() != b.DMA().Domain() {
			t.Error("two cards have two address spaces")
		}
		ma, mb := alloc(t, a, 2<<20), alloc(t, b, 4096)
		if ma.IOVA == 0 || mb.IOVA == 0 || ma.IOVA == mb.IOVA {
			t.Errorf("memory at %#x and %#x", ma.IOVA, mb.IOVA)
		}
		if got := locked(t) - before; got != 4096 {
			t.Errorf("%s huge pages: %d KiB locked, want 4096", n, got)
		}
		transmit(t, b, mb, ma.IOVA+1<<20) // the other card's memory
		b.DMA().Free(mb)
		if got := locked(t) - before; got != 2048 {
			t.Errorf("%s huge pages: %d KiB locked after Free, want 2048", n, got)
		}
		for _, fn := range []bus.Function{b, a} {
			if fn == a {
				transmit(t, a, ma, ma.IOVA)
			}
			if err := fn.Close(); err != nil {
				t.Error(err)
			}
		}
		if got := locked(t) - before; got != 0 {
			t.Errorf("%s huge pages: %d KiB locked after Close", n, got)
		}
		if free := text(t, pool+"free_hugepages"); free != n {
			t.Errorf("%s of %s huge pages are free after Close", free, n)
		}
	}
}

// locked is how many KiB of this process's memory are locked.
func locked(t *testing.T) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(text(t, "/proc/self/status"), "VmLck:")
	if _, err := fmt.Sscan(rest, &n); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestBusy has a group whose file another process has: that process is named.
func TestBusy(t *testing.T) {
	c := cards(t)[0]
	defer take(t, c)()
	g, _, err := pci.Sysfs{}.Group(c.addr)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(g.Node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("process %d (guest.test)", os.Getpid())
	if _, err = bus.Open(context.Background(), c.addr, bus.Options{}); !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), me) {
		t.Errorf("open: %v, want %s", err, me)
	}
	if _, err := (pci.Sysfs{}).Unbind(c.addr, false); !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), me) {
		t.Errorf("unbind: %v, want %s", err, me)
	}
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
	_ = function(t, c, bus.Options{}).Close()
}

// TestRequest has the kernel want a card back that is open: the program hears of it, and the kernel waits.
func TestRequest(t *testing.T) {
	c := cards(t)[0]
	giveBack := take(t, c)
	fn := function(t, c, bus.Options{})
	w := fn.(bus.Watched)
	if err := w.Trouble(); err != nil {
		t.Error(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := pci.Sysfs{}.Unbind(c.addr, true)
		done <- err
	}()
	await(t, "the kernel's request", func() bool { return w.Trouble() != nil })
	if err := w.Trouble(); !errors.Is(err, bus.ErrGone) || !strings.Contains(err.Error(), "the kernel wants it back") {
		t.Error(err)
	}
	select {
	case err := <-done:
		t.Errorf("unbound under us: %v", err)
	default:
	}
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	giveBack()
}
