//go:build linux

package vhost

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"glassnic/bus/dma"
	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

func init() { nic.RegisterScheme("vhost-user", open) }

// Device is an open port.
type Device struct {
	path    string
	cfg     nic.Config
	end     *vhostuser.Endpoint
	offered chip.Features
	space   *dma.Arena // of the port's own pool; nil where there is none
	pool    *packet.Pool
	own     bool // pool is the port's own
	rx      []*rxQueue
	tx      []*txQueue
	rings   []*ring          // by their numbers
	memory  vhostuser.Memory // changes while all rings are held
	session session
	done    chan struct{} // closed when the session's goroutine has ended

	closing    atomic.Bool
	connects   atomic.Uint64
	disconnect atomic.Uint64

	mu      sync.Mutex // guards what follows
	conn    *vhostuser.Conn
	trouble error // of the last connection, until the next begins
	closed  bool
	shut    bool
}

// maxPairs is how many pairs of rings fit the numbers that messages have for rings.
const maxPairs = (vhostuser.MaxVring + 1) / 2

const (
	// header is an Ethernet header with two VLAN tags, ethernet one without, in bytes.
	header   = 14 + 2*4
	ethernet = 14
)

// open implements nic.Opener: rest is PATH, on which the port listens, or PATH,client.
func open(ctx context.Context, rest string, cfg nic.Config) (nic.Device, error) {
	d := &Device{path: rest, cfg: cfg, done: make(chan struct{})}
	path, client, err := vhostuser.ParseAddress(rest, false)
	if err != nil {
		return nil, d.fail("address", "%w", err)
	}
	if err := d.check(); err != nil {
		return nil, d.fail("settings", "%w", err)
	}
	if err := d.preparePool(); err != nil {
		return nil, d.fail("buffers", "%w", err)
	}
	d.offer()
	if err := d.newQueues(); err != nil {
		close(d.done)
		return nil, errors.Join(d.fail("queues", "%w", err), d.Close())
	}
	if client {
		d.end = vhostuser.Dial(path)
	} else if d.end, err = vhostuser.Listen(path); err != nil {
		close(d.done)
		return nil, errors.Join(d.fail("listen", "%w", err), d.Close())
	}
	go d.run()
	d.waitLink(ctx)
	return d, nil
}

// fail names the device and the step of an error.
func (d *Device) fail(step, format string, args ...any) error {
	return fmt.Errorf("vhost-user %s: %s: %w", d.path, step, fmt.Errorf(format, args...))
}

func (d *Device) check() error {
	switch {
	case d.cfg.RxQueues > maxPairs:
		return fmt.Errorf("%d receive queues: want %d at most", d.cfg.RxQueues, maxPairs)
	case d.cfg.TxQueues > d.cfg.RxQueues:
		return fmt.Errorf("%d transmit and %d receive queues: a virtio device has them in pairs, of which this end receives in all", d.cfg.TxQueues, d.cfg.RxQueues)
	case d.cfg.RxThresholds != nil || d.cfg.TxThresholds != nil:
		return errors.New("thresholds: a virtio device has none")
	case d.cfg.VLANs != nil:
		return errors.New("VLANs: this end of a virtio device has no filter: open the port without a list of them")
	}
	return nil
}

// preparePool makes the pool. The port copies, so any memory will do.
func (d *Device) preparePool() (err error) {
	if d.pool = d.cfg.Pool; d.pool != nil {
		return nil
	}
	if d.space, err = attach(); err != nil {
		return err
	}
	if d.pool, err = packet.NewPool(d.space, packet.PoolConfig{Buffers: d.cfg.Buffers, Room: d.cfg.Room}); err != nil {
		return errors.Join(err, detach())
	}
	d.own = true
	return nil
}

// offer decides which features drivers may choose from. The control queue is the front-end's own affair, which takes
// the bits for it from here all the same.
func (d *Device) offer() {
	d.offered = chip.Version1 | chip.AnyLayout | chip.NetMrgRxbuf | chip.EventIdx | chip.IndirectDesc | chip.RingPacked |
		chip.InOrder | chip.NetStatus | chip.NetCtrlVQ | chip.NetCtrlRx | chip.NetGuestAnnounce | chip.NetCtrlMACAddr |
		chip.NetGuestCSum
	if d.cfg.RxQueues > 1 {
		d.offered |= chip.NetMQ
	}
	// With it the driver sends frames whose checksums are partial.
	if d.cfg.Offloads&nic.RxPartial != 0 {
		d.offered |= chip.NetCSum
	}
	if d.cfg.Offloads&nic.RxSegment != 0 {
		d.offered |= hostTSO
	}
	if d.cfg.Offloads&nic.TxSegment != 0 {
		d.offered |= guestTSO
	}
}

// What a driver needs to send and to receive large frames (5.1.3.1), those with CWR among them.
const (
	hostTSO  = chip.NetCSum | chip.NetHostTSO4 | chip.NetHostTSO6 | chip.NetHostECN
	guestTSO = chip.NetGuestCSum | chip.NetGuestTSO4 | chip.NetGuestTSO6 | chip.NetGuestECN
)

func (d *Device) newQueues() error {
	for i := range d.cfg.RxQueues {
		in, out := newRing(d, chip.TxQueue(i)), newRing(d, chip.RxQueue(i))
		d.rings = append(d.rings, out, in) // the driver's receive queue has the even number
		q, err := d.newRx(in, out)
		if err != nil {
			return err
		}
		d.rx = append(d.rx, q)
		if i < d.cfg.TxQueues {
			d.tx = append(d.tx, d.newTx(i, out))
		}
	}
	return nil
}

// waitLink waits for a driver as long as the settings say.
func (d *Device) waitLink(ctx context.Context) {
	for end := time.Now().Add(d.cfg.LinkWait); time.Now().Before(end) && ctx.Err() == nil && !d.up(); {
		time.Sleep(time.Millisecond)
	}
}

// up tells whether a driver takes frames.
func (d *Device) up() bool {
	for _, q := range d.tx {
		if q.own.live.Load() {
			return true
		}
	}
	return false
}

// Info implements nic.Device. The address is one made of the path: the driver's is the front-end's affair.
func (d *Device) Info() nic.Info {
	h := fnv.New64a()
	_, _ = h.Write([]byte(d.path))
	n := h.Sum64()
	o := nic.TxChecksum
	if d.offered.Has(chip.NetCSum) {
		o |= nic.RxPartial
	}
	if d.offered.Has(hostTSO) {
		o |= nic.RxSegment
	}
	if d.offered.Has(guestTSO) {
		o |= nic.TxSegment
	}
	return nic.Info{
		Driver: "vhost", Address: "vhost-user:" + d.path, Card: "vhost-user back-end", NUMANode: -1,
		MAC:      net.HardwareAddr{2, byte(n >> 32), byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)},
		RxQueues: len(d.rx), TxQueues: len(d.tx), RxRing: d.cfg.RxRing, TxRing: d.cfg.TxRing, MTU: d.cfg.MTU,
		Port: d.cfg.Port, Domain: d.pool.Domain(), Pool: d.pool, Offloads: o,
	}
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue { return d.rx[i] }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue { return d.tx[i] }

// Link implements nic.Device: it is up while a driver takes frames. Its speed is that of the memory, which nobody
// knows.
func (d *Device) Link() (nic.Link, error) {
	if d.closing.Load() {
		return nic.Link{}, d.fail("link", "%w", nic.ErrClosed)
	}
	return nic.Link{Up: d.up()}, nil
}

// SetPromiscuous implements nic.Device: the port receives all that the driver sends in any case.
func (d *Device) SetPromiscuous(bool) error { return nil }

// Trouble implements nic.Watched: it tells of rings that were stopped because the driver wrote what cannot be, and of
// connections that ended by such messages. The port waits for the driver to begin anew.
func (d *Device) Trouble() error {
	var all []error
	for _, r := range d.rings {
		if err := r.broken.Load(); err != nil {
			all = append(all, *err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.trouble != nil {
		all = append(all, d.trouble)
		if d.up() {
			d.trouble = nil // told once, and over
		}
	}
	return errors.Join(all...)
}

// Stop implements nic.Stopper: the connection ends, and with it all use of the driver's memory.
func (d *Device) Stop() error {
	d.closing.Store(true)
	d.mu.Lock()
	was, conn := d.closed, d.conn
	d.closed = true
	d.mu.Unlock()
	if was {
		return nil
	}
	var err error
	if d.end != nil {
		err = d.end.Close()
	}
	if conn != nil {
		_ = conn.Close()
	}
	<-d.done
	for _, q := range d.rx {
		q.cache.Flush()
	}
	for _, q := range d.tx {
		q.cache.Flush()
	}
	return err
}

// Close implements nic.Device.
func (d *Device) Close() error {
	err := d.Stop()
	if d.shut {
		return nil
	}
	d.shut = true
	for _, q := range d.rx {
		err = errors.Join(err, q.wake.close())
	}
	if d.own {
		if perr := d.pool.Close(); perr != nil {
			return errors.Join(err, perr) // the memory stays, for somebody holds buffers in it
		}
		err = errors.Join(err, detach())
	}
	return err
}
