package vfiouser

import (
	"bytes"
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/irq"
	"glassnic/sim/iommu"
)

// card is registers that keep what is written to them. Its methods are called by the server's goroutine, and looked at
// by the test when the server has answered.
type card struct {
	mu     sync.Mutex
	regs   map[uint32]uint32
	master bool
	resets int
	kind   irq.Kind
	send   func(int)
	opened int // times that the pin was unmasked
}

func (c *card) Device() uint16 { return 0x10f7 }
func (c *card) Step(int) int   { return 0 }

func (c *card) Read32(off uint32) uint32 { return c.regs[off] }
func (c *card) Write32(off, v uint32)    { c.regs[off] = v }
func (c *card) SetBusMaster(on bool)     { c.master = on }
func (c *card) Unmask()                  { c.opened++ }

func (c *card) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.resets++
}

func (c *card) SetInterrupts(kind irq.Kind, send func(int)) { c.kind, c.send = kind, send }

// client speaks to a server as an emulator does.
type client struct {
	t     testing.TB
	conn  *net.UnixConn
	card  *card
	space *iommu.Space
	path  string
	said  *strings.Builder
}

func serve(t testing.TB) *client {
	t.Helper()
	c := &client{t: t, card: &card{regs: map[uint32]uint32{}}, space: iommu.New(), path: filepath.Join(t.TempDir(), "s"), said: &strings.Builder{}}
	s, err := Listen(c.path, c.card, c.space, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	c.dial()
	return c
}

func (c *client) dial() {
	c.t.Helper()
	var err error
	if c.conn, err = net.DialUnix("unix", nil, &net.UnixAddr{Name: c.path, Net: "unix"}); err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = c.conn.Close() })
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		c.t.Fatal(err)
	}
}

// ask sends a command and returns the answer.
func (c *client) ask(command uint16, data []byte, fds ...int) ([]byte, unix.Errno) {
	c.t.Helper()
	c.send(command, 0, data, fds...)
	m, err := receive(c.conn)
	if err != nil {
		c.t.Fatal(err)
	}
	if m.id != 77 || m.command != command || m.flags&flagType != flagReply {
		c.t.Fatalf("answer %+v to command %d", m, command)
	}
	return m.data, c.failed(m)
}

func (c *client) send(command uint16, flags uint32, data []byte, fds ...int) {
	c.t.Helper()
	b := make([]byte, headerSize)
	le.PutUint16(b, 77)
	le.PutUint16(b[2:], command)
	le.PutUint32(b[4:], uint32(headerSize+len(data)))
	le.PutUint32(b[8:], flags)
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := c.conn.WriteMsgUnix(append(b, data...), oob, nil); err != nil {
		c.t.Fatal(err)
	}
}

// failed is the error of an answer; tests see which one it is by the server's own type.
func (c *client) failed(m *message) unix.Errno {
	if m.flags&flagError == 0 {
		return 0
	}
	if len(m.data) != 0 {
		c.t.Errorf("an error with %d bytes behind it", len(m.data))
	}
	return unix.Errno(m.errno)
}

// read reads a region.
func (c *client) read(region uint32, off uint64, n uint32) []byte {
	c.t.Helper()
	b, failed := c.ask(cmdRegionRead, append(le.AppendUint64(nil, off), words(region, n)...))
	if failed != 0 || len(b) != 16+int(n) {
		c.t.Fatalf("read of %d bytes at %#x of region %d: %v, %d bytes", n, off, region, failed, len(b))
	}
	return b[16:]
}

func (c *client) write(region uint32, off uint64, b []byte) {
	c.t.Helper()
	got, failed := c.ask(cmdRegionWrite, append(append(le.AppendUint64(nil, off), words(region, uint32(len(b)))...), b...))
	if failed != 0 || len(got) != 16 || le.Uint32(got[12:]) != 0 {
		c.t.Fatalf("write: %v, % x", failed, got)
	}
}

// memory is a descriptor of shared memory, sealed against being made shorter or not.
func memory(t testing.TB, size int, sealed bool) int {
	t.Helper()
	fd, err := unix.MemfdCreate("guest", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Ftruncate(fd, int64(size)); err != nil {
		t.Fatal(err)
	}
	if sealed {
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
			t.Fatal(err)
		}
	}
	return fd
}

// entry is the data of a command that maps memory.
func entry(flags uint32, off, iova, size uint64) []byte {
	b := words(32, flags)
	for _, v := range []uint64{off, iova, size} {
		b = le.AppendUint64(b, v)
	}
	return b
}

// What an emulator asks first.
func TestDescription(t *testing.T) {
	c := serve(t)
	b, failed := c.ask(cmdVersion, append([]byte{0, 0, 1, 0}, `{"capabilities":{}}`+"\x00"...))
	if failed != 0 || !bytes.HasPrefix(b, []byte{0, 0, 0, 0, '{'}) || b[len(b)-1] != 0 {
		t.Errorf("version: %v, %q", failed, b)
	}
	if _, failed := c.ask(cmdVersion, []byte{1, 0, 0, 0}); failed != unix.EINVAL {
		t.Errorf("another major version: %v", failed)
	}
	if b, failed := c.ask(cmdDeviceInfo, make([]byte, 16)); failed != 0 || !bytes.Equal(b, words(16, 3, 9, 5)) {
		t.Errorf("device: %v, % x", failed, b)
	}
	for region, size := range map[uint32]uint64{0: 128 << 10, 1: 0, 4: 16 << 10, 6: 0, 7: 4096, 8: 0} {
		b, failed := c.ask(cmdRegionInfo, append(words(32, 0, region, 0), make([]byte, 16)...))
		if failed != 0 || le.Uint64(b[16:]) != size || le.Uint32(b[4:]) != map[bool]uint32{true: 3}[size > 0] {
			t.Errorf("region %d: %v, % x", region, failed, b)
		}
	}
	for index, want := range map[uint32][]byte{0: words(16, 7, 0, 1), 1: words(16, 9, 1, 0), 2: words(16, 9, 2, 64), 4: words(16, 9, 4, 0)} {
		if b, failed := c.ask(cmdIRQInfo, words(16, 0, index, 0)); failed != 0 || !bytes.Equal(b, want) {
			t.Errorf("interrupts %d: %v, % x", index, failed, b)
		}
	}
}

// The configuration space has what a driver looks for, and keeps what may be written.
func TestConfiguration(t *testing.T) {
	c := serve(t)
	if got := le.Uint32(c.read(regionConfig, 0, 4)); got != 0x10f7_8086 {
		t.Errorf("IDs %#x", got)
	}
	found := map[byte]bool{}
	for at := c.read(regionConfig, 0x34, 1)[0]; at != 0; at = c.read(regionConfig, uint64(at)+1, 1)[0] {
		found[c.read(regionConfig, uint64(at), 1)[0]] = true
		if len(found) > 10 {
			t.Fatal("the list of capabilities has no end")
		}
	}
	if !found[0x01] || !found[0x11] || !found[0x10] {
		t.Errorf("capabilities %v: want power management, MSI-X and PCI Express", found)
	}
	c.write(regionConfig, 0x10, []byte{0xff, 0xff, 0xff, 0xff})
	if got := le.Uint32(c.read(regionConfig, 0x10, 4)); got != 0xfffe_000c {
		t.Errorf("BAR 0 says %#x of its size", got)
	}
	c.write(regionConfig, 0, []byte{1, 2, 3, 4})
	if got := le.Uint32(c.read(regionConfig, 0, 4)); got != 0x10f7_8086 {
		t.Errorf("IDs %#x after a write", got)
	}
	c.write(regionConfig, 4, []byte{4, 0})
	if !c.card.master {
		t.Error("no bus mastering")
	}
	before := c.card.resets
	c.write(regionConfig, cfgPCIeCap+8, []byte{0, 0x80}) // function level reset
	if c.card.resets != before+1 || c.card.master || c.read(regionConfig, cfgPCIeCap+9, 1)[0]&0x80 != 0 {
		t.Errorf("%d resets, bus master %v", c.card.resets-before, c.card.master)
	}
}

func TestRegisters(t *testing.T) {
	c := serve(t)
	c.write(0, 0x18, words(0x11223344, 0x55667788))
	if got := c.read(0, 0x19, 6); !bytes.Equal(got, []byte{0x33, 0x22, 0x11, 0x88, 0x77, 0x66}) {
		t.Errorf("% x", got)
	}
	c.write(0, 0x19, []byte{1})
	if got := c.read(0, 0x18, 4); le.Uint32(got) != 0x11223344 {
		t.Errorf("a write of a byte: % x", got)
	}
	// A write without an answer is done before what comes next.
	c.send(cmdRegionWrite, flagNoReply, append(append(le.AppendUint64(nil, 0x18), words(0, 4)...), 9, 0, 0, 0))
	if got := c.read(0, 0x18, 4); le.Uint32(got) != 9 {
		t.Errorf("% x", got)
	}
}

// The card reaches the memory that is mapped, as it is mapped, and no other.
func TestMemory(t *testing.T) {
	c := serve(t)
	const page = 4096
	fd := memory(t, 16*page, true)
	mem, err := unix.Mmap(fd, 0, 16*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	do := func(want unix.Errno, what string, command uint16, data []byte, fds ...int) {
		t.Helper()
		if _, failed := c.ask(command, data, fds...); failed != want {
			t.Errorf("%s: %v, want %v", what, failed, want)
		}
	}
	do(0, "map", cmdDMAMap, entry(3, 2*page, 0x10000, 4*page), fd)
	do(0, "read only", cmdDMAMap, entry(1, 8*page, 0x20000, page), fd)
	do(0, "no descriptor", cmdDMAMap, entry(1, 0, 0x30000, page))
	do(unix.EEXIST, "twice", cmdDMAMap, entry(3, 0, 0x13000, page), fd)
	do(unix.EINVAL, "beyond the file", cmdDMAMap, entry(3, 16*page, 0x40000, page), fd)
	do(unix.EINVAL, "huge", cmdDMAMap, entry(3, page, 0x40000, 1<<63), fd)
	do(unix.EINVAL, "nothing", cmdDMAMap, entry(3, page, 0x40000, 0), fd)
	do(unix.EINVAL, "odd", cmdDMAMap, entry(3, 5, 0x40000, page), fd)
	do(unix.EPERM, "unsealed", cmdDMAMap, entry(3, 0, 0x40000, page), memory(t, page, false))
	b, ok := c.space.At("test", 0x10010, 4, true)
	if !ok {
		t.Fatal("not mapped")
	}
	copy(b, "DMA!")
	if got := mem[2*page+0x10:][:4]; string(got) != "DMA!" {
		t.Errorf("%q", got)
	}
	for what, at := range map[string]uint64{"read only": 0x20000, "no descriptor": 0x30000, "a gap": 0x14000, "refused": 0x40000} {
		if _, ok := c.space.At("test", at, 4, true); ok {
			t.Errorf("%s can be written", what)
		}
	}
	do(0, "unmap", cmdDMAUnmap, append(words(24, 0), le.AppendUint64(le.AppendUint64(nil, 0x10000), 4*page)...))
	if _, ok := c.space.At("test", 0x10010, 4, false); ok {
		t.Error("still mapped")
	}
	// A client that goes takes its memory with it, and the card is reset.
	before := c.resets()
	_ = c.conn.Close()
	c.dial()
	c.read(regionConfig, 0, 4)
	if _, ok := c.space.At("test", 0x20000, 4, false); ok || c.resets() == before {
		t.Errorf("memory of a client that went is mapped: %v; %d resets", ok, c.resets()-before)
	}
}

func (c *client) resets() int {
	c.card.mu.Lock()
	defer c.card.mu.Unlock()
	return c.card.resets
}

// Interrupts come as eventfds.
func TestInterrupts(t *testing.T) {
	c := serve(t)
	event := func() int {
		fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	came := func(fd int) bool {
		var b [8]byte
		n, _ := unix.Read(fd, b[:])
		return n == 8
	}
	set := func(want unix.Errno, flags, index, start, count uint32, fds ...int) {
		t.Helper()
		if _, failed := c.ask(cmdSetIRQs, words(20, flags, index, start, count), fds...); failed != want {
			t.Errorf("set interrupts: %v, want %v", failed, want)
		}
	}
	pin, a, b := event(), event(), event()
	set(0, setEventFD|setTrigger, irqINTx, 0, 1, pin)
	if c.card.kind != irq.INTx {
		t.Errorf("interrupts by %v", c.card.kind)
	}
	c.card.send(0)
	set(0, setNone|setUnmask, irqINTx, 0, 1)
	if !came(pin) || c.card.opened != 1 {
		t.Error("no interrupt by the pin, or it is not unmasked")
	}
	set(0, setEventFD|setTrigger, irqMSIX, 0, 1, a)
	set(0, setEventFD|setTrigger, irqMSIX, 5, 1, b)
	if c.card.kind != irq.MSIX {
		t.Errorf("interrupts by %v", c.card.kind)
	}
	c.card.send(5)
	c.card.send(4)
	if came(a) || !came(b) {
		t.Error("vector 5 came elsewhere")
	}
	set(0, setEventFD|setTrigger, irqMSIX, 5, 1)
	c.card.send(5)
	if came(b) {
		t.Error("a vector that was taken away came")
	}
	set(0, setNone|setTrigger, irqMSIX, 0, 0)
	if c.card.kind != irq.INTx {
		t.Errorf("interrupts by %v after MSI-X was switched off", c.card.kind)
	}
	set(unix.EINVAL, setEventFD|setTrigger, irqMSIX, 60, 5, a)
	set(unix.EINVAL, setEventFD|setTrigger, irqMSIX, 0xffff_ffff, 2, a)
	set(unix.EINVAL, setEventFD|setTrigger, 9, 0, 1, a)
	set(unix.ENOTSUP, setNone|setTrigger, irqMSIX, 0, 1)
}

// FuzzClient says what it likes. The server answers or hangs up, and serves the next client.
func FuzzClient(f *testing.F) {
	f.Add(uint16(cmdRegionRead), append(le.AppendUint64(nil, 1<<63), words(0, 4)...))
	f.Add(uint16(cmdRegionRead), append(le.AppendUint64(nil, 0x1fffe), words(0, 4)...))
	f.Add(uint16(cmdRegionWrite), append(le.AppendUint64(nil, 0x1fffe), words(0, 0xffff_ffff)...))
	f.Add(uint16(cmdRegionWrite), append(le.AppendUint64(nil, 4094), words(7, 2, 0xffff)...))
	f.Add(uint16(cmdDMAUnmap), bytes.Repeat([]byte{0xff}, 24))
	f.Add(uint16(cmdSetIRQs), words(20, 0xffff_ffff, 2, 0, 64))
	f.Add(uint16(cmdRegionInfo), bytes.Repeat([]byte{0xff}, 32))
	f.Add(uint16(cmdDeviceReset), []byte{})
	f.Add(uint16(99), []byte{1})
	for command := range uint16(16) {
		f.Add(command, []byte{})
	}
	f.Fuzz(func(t *testing.T, command uint16, data []byte) {
		if len(data) > maxTransfer {
			return
		}
		c := serve(t)
		c.ask(command, data)
		c.read(regionConfig, 0, 4)
	})
}

// Messages that make no sense end the connection.
func TestNonsense(t *testing.T) {
	c := serve(t)
	for name, header := range map[string][]byte{
		"too short": append(words(0, 15, 0), 0, 0, 0, 0), "too long": append(words(0, 1<<31, 0), 0, 0, 0, 0), "a reply": append(words(4<<16, 16, flagReply), 0, 0, 0, 0),
	} {
		if _, err := c.conn.Write(header); err != nil {
			t.Fatal(err)
		}
		if _, err := receive(c.conn); err == nil {
			t.Errorf("%s: answered", name)
		}
		c.dial()
		c.read(regionConfig, 0, 4)
	}
}
