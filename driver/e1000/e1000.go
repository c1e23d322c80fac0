// Package e1000 drives Intel's Gigabit Ethernet controllers of three families: the 82574, which Linux calls e1000e;
// the 82576 and its relatives 82575, 82580, I350, I210 and I211, which Linux calls igb; and the 82540EM and
// 82545EM, which hypervisors call e1000. It works on any bus.Function and makes itself known to nic.Open. What the
// families do differently is told in family.go and the facts of glassnic/chip/e1000.
//
// Sections in comments are those of the documents that glassnic/chip/e1000 names.
package e1000

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/e1000"
	"glassnic/nic"
	"glassnic/packet"
)

func init() {
	nic.RegisterDriver(nic.Driver{
		Name: "e1000",
		Match: func(id bus.ID) bool {
			_, _, ok := chip.Lookup(id.Vendor, id.Device)
			return ok
		},
		Open: open,
	})
}

// Device is an open port of a card.
type Device struct {
	fn     bus.Function
	regs   mmio.Region
	card   string
	model  chip.Model
	facts  chip.Facts
	family *family
	cfg    nic.Config
	pool   *packet.Pool
	own    bool         // pool is the port's own
	begun  bool         // the card was written to
	rings  []dma.Memory // of all queues
	rx     []*rxQueue
	tx     []*txQueue
	irqs   irq.Set // that are on; nil where there are none

	mu           sync.Mutex // guards the card's settings and what follows
	mac          net.HardwareAddr
	receiving    bool // RCTL.EN
	promiscuous  bool
	allMulticast bool
	hashing      nic.Hashing
	stats        counters
	ledctl       uint32 // LEDCTL before anybody set an LED
	ledSet       bool
	closed       bool  // by Stop
	stopped      error // of Stop, after which the card may still be at work
	shut         bool  // by Close
}

// open implements nic.Driver.
func open(ctx context.Context, fn bus.Function, cfg nic.Config) (nic.Device, error) {
	d := newDevice(fn, cfg)
	err := d.attach()
	if err == nil {
		err = d.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func newDevice(fn bus.Function, cfg nic.Config) *Device {
	d := &Device{fn: fn, cfg: cfg}
	d.card, d.model, _ = chip.Lookup(fn.ID().Vendor, fn.ID().Device)
	d.facts = d.model.Facts()
	d.family = &families[d.facts.Kind]
	return d
}

// fail names the device and the step of an error.
func (d *Device) fail(step, format string, args ...any) error {
	return fmt.Errorf("e1000 %s: %s: %w", d.fn.Address(), step, fmt.Errorf(format, args...))
}

// attach checks the settings and maps the registers.
func (d *Device) attach() error {
	if err := d.check(); err != nil {
		return d.fail("settings", "%w", err)
	}
	var err error
	if d.regs, err = d.fn.BAR(0); err != nil {
		return d.fail("map BAR 0", "%w", err)
	}
	if d.regs.Size() < chip.BARSize {
		return d.fail("map BAR 0", "%d bytes of registers, want %d: is this an %v?", d.regs.Size(), chip.BARSize, d.model)
	}
	return nil
}

// allocate gets all memory. The card has been reset before: what a former owner let it write to may be
// the very memory that this one gets.
func (d *Device) allocate(context.Context) error {
	if err := d.preparePool(); err != nil {
		return d.fail("buffers", "%w", err)
	}
	f := d.family
	for i := range d.cfg.RxQueues {
		ring, err := d.ring(d.cfg.RxRing)
		if err != nil {
			return d.fail("receive ring", "%w", err)
		}
		q := &rxQueue{
			ring: ring, stretch: min(rxStretch, ring.size/4), cache: d.pool.NewCache(), rotate: f.rotate, mask: wholeMask | f.damaged,
			tail: d.regs.Doorbell(chip.RDT(i)), room: uint64(min(f.buffer(d.pool.Room()), d.maxFrame())), max: d.maxFrame(),
			span: packet.MakeSpan(packet.Headroom, 1, packet.PortFlags(d.cfg.Port)|d.pool.Flags()),
		}
		d.rx = append(d.rx, q)
		if !q.post() {
			return d.fail("receive ring", "the pool of %d buffers does not fill %d rings of %d descriptors: make it larger", d.pool.Len(), d.cfg.RxQueues, d.cfg.RxRing)
		}
	}
	for i := range d.cfg.TxQueues {
		ring, err := d.ring(d.cfg.TxRing)
		if err != nil {
			return d.fail("transmit ring", "%w", err)
		}
		q := &txQueue{
			ring: ring, stretch: reportEvery(d.cfg), reports: make([]int, ring.size), domain: d.fn.DMA().Domain(),
			tail: d.regs.Doorbell(chip.TDT(i)), top: uint64(d.maxFrame() - chip.TxMin), own: d.pool,
			command: f.command, frame: f.frame,
		}
		q.most = min(maxSegments, ring.size-q.stretch)
		q.use(d.pool.NewCache(), false)
		d.tx = append(d.tx, q)
	}
	return nil
}

// room is the room of the port's buffers in bytes.
func room(cfg nic.Config) int {
	switch {
	case cfg.Pool != nil:
		return cfg.Pool.Room()
	case cfg.Room == 0:
		return packet.DefaultRoom
	}
	return cfg.Room
}

// check refuses what the card cannot do.
func (d *Device) check() error {
	cfg := d.cfg
	if n := room(cfg); n < chip.BufMin {
		return fmt.Errorf("buffers of %d bytes: want %d or more", n, chip.BufMin)
	}
	for _, r := range []struct {
		name string
		n    int
	}{{"receive ring", cfg.RxRing}, {"transmit ring", cfg.TxRing}} {
		if r.n < chip.RingMin || r.n > chip.RingMax || r.n%chip.RingMultiple != 0 {
			return fmt.Errorf("%s of %d descriptors: want %d to %d, a multiple of %d (8254x 13.4.27)", r.name, r.n, chip.RingMin, chip.RingMax, chip.RingMultiple)
		}
	}
	if most := d.family.queues(d.facts); cfg.RxQueues > most || cfg.TxQueues > most {
		return fmt.Errorf("%d receive and %d transmit queues: want at most %d each on an %v", cfg.RxQueues, cfg.TxQueues, most, d.model)
	}
	if most := d.facts.MaxFrame - 18; cfg.MTU > most { // header and FCS
		return fmt.Errorf("MTU %d: want at most %d on an %v", cfg.MTU, most, d.model)
	}
	for _, t := range []struct {
		name string
		*nic.Thresholds
		back int
	}{
		// What a card writes back late, nobody sees: it knows no time but that of interrupts (I210 7.1.4.4).
		{"receive", cfg.RxThresholds, 1}, {"transmit", cfg.TxThresholds, 0},
	} {
		if t.Thresholds == nil {
			continue
		}
		if min(t.Prefetch, t.Host, t.WriteBack) < 0 || max(t.Prefetch, t.Host) > chip.DctlMax || t.WriteBack > t.back {
			return fmt.Errorf("%s thresholds %+v: want prefetch and host of 0 to %d, and write-back of at most %d (I210 8.12.15)", t.name, *t.Thresholds, chip.DctlMax, t.back)
		}
	}
	if cfg.ReportEvery > cfg.TxRing/2 {
		return fmt.Errorf("a report every %d descriptors in a ring of %d: want at most half", cfg.ReportEvery, cfg.TxRing)
	}
	return nil
}

// reportEvery is how many transmit descriptors share one report of completion: enough that the report
// costs little, not so many that the ring is full before one comes.
func reportEvery(cfg nic.Config) int {
	if cfg.ReportEvery > 0 {
		return cfg.ReportEvery
	}
	return min(32, cfg.TxRing/4)
}

const (
	// maxSegments is how many buffers a frame may have: three times what the longest one needs.
	maxSegments = 32
	// header is an Ethernet header with two VLAN tags.
	header = 14 + 2*4
	fcs    = 4
)

// maxFrame is the longest frame in bytes, without FCS, that the MTU allows.
func (d *Device) maxFrame() int { return d.cfg.MTU + header }

func (d *Device) preparePool() error {
	domain := d.fn.DMA().Domain()
	if d.cfg.Pool != nil {
		if d.cfg.Pool.Domain() != domain {
			return errors.New("the pool lies in memory that this card does not reach")
		}
		d.pool = d.cfg.Pool
		return nil
	}
	var err error
	d.pool, err = packet.NewPool(d.fn.DMA(), packet.PoolConfig{Buffers: d.cfg.Buffers, Room: d.cfg.Room})
	d.own = err == nil
	return err
}

// ring gets memory for a descriptor ring.
func (d *Device) ring(n int) (ring, error) {
	m, err := d.fn.DMA().Alloc(n*chip.DescSize, chip.RingAlign)
	if err != nil {
		return ring{}, err
	}
	d.rings = append(d.rings, m)
	return newRing(m), nil
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return nic.Info{
		Driver: "e1000", Address: d.fn.Address(), Card: d.card, MAC: append(net.HardwareAddr(nil), d.mac...),
		NUMANode: d.fn.NUMANode(), RxQueues: len(d.rx), TxQueues: len(d.tx),
		RxRing: d.cfg.RxRing, TxRing: d.cfg.TxRing, MTU: d.cfg.MTU, Port: d.cfg.Port,
		Domain: d.fn.DMA().Domain(), Pool: d.pool,
	}
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue { return d.rx[i] }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue { return d.tx[i] }

// wait looks at a condition until it holds. It reports false when the limit or the context ends first,
// or the card is gone, whose all ones look like any bit that one waits for. A machine that stands still
// meanwhile does not count as a card that does: there are a hundred looks at least.
func (d *Device) wait(ctx context.Context, limit time.Duration, cond func() bool) bool {
	end := time.Now().Add(limit)
	for look := 1; ; look++ {
		if cond() {
			return !d.gone()
		}
		if look > leastLooks && time.Now().After(end) || ctx.Err() != nil || d.gone() {
			return false
		}
		time.Sleep(20 * time.Microsecond)
	}
}

// gone tells whether nobody answers on the bus any more: every read then gives all ones, which STATUS
// never does (8254x 13.4.2).
func (d *Device) gone() bool { return d.regs.Read32(chip.STATUS) == ^uint32(0) }

// late is the error of a wait that did not succeed.
func (d *Device) late(ctx context.Context, step, what string) error {
	switch {
	case d.gone():
		return d.fail(step, "registers read as all ones: %w: was the card pulled?", nic.ErrGone)
	case ctx.Err() != nil:
		return d.fail(step, "%w", ctx.Err())
	}
	return d.fail(step, "%s", what)
}
