package virtio

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/memfd"
	"glassnic/bus/mmio"
	"glassnic/bus/vhostnet"
	chip "glassnic/chip/virtio"
	"glassnic/internal/netif"
	event "glassnic/internal/wake"
	"glassnic/nic"
)

const kernelScheme = "vhost-net"

func init() { nic.RegisterScheme(kernelScheme, openKernel) }

// openKernel implements nic.Opener.
func openKernel(ctx context.Context, name string, cfg nic.Config) (nic.Device, error) {
	k := &kernel{addr: kernelScheme + ":" + name}
	cfg.LinkWait = 0 // a new interface is down until somebody knows its name
	d := &Device{fn: k, way: k, card: "vhost-net at a TAP interface", cfg: cfg}
	if err := d.check(); err != nil {
		return nil, d.fail("settings", "%w", err)
	}
	if err := k.open(name, cfg.RxQueues); err != nil {
		return nil, errors.Join(d.fail("open", "%w", err), k.Close())
	}
	if err := d.start(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// kernel is a device that threads of the kernel play, each for a pair of queues at a TAP interface: host and transport at
// once. The kernel is asked when the port is opened and not afterwards: closing its files ends all. Frames for an interface that
// is down are not refused, as they are by system calls; what becomes of them is the kernel's affair.
type kernel struct {
	addr   string
	link   *netif.Interface
	before netif.State
	space  *memfd.Memory
	pairs  []kernelPair
	kicks  []*event.Event // by queue
	wrong  *event.Event   // by which the kernel tells that it has given up a ring
	calls  calls

	mu    sync.Mutex // guards what follows, and the pairs
	state uint8      // device status
	err   error      // what ended it all

	rxDropped, txDropped uint64 // by the interface, at the last look
}

// kernelPair is a thread of the kernel and what it serves.
type kernelPair struct {
	*vhostnet.Pair
	tap int // file descriptor of a queue of the interface
}

func (k *kernel) Address() string    { return k.addr }
func (k *kernel) NUMANode() int      { return -1 }
func (k *kernel) DMA() dma.Allocator { return k.space.Arena() }

// Interrupts implements host: call eventfds, one for each receive queue.
func (k *kernel) Interrupts() (irq.Set, error) { return &k.calls, nil }

// open opens everything; what fails is left to Close.
func (k *kernel) open(name string, pairs int) (err error) {
	if err := netif.CheckTAP(name); err != nil {
		return err
	}
	for range pairs {
		p, err := vhostnet.Open()
		if err != nil {
			return err
		}
		k.pairs = append(k.pairs, kernelPair{p, -1})
		q := &k.pairs[len(k.pairs)-1]
		if q.tap, err = netif.AttachTAP(name, pairs > 1, chip.HdrSize); err != nil {
			return err
		}
		for range 2 {
			e, err := event.New()
			if err != nil {
				return err
			}
			k.kicks = append(k.kicks, e)
		}
	}
	if k.wrong, err = event.New(); err != nil {
		return err
	}
	if k.link, k.before, err = netif.Open(name); err != nil {
		return err
	}
	if k.space, err = memfd.Attach(); err != nil {
		return err
	}
	for _, p := range k.pairs {
		if err := p.SetMemory(memfd.Base, k.space.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Close implements host.
func (k *kernel) Close() error {
	errs := []error{k.stop()}
	for _, p := range k.pairs {
		if p.tap >= 0 {
			errs = append(errs, unix.Close(p.tap))
		}
	}
	for _, e := range k.kicks {
		errs = append(errs, e.Close())
	}
	if k.wrong != nil {
		errs = append(errs, k.wrong.Close())
	}
	if k.link != nil {
		errs = append(errs, k.link.Close())
	}
	if k.space != nil {
		errs = append(errs, k.space.Detach())
	}
	return errors.Join(errs...)
}

// stop ends all that the kernel does to memory.
func (k *kernel) stop() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.end()
}

func (k *kernel) end() (err error) {
	k.state = 0
	for _, p := range k.pairs {
		err = errors.Join(err, p.Close())
	}
	return err
}

// fail notes what ended it all.
func (k *kernel) fail(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err == nil {
		k.err = errors.Join(err, k.end())
	}
}

// over is what ended it all.
func (k *kernel) over() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if errors.Is(k.err, netif.ErrGone) {
		return fmt.Errorf("%w: start again: %w", k.err, nic.ErrGone)
	}
	return k.err
}

// ask asks for the state of the interface. One that was removed has ended it all.
func (k *kernel) ask() (netif.State, error) {
	s, err := k.link.State()
	if errors.Is(err, netif.ErrGone) {
		k.fail(err)
	}
	return s, err
}

// Trouble implements bus.Watched: the interface was removed, or the kernel has given up a ring.
func (k *kernel) Trouble() error {
	if signalled(k.wrong) {
		return fmt.Errorf("%s: the kernel has given up a ring for what stands in it: %w: close the port and open it again", k.addr, nic.ErrStalled)
	}
	if _, err := k.ask(); errors.Is(err, netif.ErrGone) {
		return fmt.Errorf("%s: %w", k.addr, k.over())
	}
	return nil
}

// dropped is what the interface has dropped since the port was opened: of what the kernel wanted to send, and of what it
// was given; without an answer, what it was at the last.
func (k *kernel) dropped() (rx, tx uint64) {
	s, err := k.ask()
	k.mu.Lock()
	defer k.mu.Unlock()
	if err == nil {
		k.rxDropped, k.txDropped = s.TxDropped-k.before.TxDropped, s.RxDropped-k.before.RxDropped
	}
	return k.rxDropped, k.txDropped
}

func (*kernel) legacy() bool { return false }

// ofTAP are the features that the TAP interface has.
const ofTAP = hostTSO | chip.NetHostECN | guestTSO&^chip.NetMrgRxbuf | chip.NetGuestECN

// own are those that nobody but this driver needs to know of.
const own = chip.NetMAC | chip.NetStatus | chip.NetMQ

// offered implements transport. Translated addresses would have to be asked for one by one.
func (k *kernel) offered() chip.Features {
	v, err := k.pairs[0].Features()
	if err != nil {
		k.fail(err)
	}
	return chip.Features(v)&^chip.AccessPlatform | ofTAP | own
}

// accept implements transport.
func (k *kernel) accept(f chip.Features) {
	for _, p := range k.pairs {
		err := p.SetFeatures(uint64(f &^ (ofTAP | own)))
		if err == nil {
			err = netif.SetTAPOffloads(p.tap, f.Has(chip.NetGuestCSum), f.Has(guestTSO))
		}
		if err != nil {
			k.fail(err)
			return
		}
	}
}

// status implements transport.
func (k *kernel) status() uint8 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return 0xff
	}
	return k.state
}

// setStatus implements transport. With DRIVER_OK the kernel begins, and 0 ends all that has begun.
func (k *kernel) setStatus(v uint8) {
	k.mu.Lock()
	was := k.state
	k.state = v
	k.mu.Unlock()
	begun := was&chip.StatusDriverOK != 0
	switch {
	case v == 0 && begun:
		if err := k.stop(); err != nil {
			k.fail(err)
		}
	case v&chip.StatusDriverOK != 0 && !begun:
		for _, p := range k.pairs {
			if err := p.Start(p.tap); err != nil {
				k.fail(err)
				return
			}
		}
	}
}

func (k *kernel) queues() int           { return 2 * len(k.pairs) }
func (*kernel) queueSize(int) int       { return vhostnet.MaxRing }
func (*kernel) enablesPairs() bool      { return true }
func (*kernel) generation() uint8       { return 0 }
func (*kernel) setConfig(uint32, uint8) {}
func (*kernel) isr() uint8              { return 0 }

func (*kernel) registers() ([]chip.Register, window) { return nil, window{} }

// enable implements transport.
func (k *kernel) enable(queue int, a areas) error {
	return k.pairs[queue/2].SetRing(queue%2, vhostnet.Ring{
		Size: a.size, Desc: a.descs, Avail: a.driver, Used: a.device, Kick: k.kicks[queue].FD(), Call: k.calls.fd(a.vector), Err: k.wrong.FD(),
	})
}

// doorbell implements transport: an eventfd, which the queue writes to only where the kernel's thread sleeps.
func (k *kernel) doorbell(queue int) (mmio.Doorbell16, error) {
	return kicker{k.kicks[queue]}.doorbell(), nil
}

// config implements transport. The interface has its address; this end has another one. The link is up when the
// administrator says so.
func (k *kernel) config(off uint32, bits int) uint32 {
	c := make([]byte, chip.ConfigMTU+2)
	copy(c[chip.ConfigMAC:], netif.PeerOfTAP(k.before.MAC))
	up := false
	if off == chip.ConfigStatus {
		s, err := k.ask()
		up = err == nil && s.Up
	}
	return field(c, len(k.pairs), up, off, bits)
}
