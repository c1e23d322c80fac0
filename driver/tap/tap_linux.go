package tap

import (
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/nic"
	"glassnic/nic/soft"
	"glassnic/nic/vnet"
)

// Device is a port at a TAP interface.
type Device struct {
	*soft.Port
	rx     []*rxQueue
	tx     []*txQueue
	fds    []int
	link   *netif.Interface
	before netif.State
	gone   atomic.Bool // the interface was removed

	offloads nic.Offloads
}

// Open opens the TAP interface with a name of 1 to 15 bytes in the network namespace of the calling thread, and makes
// one, which goes with Close, if there is none. Addresses, MTU and setting it up ("ip link set NAME up") are left to the
// caller. It needs CAP_NET_ADMIN, or an interface made for the user. With more than one queue the kernel spreads flows
// over as many as there are of either direction. cfg is complete, as nic.Open makes it.
func Open(name string, cfg nic.Config) (_ *Device, err error) {
	fail := func(err error) (*Device, error) { return nil, fmt.Errorf("tap:%s: %w", name, err) }
	if err := netif.CheckTAP(name); err != nil {
		return fail(err)
	}
	d := &Device{}
	defer func() {
		if err != nil {
			d.closeFDs()
		}
	}()
	queues := max(cfg.RxQueues, cfg.TxQueues)
	d.offloads = offloads(cfg.Offloads)
	hdr := 0
	if d.offloads != 0 {
		hdr = vnet.Size
	}
	for range queues {
		fd, err := netif.AttachTAP(name, queues > 1, hdr)
		if err != nil {
			return fail(err)
		}
		d.fds = append(d.fds, fd)
		if err := netif.SetTAPOffloads(fd, d.offloads&nic.RxPartial != 0, d.offloads&nic.RxSegment != 0); err != nil {
			return fail(err)
		}
	}
	if d.link, d.before, err = netif.Open(name); err != nil {
		return fail(err)
	}
	// The kernel's end has its address; this end has another one.
	mac := netif.PeerOfTAP(d.before.MAC)
	if d.Port, err = soft.New("tap", "tap:"+name, "TAP interface", mac, cfg); err != nil {
		return nil, err
	}
	for i := range cfg.RxQueues {
		q := &rxQueue{Rx: d.Port.Rx(i), dev: d, fd: d.fds[i], wait: -1, hdr: hdr}
		if q.most = q.Longest(); d.offloads&nic.RxSegment != 0 {
			q.most = max(q.most, vnet.MaxLarge)
		}
		if cfg.Interrupts {
			q.wait = q.fd
		}
		d.rx = append(d.rx, q)
	}
	for i := range cfg.TxQueues {
		d.tx = append(d.tx, &txQueue{Tx: d.Port.Tx(i), dev: d, fd: d.fds[i], hdr: hdr, large: d.offloads&nic.TxSegment != 0})
	}
	return d, nil
}

// Info implements nic.Device.
func (d *Device) Info() nic.Info {
	i := d.Port.Info()
	i.Offloads = d.offloads
	return i
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue { return d.rx[i] }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue { return d.tx[i] }

// Link implements nic.Device: up is what the administrator says, "ip link set NAME up".
func (d *Device) Link() (nic.Link, error) {
	if err := d.Trouble(); err != nil {
		return nic.Link{}, err
	}
	s, err := d.link.State()
	if err != nil {
		return nic.Link{}, d.lost(err)
	}
	return nic.Link{Up: s.Up}, nil
}

// Trouble implements nic.Watched: the interface was removed.
func (d *Device) Trouble() error {
	if d.gone.Load() {
		return d.lost(netif.ErrGone)
	}
	return nil
}

func (d *Device) lost(err error) error {
	if errors.Is(err, netif.ErrGone) {
		d.gone.Store(true)
		return fmt.Errorf("%s: %w: start again: %w", d.Info().Address, err, nic.ErrGone)
	}
	return fmt.Errorf("%s: %w", d.Info().Address, err)
}

// Stats implements nic.Device. RxMissed is what the kernel dropped since its queues for this port were full, or the
// interface was down.
func (d *Device) Stats() (nic.Stats, error) {
	s := d.Port.Stats()
	if now, err := d.link.State(); err == nil {
		s.RxMissed = now.TxDropped - d.before.TxDropped
	}
	return s, nil
}

// SetPromiscuous implements nic.Device: all that the kernel sends is received in any case.
func (d *Device) SetPromiscuous(bool) error { return nil }

// Close closes the interface, which goes away unless it was made to stay.
func (d *Device) Close() error {
	d.gone.Store(true)
	return errors.Join(d.closeFDs(), d.Port.Close())
}

func (d *Device) closeFDs() error {
	var errs []error
	for _, fd := range d.fds {
		errs = append(errs, unix.Close(fd))
	}
	d.fds = nil
	if d.link != nil {
		errs = append(errs, d.link.Close())
		d.link = nil
	}
	return errors.Join(errs...)
}
