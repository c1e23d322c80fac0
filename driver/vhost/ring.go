//go:build linux

package vhost

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/internal/wake"
)

// ring is one ring of the driver's. Whoever touches the driver's memory holds it: a worker for one batch, by enter and
// leave, or the session while it changes something. The worker never waits: while the session has the ring there is
// nothing to receive or send. So no memory goes while somebody uses it.
type ring struct {
	d     *Device
	index int

	receives bool        // it is a receive queue's
	live     atomic.Bool // started, with all its memory there, and enabled but for receive queues
	mute     atomic.Bool // of a receive queue: what comes is thrown away, for the ring is disabled ("Ring states")
	broken   atomic.Pointer[error]

	mu sync.Mutex // guards all that follows

	// What the front-end said.
	size    int // descriptors
	addr    vhostuser.VringAddr
	placed  bool // addr is set
	base    uint32
	started bool
	enabled bool
	kick    *wake.Event // nil where the driver does not tell of new buffers
	call    *wake.Event // nil where it does not want to be told of used ones
	errors  *wake.Event

	// How the ring is used once it has begun.
	begun  bool
	packed bool
	events bool // VIRTIO_F_EVENT_IDX
	merges bool // VIRTIO_NET_F_MRG_RXBUF
	hdr    int  // bytes of the header before each frame
	view   view
	next   uint16 // entry of the available ring, or descriptor of a packed one, that comes next
	wrap   bool   // packed: the driver's wrap counter
	ready  int    // split: entries from next on that the driver has made available
	used   uint16 // split: entries of the used ring, modulo 2^16
	shown  uint16 // used, or next of a packed ring, when that was last published
	owed   int    // entries, or descriptors of a packed ring, since the driver was last told, up to the size
	due    bool   // the driver was not told of the last that was published
	shows  tally  // how often something was published
	parts  [][]byte
	marks  []mark
	row    row
	wake   *sleeper // of a receive queue
	fatal  bool     // the goroutine's own setting of debug.SetPanicOnFault
}

// mark is a buffer that was taken from the ring: where its used entry goes, and what goes there.
type mark struct {
	id    uint16
	wrap  bool
	at    uint16 // packed: its first descriptor
	more  uint16 // packed: those behind it
	bytes int    // of its descriptors
	wrote int
}

func newRing(d *Device, index int) *ring { return &ring{d: d, index: index} }

// enter takes the ring for a batch. It reports false where there is nothing to do now; else leave must follow.
func (r *ring) enter() bool {
	if !r.live.Load() || !r.mu.TryLock() {
		return false
	}
	if !r.live.Load() {
		r.mu.Unlock()
		return false
	}
	r.faults(true)
	return true
}

// faults makes an access to memory that the front-end has cut off its file a panic, which leave recovers, instead of
// the end of the program. It holds for the goroutine.
func (r *ring) faults(panics bool) {
	if was := debug.SetPanicOnFault(panics || r.fatal); panics {
		r.fatal = was
	}
}

// leave ends what enter began, or mu.Lock and faults(true); it is deferred.
func (r *ring) leave() {
	if e := recover(); e != nil {
		r.fault(e)
	}
	r.faults(false)
	r.mu.Unlock()
}

// fault stops the ring for what was recovered.
func (r *ring) fault(e any) {
	if _, ok := e.(interface{ Addr() uintptr }); ok { // as debug.SetPanicOnFault has it
		r.stop(errFault)
		return
	}
	r.stop(fmt.Errorf("%v", e))
}

var errFault = errors.New("the front-end has made memory shorter that it had handed over: let it seal its memory (F_SEAL_SHRINK), as QEMU's memory-backend-memfd does")

// stop stops the ring because of something that cannot be, until the front-end starts it anew.
func (r *ring) stop(err error) {
	err = r.d.fail(fmt.Sprintf("ring %d", r.index), "%w: the ring is stopped until its driver starts anew", err)
	r.broken.Store(&err)
	r.halt()
	if r.errors != nil {
		_ = r.errors.Signal()
	}
}

func (r *ring) lie(format string, args ...any) { r.stop(fmt.Errorf(format, args...)) }

// settle makes the ring live if the front-end has said all that is needed, else not. The caller holds it.
func (r *ring) settle(f chip.Features) {
	r.live.Store(false)
	if !r.started || !r.placed || r.size == 0 || r.broken.Load() != nil {
		return
	}
	r.packed, r.events, r.merges = f.Has(chip.RingPacked), f.Has(chip.EventIdx), f.Has(chip.NetMrgRxbuf)
	r.hdr = chip.HdrLegacySize
	if f&(chip.Version1|chip.NetMrgRxbuf) != 0 {
		r.hdr = chip.HdrSize
	}
	if err := r.place(); err != nil {
		r.stop(err)
		return
	}
	if !r.begun {
		r.begin()
	}
	r.mute.Store(!r.enabled)
	r.live.Store(r.begun && (r.enabled || r.receives))
	if r.wake != nil {
		r.wake.nudge()
	}
}

// place finds the ring in memory.
func (r *ring) place() error {
	n := r.size
	if !r.packed && n&(n-1) != 0 {
		return fmt.Errorf("a split ring of %d descriptors: want a power of two (2.7)", n)
	}
	driver, device := chip.AvailSize(n), chip.UsedSize(n)
	if r.packed {
		driver, device = chip.EventSize, chip.EventSize
	}
	var parts [3][]byte
	for i, p := range []struct {
		name        string
		addr        uint64
		size, align int
	}{
		{"descriptors", r.addr.Desc, n * chip.DescSize, 16},
		{"driver's part", r.addr.Avail, driver, 4},
		{"device's part", r.addr.Used, device, 4},
	} {
		if parts[i] = r.d.memory.User(p.addr, uint64(p.size)); parts[i] == nil {
			return fmt.Errorf("the %s, %d bytes at user address %#x, do not lie in one region of memory", p.name, p.size, p.addr)
		}
		if !aligned(parts[i], p.align) {
			return fmt.Errorf("the %s at user address %#x: want a multiple of %d", p.name, p.addr, p.align)
		}
	}
	r.view = newView(parts[0], parts[1], parts[2])
	if len(r.parts) < n {
		r.parts, r.marks = make([][]byte, max(n, leastParts)), make([]mark, max(n, leastParts))
	}
	return nil
}

// leastParts is how many parts a frame may always have.
const leastParts = 64

// begin starts where the ring stands. No buffer is ever kept from one batch to the next, so what was used says where,
// also where this back-end died before it could be asked (GET_VRING_BASE). The base counts where a packed ring does not
// tell.
func (r *ring) begin() {
	defer func() {
		if e := recover(); e != nil {
			r.fault(e)
		}
		r.faults(false)
	}()
	r.faults(true)
	if r.packed {
		r.next, r.wrap = uint16(r.base&0x7fff), r.base>>15&1 != 0
		if int(r.next) >= r.size {
			r.lie("it begins at descriptor %d of %d", r.next, r.size)
			return
		}
		if next, wrap, ok := r.stands(); ok {
			r.next, r.wrap = next, wrap
		}
		r.shown = r.next
	} else {
		r.used = r.view.usedIndex()
		r.next, r.ready, r.shown = r.used, 0, r.used
	}
	r.owed, r.due = 0, false
	r.ask(false)
	r.begun = true
}

// end stops the ring and forgets the driver's events; the front-end starts it again with new ones (GET_VRING_BASE).
func (r *ring) end() {
	r.base = r.where()
	r.halt()
	r.broken.Store(nil)
	r.started = false
	r.setKick(nil)
	r.setCall(nil)
	if r.wake != nil {
		r.wake.nudge()
	}
}

// halt makes the ring begin again at its base when all is there.
func (r *ring) halt() {
	r.live.Store(false)
	r.begun = false
}

// reset makes the ring what it is at the begin of a connection.
func (r *ring) reset() {
	r.end()
	r.size, r.placed, r.base, r.enabled = 0, false, 0, false
	r.setErr(nil)
}

// where is where the ring stands, as messages have it ("SetVringBase").
func (r *ring) where() uint32 {
	if !r.begun {
		return r.base
	}
	if !r.packed {
		return uint32(r.next)
	}
	v := uint32(r.next)
	if r.wrap {
		v |= 1 << 15
	}
	return v | v<<16
}

func (r *ring) setKick(e *wake.Event) {
	if r.wake != nil {
		r.wake.watch(r.kick, e)
	}
	replace(&r.kick, e)
}

func (r *ring) setCall(e *wake.Event) { replace(&r.call, e) }
func (r *ring) setErr(e *wake.Event)  { replace(&r.errors, e) }

func replace(p **wake.Event, e *wake.Event) {
	if *p != nil {
		_ = (*p).Close()
	}
	*p = e
}
