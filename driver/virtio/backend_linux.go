package virtio

import (
	"errors"
	"fmt"
	"net"
	"sync"

	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/memfd"
	"glassnic/bus/mmio"
	"glassnic/bus/vhostuser"
	chip "glassnic/chip/virtio"
	event "glassnic/internal/wake"
)

// backend is a device that another process plays: host and transport at once. Headings in comments are those of
// "Vhost-user Protocol" (bus/vhostuser).
//
// The first request that fails ends the connection, and nothing is asked any more: methods that cannot tell leave it
// to status, which then is all ones.
type backend struct {
	addr   string
	end    *vhostuser.Endpoint
	space  *memfd.Memory
	watch  *memfd.Watch
	nudge  *event.Event     // wakes the keeper
	wrong  *event.Event     // by which the back-end tells that it has given up a ring (SET_VRING_ERR)
	mac    net.HardwareAddr // of the port; nil: the back-end's, or one by chance
	split  bool             // packed rings are not wanted
	unplug func() error     // closes end, once
	calls  calls

	talk   sync.Mutex       // of who makes requests; guards what follows. Nothing is allocated from space meanwhile
	front  *vhostuser.Front // nil before the first connection
	real   chip.Features    // what the back-end offers
	agreed chip.Features    // what was accepted
	plain  bool             // it has no protocol features: rings are enabled when they begin
	pairs  int              // of queues
	own    []byte           // the device's configuration, as far as the back-end tells
	region memfd.Region     // all memory
	told   uint64           // bytes of it that the back-end was told of
	slots  int              // regions that it can have one by one; 0: it has to be told of all memory each time
	filled int              // of which it has
	vrings []*vring

	mu      sync.Mutex
	err     error // what ended the connection
	state   uint8 // device status
	undone  bool  // it did not answer when it was to stop: it may still be at work
	closing bool
	kept    bool  // a keeper cares for the connection
	trouble error // what the keeper has to tell
}

// vring is a queue as the back-end is told of it.
type vring struct {
	kick *event.Event
	set  bool // the back-end has it
}

// errNoBackend is of requests without a connection.
var errNoBackend = errors.New("there is no back-end")

// wanted are the protocol features that are used where a back-end has them.
const wanted = vhostuser.FeatureMQ | vhostuser.FeatureReplyAck | vhostuser.FeatureConfig | vhostuser.FeatureStatus |
	vhostuser.FeatureConfigureMemSlots

// newBackend has memory ready. The end belongs to the back-end from then on.
func newBackend(addr string, end *vhostuser.Endpoint) (*backend, error) {
	b := &backend{addr: addr, end: end, unplug: sync.OnceValue(end.Close)}
	var err error
	if b.nudge, err = event.New(); err != nil {
		return nil, errors.Join(err, end.Close())
	}
	if b.wrong, err = event.New(); err != nil {
		return nil, errors.Join(err, b.nudge.Close(), end.Close())
	}
	if b.space, err = memfd.Attach(); err != nil {
		return nil, errors.Join(err, b.wrong.Close(), b.nudge.Close(), end.Close())
	}
	watch, region := b.space.Watch(b.grew)
	b.talk.Lock()
	defer b.talk.Unlock()
	b.watch = watch
	if b.region.Size < region.Size {
		b.region = region
	}
	return b, nil
}

func (b *backend) Address() string    { return b.addr }
func (b *backend) NUMANode() int      { return -1 }
func (b *backend) DMA() dma.Allocator { return b.space.Arena() }

// Interrupts implements host: call eventfds, one for each receive queue.
func (b *backend) Interrupts() (irq.Set, error) { return &b.calls, nil }

// Close implements host.
func (b *backend) Close() error {
	b.watch.Stop()
	b.talk.Lock()
	defer b.talk.Unlock()
	err := b.unplug()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.front != nil {
		if e := b.front.Close(); !errors.Is(e, net.ErrClosed) { // as the keeper leaves it that has nobody else yet
			err = errors.Join(err, e)
		}
		b.front = nil
	}
	for _, v := range b.vrings {
		err = errors.Join(err, v.kick.Close())
	}
	return errors.Join(err, b.space.Detach(), b.nudge.Close(), b.wrong.Close())
}

// meet begins a session on a new connection ("Feature negotiation").
func (b *backend) meet(c *vhostuser.Conn) error {
	b.talk.Lock()
	defer b.talk.Unlock()
	b.mu.Lock()
	b.err, b.state = nil, 0
	if b.closing {
		b.err = net.ErrClosed
	}
	b.front = vhostuser.NewFront(c)
	b.mu.Unlock()
	b.told, b.filled = 0, 0
	_ = b.wrong.Clear()
	for _, v := range b.vrings {
		v.set = false
	}
	return b.ask(b.greet)
}

func (b *backend) greet(f *vhostuser.Front) error {
	v, err := f.Features()
	if err != nil {
		return err
	}
	b.real = chip.Features(v)
	if b.plain = v&vhostuser.FeatureProtocol == 0; !b.plain {
		if err := f.Negotiate(wanted); err != nil {
			return err
		}
	}
	if err := f.SetOwner(); err != nil {
		return err
	}
	b.pairs = 1
	if f.Protocol.Has(vhostuser.FeatureMQ) {
		n, err := f.QueueNum()
		if err != nil {
			return err
		}
		b.pairs = int(max(1, min(n, (vhostuser.MaxVring+1)/2)))
	}
	b.slots = 0
	if f.Protocol.Has(vhostuser.FeatureConfigureMemSlots) {
		n, err := f.MaxMemSlots()
		if err != nil {
			return err
		}
		b.slots = int(min(n, vhostuser.MaxMemSlots))
	}
	b.own = nil
	if f.Protocol.Has(vhostuser.FeatureConfig) && b.real&(chip.NetMAC|chip.NetMTU) != 0 {
		b.own = make([]byte, chip.ConfigMTU+2)
		return f.ReadConfig(0, b.own)
	}
	return nil
}

// ask makes requests. The caller holds b.talk.
func (b *backend) ask(do func(*vhostuser.Front) error) error {
	b.mu.Lock()
	f, err := b.front, b.err
	b.mu.Unlock()
	switch {
	case err != nil:
		return err
	case f == nil:
		return errNoBackend
	}
	if err := do(f); err != nil {
		b.fail(err)
		return err
	}
	return nil
}

// fail notes what ended the connection.
func (b *backend) fail(err error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = err
	}
	b.mu.Unlock()
	_ = b.nudge.Signal()
}

// Trouble implements bus.Watched.
func (b *backend) Trouble() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept {
		return b.trouble
	}
	return b.err
}

// connected tells whether there is a back-end at work.
func (b *backend) connected() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.kept {
		return b.trouble == nil
	}
	return b.front != nil && b.err == nil
}

// enable implements transport.
func (b *backend) enable(queue int, a areas) error {
	b.talk.Lock()
	defer b.talk.Unlock()
	return b.ask(func(f *vhostuser.Front) error {
		if b.told == 0 {
			if err := b.tell(f); err != nil {
				return err
			}
		}
		// Both kinds of ring begin at 0; a packed one with wrap counters of 1 ("Ring states").
		base := uint32(0)
		if b.packed() {
			base = 1<<15 | 1<<31
		}
		call := b.calls.fd(a.vector)
		v := b.vrings[queue]
		for _, do := range []func() error{
			func() error { return f.SetVringNum(queue, a.size) },
			func() error { return f.SetVringBase(queue, base) },
			func() error {
				return f.SetVringAddr(vhostuser.VringAddr{Index: uint32(queue), Desc: a.descs, Avail: a.driver, Used: a.device})
			},
			func() error { return f.SetVringErr(queue, b.wrong.FD()) },
			func() error { return f.SetVringCall(queue, call) },
			func() error { return f.SetVringKick(queue, v.kick.FD()) },
		} {
			if err := do(); err != nil {
				return err
			}
		}
		v.set = true
		return nil
	})
}

// doorbell implements transport: an eventfd, which the queue writes to only where the device wants that.
func (b *backend) doorbell(queue int) (mmio.Doorbell16, error) {
	if queue > vhostuser.MaxVring {
		return mmio.Doorbell16{}, fmt.Errorf("want at most %d queues", vhostuser.MaxVring+1)
	}
	b.talk.Lock()
	defer b.talk.Unlock()
	for len(b.vrings) <= queue {
		e, err := event.New()
		if err != nil {
			return mmio.Doorbell16{}, err
		}
		b.vrings = append(b.vrings, &vring{kick: e})
	}
	return kicker{b.vrings[queue].kick}.doorbell(), nil
}
