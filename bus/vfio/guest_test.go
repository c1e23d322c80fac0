//go:build vfioguest

package vfio_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/bus/pci"
)

const (
	cardA  = "0000:00:02.0" // e1000e, 82574
	cardB  = "0000:00:03.0" // e1000e
	virtio = "0000:00:04.0"
)

// Registers of the 82574 (datasheet, section 10.2).
const (
	regCTRL, regSTATUS             = 0x0000, 0x0008
	regICR, regICS, regIMS, regIMC = 0x00c0, 0x00c8, 0x00d0, 0x00d8
	regIVAR                        = 0x00e4
	regTCTL                        = 0x0400
	regTDBAL, regTDBAH, regTDLEN   = 0x3800, 0x3804, 0x3808
	regTDH, regTDT                 = 0x3810, 0x3818
	regRAL0, regRAH0               = 0x5400, 0x5404
)

func bind(t *testing.T, addr string) {
	t.Helper()
	if _, err := (pci.Sysfs{}).Bind(addr, "vfio-pci", true); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, addr string) bus.Function {
	t.Helper()
	bind(t, addr)
	fn, err := bus.Open(context.Background(), addr, bus.Options{})
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

func bar(t *testing.T, fn bus.Function, n int) mmio.Region {
	t.Helper()
	r, err := fn.BAR(n)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func locked(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmLck:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGuestOpen(t *testing.T) {
	fn := open(t, cardA)
	if fn.Address() != cardA || fn.ID().String() != "8086:10d3" || !fn.(bus.Isolated).Isolated() {
		t.Errorf("%s, %v", fn.Address(), fn.ID())
	}
	r := bar(t, fn, 0)
	if r.Size() != 128<<10 || r.Read32(regRAL0) != 0x00005452 || r.Read32(regRAH0)&0xffff != 0x0200 {
		t.Errorf("%d bytes, RAL0 %#x, RAH0 %#x", r.Size(), r.Read32(regRAL0), r.Read32(regRAH0))
	}
	// The same registers through the I/O window, 82574 datasheet, section 10.1.1.3.
	io := bar(t, fn, 2)
	io.Write32(0, regRAL0)
	if v := io.Read32(4); v != 0x00005452 {
		t.Errorf("through I/O: RAL0 %#x of %d bytes", v, io.Size())
	}
	if io.Read16(0) != regRAL0 {
		t.Errorf("narrow: %#x %#x", io.Read16(0), io.Read8(1))
	}
	for n := range 6 {
		r, err := fn.BAR(n)
		t.Logf("BAR %d: %d bytes, %v; at 0 %#x", n, r.Size(), err, r.Read32(0))
	}
	caps, err := pci.Capabilities(fn.Config())
	t.Log(caps, err)
	cmd, err := fn.Config().Read16(pci.CfgCommand)
	if err != nil || cmd&(pci.CmdMaster|pci.CmdMemory|pci.CmdNoINTx) != pci.CmdMemory|pci.CmdNoINTx {
		t.Errorf("Command %#x, %v", cmd, err)
	}
	if _, err := fn.DMA().Alloc(128, 0); err != nil {
		t.Fatal(err)
	}
	if cmd, err := fn.Config().Read16(pci.CfgCommand); err != nil || cmd&pci.CmdMaster == 0 {
		t.Errorf("Command %#x, %v", cmd, err)
	}
	if _, err := bus.Open(context.Background(), "vfio:"+cardA, bus.Options{}); !errors.Is(err, bus.ErrInUse) {
		t.Errorf("second open: %v", err)
	} else {
		t.Log(err)
	}
	b, err := os.ReadFile("/sys/bus/pci/devices/" + cardA + "/reset_method")
	t.Logf("reset method %q %v", b, err)
	r.Write32(regTDBAL, 0x12340)
	err = fn.Reset()
	t.Log("reset:", err, r.Read32(regTDBAL))
}

func TestGuestDMA(t *testing.T) {
	for _, pool := range []string{"0", "8"} {
		if err := os.WriteFile("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", []byte(pool), 0); err != nil {
			t.Fatal(err)
		}
		free := func() string {
			b, _ := os.ReadFile("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
			return strings.TrimSpace(string(b))
		}
		before := locked(t)
		a := open(t, cardA)
		b := open(t, cardB)
		if a.DMA().Domain() != b.DMA().Domain() {
			t.Error("two address spaces")
		}
		m1, err := a.DMA().Alloc(2<<20, 0)
		if err != nil {
			t.Fatal(err)
		}
		m2, err := b.DMA().Alloc(4096, 4096)
		if err != nil {
			t.Fatal(err)
		}
		if got := locked(t) - before; got != 4096 {
			t.Errorf("%d KiB locked", got)
		}
		t.Logf("pool %s, free %s, IOVA %#x %#x", pool, free(), m1.IOVA, m2.IOVA)
		if m1.IOVA == 0 || m1.IOVA == m2.IOVA {
			t.Error("same")
		}
		a.DMA().Free(m1)
		if got := locked(t) - before; got != 2048 {
			t.Errorf("%d KiB locked after free", got)
		}
		b.Close()
		if got := locked(t) - before; got != 0 {
			t.Errorf("%d KiB locked after close", got)
		}
		if free() != pool {
			t.Errorf("%s of %s pages free", free(), pool)
		}
		a.Close()
	}
}

// transmit has the card send one frame of 64 bytes from memory at iova, with its ring at ring.
func transmit(r mmio.Region, ring uint64) {
	r.Write32(regTDBAL, uint32(ring))
	r.Write32(regTDBAH, uint32(ring>>32))
	r.Write32(regTDLEN, 128)
	r.Write32(regTDH, 0)
	r.Write32(regTDT, 0)
	r.Write32(regTCTL, 1<<1)
	r.Write32(regTDT, 1)
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}

func descriptor(m dma.Memory, iova uint64) {
	clear(m.Bytes[:128])
	binary.LittleEndian.PutUint64(m.Bytes, iova)
	binary.LittleEndian.PutUint32(m.Bytes[8:], 64|0x0b<<24) // EOP, IFCS, RS
}

func TestGuestSharedMemoryAndFault(t *testing.T) {
	a, b := open(t, cardA), open(t, cardB)
	ra, rb := bar(t, a, 0), bar(t, b, 0)
	ring, err := a.DMA().Alloc(4096, 4096)
	if err != nil {
		t.Fatal(err)
	}
	buf, err := a.DMA().Alloc(2048, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.DMA().Alloc(128, 0); err != nil { // switches bus mastering on
		t.Fatal(err)
	}
	// B sends from A's memory, with its ring there.
	done := func() bool { return ring.Bytes[12]&1 != 0 }
	descriptor(ring, buf.IOVA)
	transmit(rb, ring.IOVA)
	waitFor(t, "B's descriptor", done)
	log := kmsg(t)
	// A stray DMA.
	descriptor(ring, 0x7_dead_b000)
	transmit(ra, ring.IOVA)
	waitFor(t, "A's descriptor", done)
	transmit(ra, 0x3_dead_c000)
	waitFor(t, "fault", func() bool { s := log(); return strings.Contains(s, "fault addr 0x7deadb000") })
	waitFor(t, "fault", func() bool { s := log(); return strings.Contains(s, "fault addr 0x3deadc000") })
	t.Log(log())
	if err := a.(bus.Watched).Trouble(); err != nil {
		t.Log(err)
	}
	descriptor(ring, buf.IOVA)
	transmit(rb, ring.IOVA)
	waitFor(t, "B's descriptor", done)
	descriptor(ring, buf.IOVA)
	transmit(ra, ring.IOVA)
	waitFor(t, "A's descriptor", done)
}

// kmsg returns a function that returns what the kernel logged since.
func kmsg(t *testing.T) func() string {
	t.Helper()
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if _, err := unix.Seek(fd, 0, unix.SEEK_END); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	return func() string {
		b := make([]byte, 8192)
		for {
			n, err := unix.Read(fd, b)
			if err != nil {
				return all.String()
			}
			all.Write(b[:n])
		}
	}
}

func ready(t *testing.T, e irq.Event, wait int) bool {
	t.Helper()
	for {
		p := []unix.PollFd{{Fd: int32(e.FD()), Events: unix.POLLIN}}
		n, err := unix.Poll(p, wait)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		return n == 1
	}
}

func TestGuestInterrupts(t *testing.T) {
	fn := open(t, cardA)
	r := bar(t, fn, 0)
	for _, k := range []irq.Kind{irq.MSIX, irq.MSI, irq.INTx, irq.MSIX} {
		if err := fn.(interface{ ChooseInterrupts(irq.Kind) error }).ChooseInterrupts(k); err != nil {
			t.Fatal(err)
		}
		set, err := fn.Interrupts()
		if err != nil || set.Kind() != k {
			t.Fatalf("%v: %v", k, err)
		}
		t.Log(k, set.Vectors())
		n := min(2, set.Vectors())
		ev, err := set.Enable(n)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := set.Enable(1); err == nil {
			t.Error("enabled twice")
		}
		r.Read32(regICR)
		r.Write32(regIVAR, 0x8|0x9<<16) // RxQ0 to vector 0, other to vector 1
		r.Write32(regIMS, 1<<20|1<<24|1<<2)
		for i := range 3 {
			cause := uint32(1 << 2)
			if k == irq.MSIX {
				cause = 1 << 20
			}
			r.Write32(regICS, cause)
			if !ready(t, ev[0], 5000) {
				t.Errorf("%v %d: no interrupt", k, i)
			}
			r.Read32(regICR)
			r.Write32(regICR, ^uint32(0))
			if err := ev[0].Clear(); err != nil {
				t.Error(err)
			}
			if ready(t, ev[0], 0) {
				t.Errorf("%v: still ready", k)
			}
			if n > 1 && ready(t, ev[1], 0) {
				t.Errorf("%v: the other fired", k)
			}
			r.Write32(regIMS, 1<<20|1<<24|1<<2)
		}
		if k == irq.MSIX {
			r.Write32(regICS, 1<<24)
			if !ready(t, ev[1], 5000) {
				t.Error("vector 1")
			}
			r.Write32(regICR, ^uint32(0))
		}
		r.Write32(regIMC, ^uint32(0))
		// QEMU's card aborts where MSI-X goes while it throttles an interrupt.
		r.Write32(regCTRL, 1<<26)
		waitFor(t, "reset", func() bool { return r.Read32(regCTRL)&(1<<26) == 0 })
		if err := set.Disable(); err != nil {
			t.Error(err)
		}
	}
	set, _ := fn.Interrupts()
	if _, err := set.Enable(1); err != nil { // Close ends it
		t.Error(err)
	}
	if _, err := set.Enable(0); err == nil {
		t.Error("enabled none")
	}
}

func TestGuestBusy(t *testing.T) {
	bind(t, cardA)
	g, _, err := pci.Sysfs{}.Group(cardA)
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Open(g.Node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = bus.Open(context.Background(), cardA, bus.Options{})
	if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), fmt.Sprintf("process %d (", os.Getpid())) {
		t.Error(err)
	}
	t.Log(err)
	if _, err := (pci.Sysfs{}).Unbind(cardA, false); !errors.Is(err, bus.ErrInUse) {
		t.Error(err)
	} else {
		t.Log(err)
	}
	unix.Close(fd)
	open(t, cardA)
}

func TestGuestRequest(t *testing.T) {
	fn := open(t, cardA)
	w := fn.(bus.Watched)
	if err := w.Trouble(); err != nil {
		t.Error(err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := pci.Sysfs{}.Unbind(cardA, true)
		done <- err
	}()
	waitFor(t, "request", func() bool { return w.Trouble() != nil })
	if err := w.Trouble(); !errors.Is(err, bus.ErrGone) {
		t.Error(err)
	}
	t.Log(w.Trouble())
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
}

func TestGuestVirtio(t *testing.T) {
	fn := open(t, virtio)
	caps, err := pci.Capabilities(fn.Config())
	t.Log(caps, err)
	for n := range 6 {
		r, err := fn.BAR(n)
		t.Logf("BAR %d: %d bytes, %v; at 0 %#x", n, r.Size(), err, r.Read32(0))
	}
	r := bar(t, fn, 4)
	// Common configuration at 0: num_queues (16 bits at 18), device_status (8 bits at 20).
	r.Write8(20, 0)
	r.Write8(20, 1)
	t.Log("queues", r.Read16(18), "status", r.Read8(20))
	set, err := fn.Interrupts()
	t.Log(set.Kind(), set.Vectors(), err)
	t.Log(fn.Reset(), r.Read8(20))
}

func TestGuestUser(t *testing.T) {
	if os.Getuid() != 0 {
		asUser(t)
		return
	}
	bind(t, cardA)
	g, _, err := pci.Sysfs{}.Group(cardA)
	if err != nil {
		t.Fatal(err)
	}
	run := func(memlock uint64, env string) {
		c := exec.Command("/test", "-test.run=^TestGuestUser$", "-test.v")
		c.Env = append(os.Environ(), env)
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 1000, Gid: 1000}}
		old := unix.Rlimit{}
		unix.Getrlimit(unix.RLIMIT_MEMLOCK, &old)
		unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: 64 << 10, Max: memlock})
		out, err := c.CombinedOutput()
		unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: old.Cur, Max: unix.RLIM_INFINITY})
		t.Logf("%s: %v\n%s", env, err, bytes.TrimSpace(out))
		if err != nil {
			t.Error(err)
		}
	}
	run(1<<30, "WANT=permission denied")
	if err := os.Chown(g.Node, 1000, -1); err != nil {
		t.Fatal(err)
	}
	run(1<<20, "WANT=may lock 1024 KiB")
	run(1<<30, "WANT=")
}

func asUser(t *testing.T) {
	want := os.Getenv("WANT")
	fn, err := bus.Open(context.Background(), cardA, bus.Options{})
	if err == nil {
		defer fn.Close()
		bar(t, fn, 0)
		var m dma.Memory
		if m, err = fn.DMA().Alloc(4096, 0); err == nil {
			r := bar(t, fn, 0)
			descriptor(m, m.IOVA)
			transmit(r, m.IOVA)
			waitFor(t, "descriptor", func() bool { return m.Bytes[12]&1 != 0 })
			set, err := fn.Interrupts()
			if err != nil {
				t.Error(err)
			}
			if _, err := set.Enable(set.Vectors()); err != nil {
				t.Error(err)
			}
		}
	}
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	t.Log(err)
}

func TestGuestTwoInAGroup(t *testing.T) {
	const f0, f1 = "0000:01:01.0", "0000:01:02.0"
	if _, err := os.Stat("/sys/bus/pci/devices/" + f0); err != nil {
		t.Skip()
	}
	bind(t, f0)
	_, err := bus.Open(context.Background(), f0, bus.Options{})
	t.Log(err)
	if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), f1) || !strings.Contains(err.Error(), "(bound to e1000)") {
		t.Error(err)
	}
	if _, err := (pci.Sysfs{}).Unbind(f1, true); err != nil {
		t.Fatal(err)
	}
	a, err := bus.Open(context.Background(), f0, bus.Options{}) // an unbound neighbour is fine
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, f1)
	if a.DMA().Domain() != b.DMA().Domain() {
		t.Error("two domains")
	}
	m, err := b.DMA().Alloc(2<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	descriptor(m, m.IOVA)
	transmit(bar(t, b, 0), m.IOVA)
	waitFor(t, "descriptor", func() bool { return m.Bytes[12]&1 != 0 })
}

func TestGuestConventional(t *testing.T) {
	const f0 = "0000:01:01.0"
	if _, err := os.Stat("/sys/bus/pci/devices/" + f0); err != nil {
		t.Skip()
	}
	bind(t, "0000:01:02.0")
	fn := open(t, f0)
	caps, err := pci.Capabilities(fn.Config())
	t.Log(caps, err)
	_, err = fn.Config().Read32(0x100)
	t.Log(err)
	t.Log(fn.(bus.Watched).Trouble(), fn.Reset())
	r := bar(t, fn, 0)
	set, err := fn.Interrupts()
	if err != nil || set.Kind() != irq.INTx || set.Vectors() != 1 {
		t.Fatal(set, err)
	}
	ev, err := set.Enable(1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		r.Write32(regIMS, 1<<2)
		r.Write32(regICS, 1<<2)
		if !ready(t, ev[0], 5000) {
			t.Errorf("%d: no interrupt", i)
		}
		r.Read32(regICR)
		if err := ev[0].Clear(); err != nil {
			t.Error(err)
		}
	}
	if err := set.Disable(); err != nil {
		t.Error(err)
	}
	r.Write32(regICS, 1<<2)
	cmd, err := fn.Config().Read16(pci.CfgCommand)
	t.Logf("%#x %v", cmd, err)
}

func TestGuestKilled(t *testing.T) {
	const pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
	if os.Getenv("HOLD") != "" {
		fn, err := bus.Open(context.Background(), cardA, bus.Options{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := fn.DMA().Alloc(4096, 0)
		if err != nil {
			t.Fatal(err)
		}
		descriptor(m, m.IOVA)
		transmit(bar(t, fn, 0), m.IOVA)
		set, _ := fn.Interrupts()
		set.Enable(2)
		os.Stdout.WriteString("held\n")
		select {}
	}
	if err := os.WriteFile(pool+"nr_hugepages", []byte("8"), 0); err != nil {
		t.Fatal(err)
	}
	bind(t, cardA)
	for range 10 {
		c := exec.Command("/test", "-test.run=^TestGuestKilled$")
		c.Env = append(os.Environ(), "HOLD=1")
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 100)
		n, err := out.Read(b)
		if string(b[:n]) != "held\n" {
			t.Fatalf("%q %v", b[:n], err)
		}
		c.Process.Kill()
		c.Wait()
		if f, _ := os.ReadFile(pool + "free_hugepages"); string(f) != "8\n" {
			t.Errorf("%q free", f)
		}
	}
	fn := open(t, cardA)
	m, err := fn.DMA().Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	descriptor(m, m.IOVA)
	transmit(bar(t, fn, 0), m.IOVA)
	waitFor(t, "descriptor", func() bool { return m.Bytes[12]&1 != 0 })
}

func TestGuestGiga(t *testing.T) {
	if err := os.WriteFile("/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", []byte("1"), 0); err != nil {
		t.Log(err)
	}
	bind(t, cardA)
	fn, err := bus.Open(context.Background(), cardA, bus.Options{HugePageSize: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	defer fn.Close()
	m, err := fn.DMA().Alloc(64<<20, 0)
	t.Logf("%#x %d %v", m.IOVA, len(m.Bytes), err)
	if err == nil {
		descriptor(m, m.IOVA+32<<20)
		transmit(bar(t, fn, 0), m.IOVA)
		waitFor(t, "descriptor", func() bool { return m.Bytes[12]&1 != 0 })
	}
}

func TestGuestGroups(t *testing.T) {
	list, _ := filepath.Glob("/sys/kernel/iommu_groups/*/devices/*")
	t.Log(list)
}

func TestPhysPorts(t *testing.T) {
	const addr = "0000:00:09.0"
	if err := os.WriteFile("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", []byte("8"), 0); err != nil {
		t.Fatal(err)
	}
	if _, err := (pci.Sysfs{}).Unbind(addr, true); err != nil {
		t.Fatal(err)
	}
	cfg, err := (pci.Sysfs{}).OpenConfig(addr, true)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Write16(pci.CfgCommand, 0)
	fn, err := bus.Open(context.Background(), addr, bus.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer fn.Close()
	before, _ := cfg.Read16(pci.CfgCommand)
	r := bar(t, fn, 0)
	after, _ := cfg.Read16(pci.CfgCommand)
	t.Logf("%d bytes, Command %#x then %#x, isolated %v", r.Size(), before, after, fn.(bus.Isolated).Isolated())
	r.Write8(18, 0)
	r.Write8(18, 3)
	t.Logf("features %#x, queue size %d, status %#x, MAC %x %x %x %x %x %x", r.Read32(0), r.Read16(12), r.Read8(18), r.Read8(20), r.Read8(21), r.Read8(22), r.Read8(23), r.Read8(24), r.Read8(25))
	start := time.Now()
	for range 1000 {
		r.Read8(18)
	}
	t.Log(time.Since(start) / 1000)
	_, err = fn.DMA().Alloc(4096, 0)
	last, _ := cfg.Read16(pci.CfgCommand)
	t.Logf("%v %#x", err, last)
}

func TestPhysBind(t *testing.T) {
	_, err := (pci.Sysfs{}).Bind("0000:00:02.0", "vfio-pci", true)
	t.Log(err)
}
