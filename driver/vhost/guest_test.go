//go:build linux

package vhost

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

const patience = 20 * time.Second

// guest is a driver at the other end of a port, written the plain way. Its memory is one file.
type guest struct {
	t     testing.TB
	front *vhostuser.Front
	fd    int
	mem   []byte
	rings []*guestRing

	features chip.Features
}

// guestRing is one of its rings, of ringSize descriptors.
type guestRing struct {
	g      *guest
	index  int
	packed bool
	base   int // in memory: descriptors, driver's part, device's part, one page each
	next   int
	avail  uint16
	used   uint16
	wrap   bool // of what it offers
	back   int
	lap    bool // of what comes back
	kick   int
	call   int
}

const (
	ringSize  = 16
	memSize   = 1 << 20
	guestBase = 0x4000_0000 // guest address of the memory
	userBase  = 0x7f00_0000
	dataBase  = 256 << 10
)

const plainFeatures = chip.Version1 | chip.NetMrgRxbuf

// part is a piece of a buffer.
type part struct {
	addr  uint64
	size  uint32
	write bool
}

func newPort(t testing.TB, cfg nic.Config) (*Device, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "glassnic-vhost-")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	if cfg.LinkWait == 0 {
		cfg.LinkWait = -1
	}
	p, err := nic.Open(t.Context(), "vhost-user:"+path, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		os.RemoveAll(dir)
	})
	return p.(*Device), path
}

// connect is the whole start of a driver with so many pairs of rings.
func connect(t testing.TB, path string, f chip.Features, pairs int) *guest {
	t.Helper()
	g := &guest{t: t, features: f}
	g.attach(path)
	g.must(g.front.SetOwner())
	offered, err := g.front.Features()
	g.must(err)
	if offered&uint64(f) != uint64(f) || offered&vhostuser.FeatureProtocol == 0 {
		t.Fatalf("offered: %v, want %v", chip.Features(offered), f)
	}
	g.must(g.front.Negotiate(vhostuser.FeatureReplyAck | vhostuser.FeatureMQ | vhostuser.FeatureConfigureMemSlots | vhostuser.FeatureStatus | vhostuser.FeatureResetDevice))
	g.must(g.front.SetFeatures(uint64(f) | vhostuser.FeatureProtocol))
	g.must(g.front.SetMemTable([]vhostuser.Region{g.region()}, []int{g.fd}))
	for i := range 2 * pairs {
		g.start(i, f.Has(chip.RingPacked))
	}
	return g
}

func (g *guest) region() vhostuser.Region {
	return vhostuser.Region{Guest: guestBase, Size: memSize, User: userBase}
}

func (g *guest) must(err error) {
	g.t.Helper()
	if err != nil {
		g.t.Fatal(err)
	}
}

// attach connects and makes the memory.
func (g *guest) attach(path string) {
	g.t.Helper()
	sock, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
	g.must(err)
	g.front = vhostuser.NewFront(vhostuser.NewConn(sock))
	g.fd, err = unix.MemfdCreate("guest", unix.MFD_CLOEXEC)
	g.must(err)
	g.must(unix.Ftruncate(g.fd, memSize))
	g.mem, err = unix.Mmap(g.fd, 0, memSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	g.must(err)
	g.t.Cleanup(g.die)
}

// die is the end of the driver's process.
func (g *guest) die() {
	if g.mem == nil {
		return
	}
	g.front.Close()
	for _, r := range g.rings {
		unix.Close(r.kick)
		unix.Close(r.call)
	}
	_ = unix.Munmap(g.mem)
	g.mem = nil
	unix.Close(g.fd)
}

// start hands ring i over, and starts and enables it.
func (g *guest) start(i int, packed bool) *guestRing {
	g.t.Helper()
	r := &guestRing{g: g, index: i, packed: packed, base: i * 3 * 4096, wrap: true, lap: true}
	var err error
	r.kick, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	g.must(err)
	r.call, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	g.must(err)
	g.rings = append(g.rings, r)
	base := uint32(0)
	if packed {
		base = 1<<15 | 1<<31
	}
	g.must(g.front.SetVringNum(i, ringSize))
	g.must(g.front.SetVringBase(i, base))
	g.must(g.front.SetVringAddr(r.address()))
	g.must(g.front.SetVringCall(i, r.call))
	g.must(g.front.SetVringKick(i, r.kick))
	g.must(g.front.SetVringEnable(i, true))
	return r
}

func (r *guestRing) address() vhostuser.VringAddr {
	at := uint64(userBase + r.base)
	return vhostuser.VringAddr{Index: uint32(r.index), Desc: at, Avail: at + 4096, Used: at + 8192}
}

// data returns the guest address of piece i of the data, of 4096 bytes.
func data(i int) uint64 { return guestBase + dataBase + uint64(i)*4096 }

// at returns memory at a guest address.
func (g *guest) at(addr uint64) []byte { return g.mem[addr-guestBase:] }

func (r *guestRing) desc(i int) []byte { return r.g.mem[r.base+i*chip.DescSize:][:chip.DescSize] }

// offer makes a buffer available.
func (r *guestRing) offer(parts ...part) {
	le := binary.LittleEndian
	head, first := r.next, uint64(0)
	for i, p := range parts {
		flags := uint16(0)
		if p.write {
			flags |= chip.DescWrite
		}
		if i < len(parts)-1 {
			flags |= chip.DescNext
		}
		d := r.desc(r.next)
		le.PutUint64(d, p.addr)
		if !r.packed {
			following := (r.next + 1) % ringSize
			le.PutUint64(d[8:], uint64(p.size)|uint64(flags)<<chip.SplitFlagsShift|uint64(following)<<chip.SplitNextShift)
			r.next = following
			continue
		}
		if r.wrap {
			flags |= chip.DescAvail
		} else {
			flags |= chip.DescUsed
		}
		rest := uint64(p.size) | uint64(head)<<chip.PackedIDShift | uint64(flags)<<chip.PackedFlagsShift
		if i == 0 {
			first = rest
		} else {
			le.PutUint64(d[8:], rest)
		}
		if r.next++; r.next == ringSize {
			r.next, r.wrap = 0, !r.wrap
		}
	}
	if r.packed {
		le.PutUint64(r.desc(head)[8:], first)
		return
	}
	avail := r.g.mem[r.base+4096:]
	le.PutUint16(avail[4+2*(int(r.avail)%ringSize):], uint16(head))
	r.avail++
	le.PutUint16(avail[2:], r.avail)
}

// comesBack takes the next used buffer of so many descriptors, if there is one, and returns what the device wrote.
func (r *guestRing) comesBack(descs int) (wrote int, ok bool) {
	le := binary.LittleEndian
	if !r.packed {
		used := r.g.mem[r.base+8192:]
		if le.Uint16(used[2:]) == r.used {
			return 0, false
		}
		e := le.Uint64(used[4+8*(int(r.used)%ringSize):])
		r.used++
		return int(e >> 32), true
	}
	rest := le.Uint64(r.desc(r.back)[8:])
	flags := uint16(rest >> chip.PackedFlagsShift)
	if (flags&chip.DescAvail != 0) != r.lap || (flags&chip.DescUsed != 0) != r.lap {
		return 0, false
	}
	if r.back += descs; r.back >= ringSize {
		r.back, r.lap = r.back-ringSize, !r.lap
	}
	return int(uint32(rest)), true
}

// frame writes header and frame to the data from piece i on, and returns the frame.
func (g *guest) frame(i, size int) []byte {
	at := g.at(data(i))
	clear(at[:chip.HdrSize])
	f := at[chip.HdrSize:][:size]
	for k := range f {
		f[k] = byte(k*7 + i + size)
	}
	return f
}

// called tells whether the device has called since the last time.
func (r *guestRing) called() bool {
	var b [8]byte
	_, err := unix.Read(r.call, b[:])
	return err == nil
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for begin := time.Now(); !holds(); time.Sleep(100 * time.Microsecond) {
		if time.Since(begin) > patience {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// receive receives so many frames.
func receive(t testing.TB, q nic.RxQueue, n int) [][]byte {
	t.Helper()
	var frames [][]byte
	batch := make([]*packet.Buf, 8)
	for range n + 2 {
		k := q.Receive(batch)
		for _, b := range batch[:k] {
			frames = append(frames, b.AppendTo(nil))
		}
		packet.Free(batch[:k])
	}
	if len(frames) != n {
		t.Fatalf("%d frames came, want %d", len(frames), n)
	}
	return frames
}

// send sends one frame and reports whether it was taken.
func send(t testing.TB, d *Device, queue int, frame []byte) bool {
	t.Helper()
	var b [1]*packet.Buf
	if d.pool.Alloc(b[:]) != 1 || !b[0].SetBytes(frame) {
		t.Fatal("no buffer")
	}
	if d.TxQueue(queue).Send(b[:]) == 1 {
		return true
	}
	packet.Free(b[:])
	return false
}

// stopped checks that a ring was stopped for a reason.
func stopped(t testing.TB, d *Device, index int) error {
	t.Helper()
	r := d.rings[index]
	if r.live.Load() || r.broken.Load() == nil {
		t.Fatalf("ring %d goes on", index)
	}
	if err := d.Trouble(); err == nil || !errors.Is(err, *r.broken.Load()) {
		t.Errorf("trouble: %v", err)
	}
	return *r.broken.Load()
}
