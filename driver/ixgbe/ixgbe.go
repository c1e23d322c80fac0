// Package ixgbe drives the Intel 82599 10 Gigabit Ethernet controller and its relatives: X520, X540,
// X550.
//
// Read it in this order: init.go brings the card up, rx.go receives, tx.go sends; the rest is beside
// the way of a packet. Section numbers are those of the Intel 82599 10 GbE Controller Datasheet.
package ixgbe

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
	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

func init() {
	nic.RegisterDriver(nic.Driver{
		Name: "ixgbe",
		Match: func(id bus.ID) bool {
			_, _, ok := chip.Lookup(id.Vendor, id.Device)
			return ok
		},
		Open: open,
	})
}

// Device is an open port of a card.
type Device struct {
	fn    bus.Function
	regs  mmio.Region
	card  string
	model chip.Model
	cfg   nic.Config
	pool  *packet.Pool
	own   bool         // pool is the port's own
	begun bool         // the card was written to
	rings []dma.Memory // of all queues
	rx    []*rxQueue
	tx    []*txQueue
	clock *clock  // nil: none that is in use
	irqs  irq.Set // nil where no queue can wait

	mu           sync.Mutex // guards the card's settings and what follows
	mac          net.HardwareAddr
	promiscuous  bool
	allMulticast bool
	hashing      nic.Hashing
	steering     steering
	directing    uint32 // FDIRCTRL of flow director, 0: it is off
	rates        rates
	stats        counters
	ledctl       uint32 // LEDCTL before anybody set an LED
	ledSet       bool
	closed       bool  // by Stop
	stopped      error // of Stop, after which the card may still be at work
	shut         bool  // by Close

	irqMu sync.Mutex // guards EIMS and EIMC, and
	armed uint32     // the bits of the queues that wait
}

// open implements nic.Driver.
func open(ctx context.Context, fn bus.Function, cfg nic.Config) (nic.Device, error) {
	d := &Device{fn: fn, cfg: cfg}
	d.card, d.model, _ = chip.Lookup(fn.ID().Vendor, fn.ID().Device)
	err := d.attach()
	if err == nil {
		err = d.start(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// fail names the device and the step of an error.
func (d *Device) fail(step, format string, args ...any) error {
	return fmt.Errorf("ixgbe %s: %s: %w", d.fn.Address(), step, fmt.Errorf(format, args...))
}

// attach checks the settings and maps the registers.
func (d *Device) attach() error {
	if err := check(d.cfg); err != nil {
		return d.fail("settings", "%w", err)
	}
	var err error
	if d.regs, err = d.fn.BAR(0); err != nil {
		return d.fail("map BAR 0", "%w", err)
	}
	if d.regs.Size() < chip.BARSize {
		return d.fail("map BAR 0", "%d bytes of registers, want %d: is this an 82599?", d.regs.Size(), chip.BARSize)
	}
	return nil
}

// allocate gets all memory. The card has been reset before: what a former owner let it write to may be
// the very memory that this one gets.
func (d *Device) allocate(context.Context) error {
	if err := d.preparePool(); err != nil {
		return d.fail("buffers", "%w", err)
	}
	for i := range d.cfg.RxQueues {
		ring, err := d.ring(d.cfg.RxRing)
		if err != nil {
			return d.fail("receive ring", "%w", err)
		}
		room := min(d.pool.Room(), chip.BufMax) / chip.BufUnit * chip.BufUnit
		q := &rxQueue{
			ring: ring, stretch: min(rxStretch, ring.size/4), cache: d.pool.NewCache(),
			tail: d.regs.Doorbell(chip.RDT(i)), room: uint64(room), max: d.maxFrame(),
			told: d.cfg.Offloads&(nic.RxChecksum|nic.RxHash|nic.RxVLAN|nic.Timestamps) != 0,
			span: packet.MakeSpan(packet.Headroom, 1, packet.PortFlags(d.cfg.Port)|d.pool.Flags()),
		}
		if d.coalesces() {
			q.told, q.chains = true, make([]chain, ring.size)
		}
		if !q.told {
			q.plain = q.room
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
			tail: d.regs.Doorbell(chip.TDT(i)), top: uint64(d.maxFrame() - minTx), own: d.pool,
			segments: d.cfg.Offloads&nic.TxSegment != 0, outer: d.outer(),
		}
		// Between two reports, and so behind an open stretch, the card allows for TxDescMax.
		q.most = min(maxSegments, chip.TxDescMax-(q.stretch-1), ring.size-q.stretch)
		if t := d.cfg.TxThresholds; t != nil {
			q.most = min(q.most, maxSegments-t.WriteBack)
		}
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
func check(cfg nic.Config) error {
	if n := room(cfg); n < chip.BufMin {
		return fmt.Errorf("buffers of %d bytes: want %d or more (8.2.3.8.7, SRRCTL.BSIZEPACKET)", n, chip.BufMin)
	}
	for _, r := range []struct {
		name string
		n    int
	}{{"receive ring", cfg.RxRing}, {"transmit ring", cfg.TxRing}} {
		if r.n < chip.RingMin || r.n > chip.RingMax || r.n%chip.RingMultiple != 0 {
			return fmt.Errorf("%s of %d descriptors: want %d to %d, a multiple of %d (8.2.3.8.3)", r.name, r.n, chip.RingMin, chip.RingMax, chip.RingMultiple)
		}
	}
	// Without DCB and virtualization RSS spreads over 16 queues (7.1.2.8), and as many of both kinds
	// can be counted separately (8.2.3.23.71).
	if cfg.RxQueues > maxRxQueues || cfg.TxQueues > maxTxQueues {
		return fmt.Errorf("%d receive and %d transmit queues: want at most %d and %d", cfg.RxQueues, cfg.TxQueues, maxRxQueues, maxTxQueues)
	}
	if cfg.MTU > maxMTU {
		return fmt.Errorf("MTU %d: want at most %d", cfg.MTU, maxMTU)
	}
	if cfg.RxThresholds != nil {
		return errors.New("receive thresholds: the 82599 has none (8.2.3.8.6)")
	}
	if t := cfg.TxThresholds; t != nil {
		for _, v := range []int{t.Prefetch, t.Host, t.WriteBack} {
			if v < 0 || v > 127 || v >= cfg.TxRing {
				return fmt.Errorf("transmit thresholds %+v: want 0 to 127 and less than the ring (8.2.3.9.10)", *t)
			}
		}
		if t.Prefetch+t.WriteBack > chip.TxDescMax || t.WriteBack >= maxSegments {
			return fmt.Errorf("transmit thresholds %+v: want prefetch and write-back of at most %d together, and write-back below %d (7.2.1.1, 7.2.3.4.1)", *t, chip.TxDescMax, maxSegments)
		}
		if t.WriteBack > 0 && reportEvery(cfg) != 1 {
			return fmt.Errorf("write-back threshold %d with a report every %d descriptors: one of the two must go (7.2.3.5.1)", t.WriteBack, reportEvery(cfg))
		}
	}
	if cfg.ReportEvery > maxReport {
		return fmt.Errorf("a report every %d descriptors: want at most %d (8.2.3.9.10)", cfg.ReportEvery, maxReport)
	}
	if cfg.ReportEvery > cfg.TxRing/2 {
		return fmt.Errorf("a report every %d descriptors in a ring of %d: want at most half", cfg.ReportEvery, cfg.TxRing)
	}
	return nil
}

// reportEvery is how many transmit descriptors share one report of completion: enough that the report
// costs little, not so many that the ring is full before one comes, and fewer than the 40 that the card
// allows (8.2.3.9.10), since the longest frame may follow.
func reportEvery(cfg nic.Config) int {
	if cfg.ReportEvery > 0 {
		return cfg.ReportEvery
	}
	longest := (cfg.MTU + header + room(cfg) - 1) / room(cfg)
	every := min(32, cfg.TxRing/4, chip.TxDescMax+1-longest)
	if cfg.Offloads&nic.TxSegment != 0 {
		return min(every, reportLarge)
	}
	return every
}

const (
	maxRxQueues = 16
	maxTxQueues = 64
	// maxSegments is how many buffers a frame may have, less the write-back threshold (7.2.1.1).
	maxSegments = chip.TxDescMax - 2
	// maxReport leaves room for a frame of nine buffers behind it: 9.5 KiB in buffers of 1,152 bytes or
	// more.
	maxReport = chip.TxDescMax - 8
	// reportLarge leaves room for a frame of 64 KB in 33 buffers of packet.DefaultRoom, and its context.
	reportLarge = 4
	// maxMTU makes frames of 9.5 KiB (9728 bytes) with header and FCS.
	maxMTU = 9728 - 18
	// header is an Ethernet header with two VLAN tags.
	header = 14 + 2*4
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
		Driver: "ixgbe", Address: d.fn.Address(), Card: d.card, MAC: append(net.HardwareAddr(nil), d.mac...),
		NUMANode: d.fn.NUMANode(), RxQueues: len(d.rx), TxQueues: len(d.tx),
		RxRing: d.cfg.RxRing, TxRing: d.cfg.TxRing, MTU: d.cfg.MTU, Port: d.cfg.Port, Offloads: d.offloads(),
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
// never does (8.2.3.1.2).
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
