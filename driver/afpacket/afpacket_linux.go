package afpacket

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/internal/netif"
	"glassnic/nic"
	"glassnic/nic/soft"
)

func init() {
	nic.RegisterScheme("packet", func(_ context.Context, rest string, cfg nic.Config) (nic.Device, error) {
		d, err := Open(rest, cfg)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
}

// Device is a port at a network interface.
type Device struct {
	*soft.Port
	rx    []*rxQueue
	tx    []*txQueue
	link  *netif.Interface
	index int
	mtu   int // of the interface when it was opened, in bytes
	does  nic.Offloads

	mu     sync.Mutex // for what follows
	missed uint64
}

// Open opens an interface in the network namespace of the calling thread; it needs CAP_NET_RAW. Several receive queues
// share the interface by flow (PACKET_FANOUT_HASH). cfg is complete, as nic.Open makes it.
func Open(name string, cfg nic.Config) (_ *Device, err error) {
	d := &Device{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("packet:%s: %w", name, err), d.closeSockets())
		}
	}()
	link, state, err := netif.Open(name)
	if err != nil {
		return nil, err
	}
	d.link, d.index, d.mtu, d.does = link, state.Index, state.MTU, cfg.Offloads&nic.Timestamps
	if d.Port, err = soft.New("afpacket", "packet:"+name, "network interface", state.MAC, cfg); err != nil {
		return nil, err
	}
	for i := range cfg.RxQueues {
		q := &rxQueue{Rx: d.Port.Rx(i), dev: d, fd: -1}
		d.rx = append(d.rx, q)
		if err := q.open(cfg, d.index); err != nil {
			return nil, err
		}
	}
	if err := d.share(); err != nil {
		return nil, err
	}
	for i := range cfg.TxQueues {
		q := &txQueue{Tx: d.Port.Tx(i), fd: -1, msgs: newMessages(maxBatch, 4*maxBatch)}
		d.tx = append(d.tx, q)
		if err := q.open(d.index); err != nil {
			return nil, err
		}
	}
	if cfg.Promiscuous {
		err = d.SetPromiscuous(true)
	}
	return d, err
}

// socket opens a packet socket that hears nothing yet.
func socket() (int, error) {
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if errors.Is(err, unix.EPERM) {
		return -1, fmt.Errorf("packet socket: %w: run as root, or give the program CAP_NET_RAW", err)
	}
	if err != nil {
		return -1, fmt.Errorf("packet socket: %w", err)
	}
	return fd, nil
}

// set sets options of a socket in turn.
func set(fd int, options ...struct {
	name  string
	opt   int
	value int
}) error {
	for _, o := range options {
		if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, o.opt, o.value); err != nil {
			return fmt.Errorf("%s: %w", o.name, err)
		}
	}
	return nil
}

// allProtocols is ETH_P_ALL in network byte order.
const allProtocols = unix.ETH_P_ALL<<8 | unix.ETH_P_ALL>>8

// Info implements nic.Device.
func (d *Device) Info() nic.Info {
	i := d.Port.Info()
	i.Offloads = d.does
	return i
}

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue { return d.rx[i] }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue { return d.tx[i] }

// Link implements nic.Device. An interface that was removed is gone for good, also where another one takes its name.
func (d *Device) Link() (nic.Link, error) {
	s, err := d.link.State()
	if err != nil {
		return nic.Link{}, d.lost(err)
	}
	return nic.Link{Up: s.Up && s.Running}, nil
}

// Trouble implements nic.Watched: the interface was removed.
func (d *Device) Trouble() error {
	_, err := d.Link()
	return err
}

func (d *Device) lost(err error) error {
	if errors.Is(err, netif.ErrGone) {
		return fmt.Errorf("%s: %w: start again: %w", d.Info().Address, err, nic.ErrGone)
	}
	return fmt.Errorf("%s: %w", d.Info().Address, err)
}

// Stats implements nic.Device. RxMissed is what did not fit the rings.
func (d *Device) Stats() (nic.Stats, error) {
	s := d.Port.Stats()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.rx {
		st, err := unix.GetsockoptTpacketStatsV3(q.fd, unix.SOL_PACKET, unix.PACKET_STATISTICS)
		if err != nil {
			return s, fmt.Errorf("%s: PACKET_STATISTICS: %w", d.Info().Address, err)
		}
		d.missed += uint64(st.Drops) // since it was last asked
	}
	s.RxMissed = d.missed
	return s, nil
}

// SetPromiscuous implements nic.Device.
func (d *Device) SetPromiscuous(on bool) error {
	opt := unix.PACKET_ADD_MEMBERSHIP
	if !on {
		opt = unix.PACKET_DROP_MEMBERSHIP
	}
	err := unix.SetsockoptPacketMreq(d.rx[0].fd, unix.SOL_PACKET, opt, &unix.PacketMreq{Ifindex: int32(d.index), Type: unix.PACKET_MR_PROMISC})
	if err != nil && (on || !errors.Is(err, unix.EADDRNOTAVAIL)) { // it was not
		return fmt.Errorf("promiscuous mode: %w", err)
	}
	return nil
}

// Close closes the sockets. The interface stays as it is.
func (d *Device) Close() error { return errors.Join(d.closeSockets(), d.Port.Close()) }

func (d *Device) closeSockets() error {
	var errs []error
	for _, q := range d.rx {
		errs = append(errs, q.close())
	}
	for _, q := range d.tx {
		if q.fd >= 0 {
			errs = append(errs, unix.Close(q.fd))
			q.fd = -1
		}
	}
	if d.link != nil {
		errs = append(errs, d.link.Close())
		d.link = nil
	}
	return errors.Join(errs...)
}
