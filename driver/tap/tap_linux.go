package tap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/nic"
	"glassnic/nic/soft"
	"glassnic/nic/vnet"
)

const device = "/dev/net/tun"

func init() {
	nic.RegisterScheme("tap", func(_ context.Context, rest string, cfg nic.Config) (nic.Device, error) {
		d, err := Open(rest, cfg)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
}

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
	if name == "" || len(name) >= unix.IFNAMSIZ || name == "." || name == ".." || strings.ContainsAny(name, "/: \t\n\v\f\r\x00%") {
		return fail(errors.New("an interface name has 1 to 15 bytes, without spaces, '/', ':' and '%'"))
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
		fd, err := attach(name, queues > 1, hdr > 0)
		if err != nil {
			return fail(err)
		}
		d.fds = append(d.fds, fd)
		if err := setOffloads(fd, d.offloads); err != nil {
			return fail(err)
		}
	}
	if d.link, d.before, err = netif.Open(name); err != nil {
		return fail(err)
	}
	// The kernel's end has its address; this end has another one.
	mac := slices.Clone(d.before.MAC)
	if len(mac) == 6 {
		mac[0] |= 2
		mac[5] ^= 1
	}
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

// attach opens a queue of an interface, with a header before each frame or without.
func attach(name string, several, headers bool) (int, error) {
	fd, err := unix.Open(device, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open %s: %w%s", device, err, cure(name, err, several))
	}
	flags := uint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if several {
		flags |= unix.IFF_MULTI_QUEUE
	}
	if headers {
		flags |= unix.IFF_VNET_HDR
	}
	req, err := unix.NewIfreq(name)
	if err == nil {
		req.SetUint16(flags)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err == unix.EINVAL && !several { // an interface made for several queues
		req.SetUint16(flags | unix.IFF_MULTI_QUEUE)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, req)
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("TUNSETIFF: %w%s", err, cure(name, err, several))
	}
	return fd, nil
}

func cure(name string, err error, several bool) string {
	kind := "mode tap"
	if several {
		kind += " multi_queue"
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENODEV):
		return ": run \"modprobe tun\" as root"
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Sprintf(": run as root, or once \"ip tuntap add dev %s %s user $USER\" as root", name, kind)
	case errors.Is(err, unix.EBUSY):
		return ": another program has it open"
	case errors.Is(err, unix.EINVAL):
		return fmt.Sprintf(": the name belongs to an interface of another kind: want one made with \"ip tuntap add dev %s %s\"", name, kind)
	}
	return ""
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
