package afxdp

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"glassnic/internal/filter"
	"glassnic/internal/netif"
	"glassnic/nic"
	"glassnic/nic/soft"
)

func init() {
	nic.RegisterScheme("xdp", func(ctx context.Context, rest string, cfg nic.Config) (nic.Device, error) {
		d, err := Open(ctx, rest, cfg)
		if err != nil {
			return nil, err
		}
		return d, nil
	})
}

// Device is a port at a network interface.
type Device struct {
	*soft.Port
	info    nic.Info
	memory  *memory
	program program
	sockets []*socket
	rx      []*rxQueue
	tx      []*txQueue
	link    *netif.Interface
	index   int
	promisc int // a packet socket, -1: none
}

const (
	// mostParts is how many buffers a frame may have: as many as a packet of the kernel's, less those that headers of
	// its own may take (linux/skbuff.h, MAX_SKB_FRAGS).
	mostParts = 16
	// mostZeroCopy is the same for cards; it is not asked what each can (xdp_zc_max_segs): the least of those that can
	// at all have 8, or take frames of 9 KB with less.
	mostZeroCopy = 8
)

// Open opens an interface in the network namespace of the calling thread; it needs CAP_NET_RAW, CAP_NET_ADMIN and
// CAP_BPF, and Linux 5.10. rest is written as Usage says. The kernel's own stack receives nothing from the queues of the
// port any more, unless a filter
// leaves it something; ctx is for names in that. Of cfg.Offloads, received frames have RxHash and RxVLAN where the driver
// tells XDP programs of them, in native mode and since Linux 6.7, and Timestamps by the system's clock since Linux 6.1, or
// by the card's. cfg is complete, as nic.Open makes it; rings are rounded up to powers of two, and
// buffers have a page each.
func Open(ctx context.Context, rest string, cfg nic.Config) (_ *Device, err error) {
	set, err := parse(rest)
	if err != nil {
		return nil, fmt.Errorf("xdp:%s: %w", rest, err)
	}
	d := &Device{promisc: -1}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("xdp:%s: %w", set.name, err), d.release())
		}
	}()
	var only []bpf.RawInstruction
	if set.filter != "" {
		p, err := filter.Compile(ctx, set.filter, filter.Options{})
		if err != nil {
			return nil, err
		}
		only = p.Instructions()
	}
	cfg.RxRing, cfg.TxRing = power(cfg.RxRing), power(cfg.TxRing)
	link, state, err := netif.Open(set.name)
	if err != nil {
		return nil, err
	}
	d.link, d.index = link, state.Index
	if d.memory, err = openMemory(cfg); err != nil {
		return nil, err
	}
	cfg.Pool = d.memory.pool
	if d.Port, err = soft.New("afxdp", "xdp:"+rest, "network interface", state.MAC, cfg); err != nil {
		return nil, err
	}
	if err := d.start(set, cfg, only); err != nil {
		return nil, err
	}
	if cfg.Promiscuous {
		if err := d.SetPromiscuous(true); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func power(n int) int {
	p := 1
	for p < n {
		p *= 2
	}
	return p
}

// start sets program, sockets and queues up. Until the sockets are in the program's map the kernel receives as before.
func (d *Device) start(set settings, cfg nic.Config, only []bpf.RawInstruction) error {
	queues := max(cfg.RxQueues, cfg.TxQueues)
	p := plan{
		index: d.index, rxRing: cfg.RxRing, txRing: cfg.TxRing,
		flags: unix.XDP_USE_NEED_WAKEUP, busy: set.busy, mem: d.memory.mem,
	}
	longest, room := d.Rx(0).Longest(), chunkSize-unix.XDP_PACKET_HEADROOM
	several := longest > room
	if several {
		p.flags |= unix.XDP_USE_SG
	}
	if err := d.program.open(queues); err != nil {
		return err
	}
	if err := d.program.start(job{index: d.index, several: several, filter: only, asked: cfg.Offloads, card: set.card}, set.mode); err != nil {
		return err
	}
	if set.copy || d.program.mode == modeGeneric {
		p.flags |= unix.XDP_COPY
	}
	for i := range queues {
		s := &socket{fd: -1}
		d.sockets = append(d.sockets, s)
		if err := s.open(p, i, d.sockets[0]); err != nil {
			return err
		}
	}
	parts := 1
	if several {
		if parts = mostParts; d.sockets[0].zeroCopy {
			parts = mostZeroCopy
		}
		if longest > parts*room {
			return fmt.Errorf("MTU %d takes more than %d buffers of %d bytes, which is all that the kernel takes: choose a lower one", cfg.MTU, parts, room)
		}
	}
	for i, s := range d.sockets {
		if i < cfg.RxQueues {
			q := &rxQueue{Rx: d.Port.Rx(i), socket: s, wait: -1, busy: set.busy > 0, meta: d.program.meta, told: d.program.meta.any(), mem: d.memory.mem}
			if cfg.Interrupts {
				q.wait = s.fd
			}
			d.rx = append(d.rx, q)
			q.init(d.memory, cfg.Port, cfg.RxRing)
			if err := d.program.sockets.Put(uint32(i), uint32(s.fd)); err != nil {
				return fmt.Errorf("put the socket of queue %d into the map: %w", i, err)
			}
		}
		if i < cfg.TxQueues {
			q := &txQueue{Tx: d.Port.Tx(i), socket: s}
			d.tx = append(d.tx, q)
			q.init(d.memory, cfg.TxRing, parts)
		}
	}
	d.describe(several, set.mode)
	return nil
}

// describe says what the kernel does for the port.
func (d *Device) describe(several bool, asked mode) {
	d.info = d.Port.Info()
	d.info.SendsAny, d.info.Domain, d.info.Offloads = false, any(d.memory.region), d.program.meta.offloads()
	how := "copied"
	if d.sockets[0].zeroCopy {
		how = "zero-copy"
	}
	d.info.Card = fmt.Sprintf("network interface, %v XDP, %s", d.program.mode, how)
	if several {
		d.info.Card += ", frames in several buffers"
	}
	if d.program.mode == modeGeneric && asked == modeAny {
		d.info.Card += " (the driver does not run this program itself)"
	}
}

// Info implements nic.Device. Card says how frames come: by native or generic XDP, copied by the kernel or not.
func (d *Device) Info() nic.Info { return d.info }

// RxQueue implements nic.Device.
func (d *Device) RxQueue(i int) nic.RxQueue { return d.rx[i] }

// TxQueue implements nic.Device.
func (d *Device) TxQueue(i int) nic.TxQueue { return d.tx[i] }

// Link implements nic.Device. An interface that was removed is gone for good, also where another one takes its name.
func (d *Device) Link() (nic.Link, error) {
	s, err := d.link.State()
	if errors.Is(err, netif.ErrGone) {
		return nic.Link{}, fmt.Errorf("%s: %w: start again: %w", d.info.Address, err, nic.ErrGone)
	}
	if err != nil {
		return nic.Link{}, fmt.Errorf("%s: %w", d.info.Address, err)
	}
	return nic.Link{Up: s.Up && s.Running}, nil
}

// Trouble implements nic.Watched: the interface was removed.
func (d *Device) Trouble() error {
	_, err := d.Link()
	return err
}

// SetPromiscuous implements nic.Device. The kernel takes it back when the port is closed.
func (d *Device) SetPromiscuous(on bool) error {
	if on == (d.promisc >= 0) {
		return nil
	}
	if !on {
		fd := d.promisc
		d.promisc = -1
		return unix.Close(fd)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0) // which receives nothing
	if err != nil {
		return fmt.Errorf("promiscuous mode: packet socket: %w", err)
	}
	err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(d.index), Type: unix.PACKET_MR_PROMISC})
	if err != nil {
		return errors.Join(fmt.Errorf("promiscuous mode: %w", err), unix.Close(fd))
	}
	d.promisc = fd
	return nil
}

// Stop implements nic.Stopper: the kernel has its interface back.
func (d *Device) Stop() error {
	err := d.program.close()
	for _, s := range d.sockets {
		err = errors.Join(err, s.close())
	}
	d.sockets = nil
	for _, q := range d.rx {
		q.release()
	}
	for _, q := range d.tx {
		q.release()
	}
	if d.promisc >= 0 {
		err = errors.Join(err, d.SetPromiscuous(false))
	}
	return err
}

// Close implements nic.Device. The interface stays as it is.
func (d *Device) Close() error { return d.release() }

func (d *Device) release() error {
	err := d.Stop()
	if d.link != nil {
		err = errors.Join(err, d.link.Close())
		d.link = nil
	}
	if d.Port != nil {
		err = errors.Join(err, d.Port.Close())
		d.Port = nil
	}
	if d.memory != nil {
		err = errors.Join(err, d.memory.close())
		d.memory = nil
	}
	return err
}
