// Package virtio drives virtio network devices on PCI: what hypervisors and some cards offer. It works on any
// bus.Function and makes itself known to nic.Open.
//
// Sections in comments are those of "Virtual I/O Device (VIRTIO) Version 1.2". The rings (ring.go, split.go, packed.go)
// know nothing of PCI, which is behind the interfaces host and transport.
package virtio

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
	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

func init() {
	nic.RegisterDriver(nic.Driver{
		Name: "virtio",
		Match: func(id bus.ID) bool {
			_, ok := chip.Lookup(id.Vendor, id.Device)
			return ok
		},
		Open: open,
	})
}

// Device is an open port.
type Device struct {
	fn       host
	card     string
	cfg      nic.Config
	way      transport     // nil until found
	features chip.Features // negotiated
	pool     *packet.Pool
	own      bool // pool is the port's own
	begun    bool // the device was written to
	memory   []dma.Memory
	rx       []*rxQueue
	tx       []*txQueue
	irqs     irq.Set  // that are on; nil where there are none
	control  *control // nil where the device has none
	pairs    int      // of queues that the device has
	// Of a device that may go and come again; else nil.
	keeper  interface{ end() }
	gatedRx []*gatedRx
	gatedTx []*gatedTx

	mu      sync.Mutex // guards the device's registers and what follows
	mac     net.HardwareAddr
	vlans   []uint16 // that the device passes, where it filters them
	closed  bool     // by Stop
	stopped error    // of Stop, after which the device may still be at work
	shut    bool     // by Close
}

// open implements nic.Driver.
func open(ctx context.Context, fn bus.Function, cfg nic.Config) (nic.Device, error) {
	d := &Device{fn: fn, cfg: cfg}
	d.card, _ = chip.Lookup(fn.ID().Vendor, fn.ID().Device)
	err := d.attach(fn)
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
	return fmt.Errorf("virtio %s: %s: %w", d.fn.Address(), step, fmt.Errorf(format, args...))
}

// attach checks the settings and finds the registers.
func (d *Device) attach(fn bus.Function) error {
	if err := d.check(); err != nil {
		return d.fail("settings", "%w", err)
	}
	if err := d.find(fn); err != nil {
		return d.fail("find registers", "%w", err)
	}
	return nil
}

// find chooses the modern registers or, where a transitional device has none, the legacy ones (4.1.2.3).
func (d *Device) find(fn bus.Function) error {
	m, err := findModern(fn)
	if err == nil {
		d.way = m
		return nil
	}
	if !errors.Is(err, errNoModern) || fn.ID().Device != chip.Transitional {
		return err
	}
	l, err := findLegacy(fn)
	if err == nil {
		d.way = l
	}
	return err
}

const (
	// header is an Ethernet header with two VLAN tags, ethernet one without, in bytes.
	header   = 14 + 2*4
	ethernet = 14
	// ringMin is the smallest queue in descriptors that the driver works with.
	ringMin = 4
)

// maxFrame is the longest frame in bytes, without FCS, that the MTU allows.
func (d *Device) maxFrame() int { return d.cfg.MTU + header }

// check refuses what no device can do.
func (d *Device) check() error {
	for _, r := range []struct {
		name string
		n    int
	}{{"receive ring", d.cfg.RxRing}, {"transmit ring", d.cfg.TxRing}} {
		if r.n < ringMin || r.n > chip.RingMax {
			return fmt.Errorf("%s of %d descriptors: want %d to %d", r.name, r.n, ringMin, chip.RingMax)
		}
	}
	if d.cfg.TxQueues > d.cfg.RxQueues {
		return fmt.Errorf("%d transmit and %d receive queues: a virtio device has them in pairs, of which it receives in all", d.cfg.TxQueues, d.cfg.RxQueues)
	}
	if d.cfg.RxThresholds != nil || d.cfg.TxThresholds != nil {
		return errors.New("thresholds: a virtio device has none")
	}
	return nil
}

func (d *Device) preparePool() error {
	domain := d.fn.DMA().Domain()
	if d.cfg.Pool != nil {
		if d.cfg.Pool.Domain() != domain {
			return errors.New("the pool lies in memory that this device does not reach")
		}
		d.pool = d.cfg.Pool
		return nil
	}
	var err error
	d.pool, err = packet.NewPool(d.fn.DMA(), packet.PoolConfig{Buffers: d.cfg.Buffers, Room: d.cfg.Room})
	d.own = err == nil
	return err
}

// room is the room of the port's buffers in bytes.
func (d *Device) room() int {
	switch {
	case d.cfg.Pool != nil:
		return d.cfg.Pool.Room()
	case d.cfg.Room == 0:
		return packet.DefaultRoom
	}
	return d.cfg.Room
}

// alloc gets memory of the port.
func (d *Device) alloc(size, align int) (dma.Memory, error) {
	m, err := d.fn.DMA().Alloc(size, align)
	if err == nil {
		d.memory = append(d.memory, m)
	}
	return m, err
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info {
	d.mu.Lock()
	defer d.mu.Unlock()
	return nic.Info{
		Driver: "virtio", Address: d.fn.Address(), Card: d.card, MAC: append(net.HardwareAddr(nil), d.mac...),
		NUMANode: d.fn.NUMANode(), RxQueues: d.cfg.RxQueues, TxQueues: d.cfg.TxQueues,
		RxRing: d.rx[0].size, TxRing: d.tx[0].size, MTU: d.cfg.MTU, Port: d.cfg.Port, Offloads: d.offloads(),
		Domain: d.fn.DMA().Domain(), Pool: d.pool,
	}
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue {
	if d.gatedRx != nil {
		return d.gatedRx[i]
	}
	return d.rx[i]
}

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue {
	if d.gatedTx != nil {
		return d.gatedTx[i]
	}
	return d.tx[i]
}

// wait looks at a condition until it holds. It reports false when the limit or the context ends first,
// or the device is gone. A machine that stands still meanwhile does not count as a device that does: there are a
// hundred looks at least.
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

// gone tells whether nobody answers on the bus any more: every read then gives all ones, which the status never
// does (2.1).
func (d *Device) gone() bool { return d.way.status() == 0xff }

// late is the error of a wait that did not succeed.
func (d *Device) late(ctx context.Context, step, what string) error {
	switch {
	case d.gone():
		if b, ok := d.way.(interface{ over() error }); ok {
			return d.fail(step, "%w", b.over())
		}
		return d.fail(step, "registers read as all ones: %w: was the device unplugged?", nic.ErrGone)
	case ctx.Err() != nil:
		return d.fail(step, "%w", ctx.Err())
	}
	return d.fail(step, "%s", what)
}
