package virtio_test

import (
	"encoding/binary"
	"fmt"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/sim/iommu"
)

// Feature bits, by number.
const (
	fCSum, fGuestCSum, fCtrlVLAN                             = 1 << 0, 1 << 1, 1 << 19
	fGuestTSO, fHostTSO                                      = 7 << 7, 3<<11 | 1<<13 // TSO4, TSO6 and ECN
	fMTU, fMAC, fMrg, fStatus, fCtrl, fCtrlRx, fMQ, fCtrlMAC = 1 << 3, 1 << 5, 1 << 15, 1 << 16, 1 << 17, 1 << 18, 1 << 22, 1 << 23
	fAnyLayout, fEventIdx                                    = 1 << 27, 1 << 29
	fVersion1, fPlatform, fPacked, fOrder                    = 1 << 32, 1 << 33, 1 << 34, 1 << 36
	fInOrder                                                 = 1 << 35
	fSpeed                                                   = 1 << 63
	// fAll are all bits that a device may offer, among them those that this driver leaves alone.
	fAll = 1<<64 - 1
)

// card plays a virtio network device: its registers, its queues and its PCI configuration space. It moves frames
// when it is stepped, and only of queues whose doorbell rang since it last found them empty. Bits and offsets are
// written as the specification has them, not by the constants that the driver uses.
type card struct {
	device   uint16
	offered  uint64
	accepted uint64
	isolated bool
	space    *iommu.Space
	cfg      [256]byte
	own      [64]byte // the device's configuration
	selects  [2]uint32
	sel      uint16
	status   uint8
	vqs      []*vq
	trace    []string
	faults   []string // what the driver must not do

	in  [][]byte // frames that arrive
	out [][]byte // frames that were sent

	generations          int // times that the configuration changes while it is read
	pulled, stuck, picky bool
	needsReset           bool // from the next DRIVER_OK on
	deaf                 bool // queue_enable does nothing
	silent               bool // asks for no notifications
	buffers              int  // that a frame is divided among at least, with merging
	lie                  func(q *vq, id, n uint32) (uint32, uint32)
	late                 bool // uses buffers in reverse order
	batches              bool // says only once what was sent of several buffers, where they are in order
	set                  *interrupts
	isr                  uint32
	poor                 bool // has no vectors
	resets               int
	active               int      // pairs of queues in use
	commands             []string // class, number and data
	answer               byte
	mute                 bool                   // answers no command
	queue                func(frame []byte) int // of a frame that arrives
	partial              *[2]uint16             // where checksums of frames that arrive are partial: start and offset
	header               []byte                 // of frames that arrive, in place of what is so
	large                [][]byte               // headers of the large frames that were sent
	pieces               int                    // what the header says of them; -1: what is so
	ports                mmio.Region            // of the legacy interface
	trouble              error                  // of the bus
	closed               int
	memory               dma.Allocator
	mapped               error
}

// place is where the device takes the next buffer of a queue: in an available ring, or a packed one.
type place struct {
	seen uint16
	at   int
	turn bool // the wrap counter is 0
	next int  // descriptor of a split ring, where buffers are in order
}

// vq is a queue of the device.
type vq struct {
	number, max, size int
	desc, driver, dev uint64
	enabled           bool
	place
	used     uint16
	awake    bool
	bells    int
	vector   uint16
	usedAt   int // of a packed ring
	usedTurn bool
	length   map[uint32]int  // descriptors of a buffer
	held     map[uint16]bool // heads that the device has
	back     [][2]uint32     // used, but not told yet
}

func newCard() *card {
	c := &card{device: 0x1041, offered: fVersion1 | fMAC | fStatus | fMTU, space: iommu.New(), buffers: 1, pieces: -1}
	c.setPairs(1)
	copy(c.own[:], []byte{0x52, 0x54, 0, 0x12, 0x34, 0x56, 1, 0})
	binary.LittleEndian.PutUint16(c.own[10:], 9000)
	binary.LittleEndian.PutUint32(c.own[12:], 10000)
	c.cfg[6] = 0x10 // capabilities
	c.cfg[0x34] = 0x40
	at := byte(0x40)
	for _, s := range []struct {
		kind, bar    byte
		off, n, more uint32
	}{
		{1, 7, 0, 0, 0}, // reserved: to be passed over
		{1, 4, 0, 0x38, 0}, {3, 4, 0x1000, 4, 0}, {4, 4, 0x2000, 24, 0}, {2, 4, 0x3000, 0x100, 4},
		{5, 0, 0, 0, 0}, {1, 3, 0, 0x38, 0}, // a second one is no longer looked at
	} {
		c.cfg[at], c.cfg[at+1], c.cfg[at+2], c.cfg[at+3], c.cfg[at+4] = 9, at+20, 20, s.kind, s.bar
		binary.LittleEndian.PutUint32(c.cfg[at+8:], s.off)
		binary.LittleEndian.PutUint32(c.cfg[at+12:], s.n)
		binary.LittleEndian.PutUint32(c.cfg[at+16:], s.more)
		at += 20
	}
	c.cfg[at-19] = 0
	return c
}

// setPairs gives the device so many pairs of queues, and a control queue.
func (c *card) setPairs(n int) {
	c.vqs = nil
	for i := range 2*n + 1 {
		c.vqs = append(c.vqs, &vq{number: i, max: 256, vector: 0xffff})
	}
	c.own[8] = byte(n)
}

// control is the number of the control queue (5.1.2).
func (c *card) control() int {
	if c.has(fMQ) {
		return 2 * int(c.own[8])
	}
	return 2
}

func (c *card) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

// reset is what writing 0 to the status does.
func (c *card) reset() {
	c.accepted, c.selects, c.sel, c.active = 0, [2]uint32{}, 0, 1
	for i, q := range c.vqs {
		c.vqs[i] = &vq{number: i, max: q.max, size: q.max, bells: q.bells, vector: 0xffff}
	}
}

func (c *card) has(f uint64) bool { return c.accepted&f != 0 }

// register reads the common configuration (4.1.4.3).
func (c *card) register(off uint32) (v uint64, bits int) {
	q := &vq{}
	if int(c.sel) < len(c.vqs) {
		q = c.vqs[c.sel]
	}
	one := func(b bool) uint64 {
		if b {
			return 1
		}
		return 0
	}
	switch off {
	case 0, 8:
		return uint64(c.selects[off/8]), 32
	case 4, 12:
		f := c.offered
		if off == 12 {
			f = c.accepted
		}
		if c.selects[off/8] > 1 {
			return 0, 32
		}
		return f >> (32 * c.selects[off/8]) & (1<<32 - 1), 32
	case 16:
		return 0xffff, 16
	case 18:
		return uint64(len(c.vqs)), 16
	case 20:
		return uint64(c.status), 8
	case 21:
		if c.generations > 0 {
			c.generations--
		}
		return uint64(c.generations & 0xff), 8
	case 22:
		return uint64(c.sel), 16
	case 24:
		return uint64(q.size), 16
	case 26:
		return uint64(q.vector), 16
	case 28:
		return one(q.enabled), 16
	case 30:
		return uint64(q.number), 16
	case 32, 36, 40, 44, 48, 52:
		return []uint64{q.desc, q.driver, q.dev}[(off-32)/8] >> (8 * (off % 8)) & (1<<32 - 1), 32
	}
	c.fault("read of register %#x", off)
	return 0, 32
}

func (c *card) read(off uint32, bits int) uint32 {
	if c.pulled {
		return 1<<bits - 1
	}
	switch {
	case off < 0x38:
		v, want := c.register(off)
		if bits != want {
			c.fault("register %#x read with %d bits", off, bits)
		}
		return uint32(v)
	case off == 0x1000 && bits == 8:
		v := c.isr
		c.isr = 0
		return v
	case off >= 0x2000 && off < 0x2000+64:
		b := append(c.own[off-0x2000:len(c.own):len(c.own)], 0, 0, 0, 0)
		if off >= 0x2000+24 {
			c.fault("configuration read at %#x", off)
		}
		return binary.LittleEndian.Uint32(b) & (1<<bits - 1)
	}
	c.fault("read at %#x", off)
	return 0
}

func (c *card) write(off, v uint32, bits int) {
	if c.pulled {
		return
	}
	if off >= 0x3000 && off < 0x3100 {
		c.ring(int(off-0x3000)/4, v, bits)
		return
	}
	if off >= 0x38 {
		c.fault("write at %#x", off)
		return
	}
	if _, want := c.register(off); bits != want {
		c.fault("register %#x written with %d bits", off, bits)
	}
	var q *vq
	if int(c.sel) < len(c.vqs) {
		q = c.vqs[c.sel]
	}
	switch off {
	case 0, 8:
		c.selects[off/8] = v
	case 12:
		if c.selects[1] < 2 {
			shift := 32 * c.selects[1]
			c.accepted = c.accepted&^(0xffffffff<<shift) | uint64(v)<<shift
		}
	case 20:
		c.setStatus(uint8(v))
	case 22:
		c.sel = uint16(v)
	case 24:
		q.size = int(v)
	case 26:
		if q.vector = uint16(v); c.poor {
			q.vector = 0xffff
		}
	case 28:
		c.trace = append(c.trace, fmt.Sprintf("enable %d", c.sel))
		q.enabled = !c.deaf
		q.held, q.length = map[uint16]bool{}, map[uint32]int{}
	case 32, 36, 40, 44, 48, 52:
		p := []*uint64{&q.desc, &q.driver, &q.dev}[(off-32)/8]
		shift := 8 * (off % 8)
		*p = *p&^(0xffffffff<<shift) | uint64(v)<<shift
	default:
		c.fault("write to register %#x", off)
	}
}

// setStatus is the handshake (3.1.1).
func (c *card) setStatus(v uint8) {
	c.trace = append(c.trace, fmt.Sprintf("status %d", v))
	if v == 0 {
		if c.resets++; c.resets == 1 && c.space.InUse() != 0 {
			c.fault("memory before the reset: a former owner's rings may be there")
		}
		if !c.stuck {
			c.status = 0
			c.reset()
		}
		return
	}
	if v&8 != 0 && c.status&8 == 0 {
		if c.accepted&^c.offered != 0 {
			c.fault("features %#x were not offered", c.accepted&^c.offered)
		}
		if c.picky {
			v &^= 8
		}
	}
	c.status = v
	if v&4 != 0 && c.needsReset {
		c.status |= 64
	}
}

// ring is a write to a doorbell.
func (c *card) ring(queue int, v uint32, bits int) {
	if bits != 16 || int(v) != queue || queue >= len(c.vqs) {
		c.fault("doorbell %d: %d of %d bits", queue, v, bits)
		return
	}
	if c.status&4 == 0 {
		c.fault("doorbell %d before DRIVER_OK", queue)
	}
	c.vqs[queue].awake = true
	c.vqs[queue].bells++
	if c.has(fCtrl) && queue == c.control() {
		for !c.mute && c.command(c.vqs[queue]) {
		}
	}
}

// NarrowHook

func (c *card) Read8(off uint32) uint8       { return uint8(c.read(off, 8)) }
func (c *card) Read16(off uint32) uint16     { return uint16(c.read(off, 16)) }
func (c *card) Read32(off uint32) uint32     { return c.read(off, 32) }
func (c *card) Write8(off uint32, v uint8)   { c.write(off, uint32(v), 8) }
func (c *card) Write16(off uint32, v uint16) { c.write(off, uint32(v), 16) }
func (c *card) Write32(off, v uint32)        { c.write(off, v, 32) }

// Function

func (c *card) Address() string         { return "test:card" }
func (c *card) ID() bus.ID              { return bus.ID{Vendor: 0x1af4, Device: c.device} }
func (*card) NUMANode() int             { return -1 }
func (c *card) Config() bus.ConfigSpace { return space{c} }
func (*card) Reset() error              { return nil }
func (c *card) Close() error            { c.closed++; return nil }
func (c *card) Interrupts() (irq.Set, error) {
	if c.set == nil {
		return nil, nil
	}
	return c.set, c.set.err
}
func (c *card) Trouble() error { return c.trouble }
func (c *card) Isolated() bool { return c.isolated }

func (c *card) BAR(n int) (mmio.Region, error) {
	if n == 0 && c.device == 0x1000 && c.mapped == nil {
		return c.ports, nil
	}
	if c.mapped != nil || n != 4 {
		return mmio.Region{}, fmt.Errorf("no BAR %d: %w", n, c.mapped)
	}
	return mmio.Trap(0x4000, c), nil
}

func (c *card) DMA() dma.Allocator {
	if c.memory != nil {
		return c.memory
	}
	return c.space
}

// space is a configuration space.
type space struct{ c *card }

func (s space) Read8(off int) (uint8, error)   { return s.c.cfg[off], nil }
func (s space) Read16(off int) (uint16, error) { return binary.LittleEndian.Uint16(s.c.cfg[off:]), nil }
func (s space) Read32(off int) (uint32, error) { return binary.LittleEndian.Uint32(s.c.cfg[off:]), nil }
func (space) Write8(int, uint8) error          { return nil }
func (space) Write16(int, uint16) error        { return nil }
func (space) Write32(int, uint32) error        { return nil }
