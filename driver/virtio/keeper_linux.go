package virtio

import (
	"errors"
	"fmt"
	"net"
	"time"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

// pause is how long the keeper waits after a session that could not begin.
const pause = 100 * time.Millisecond

// keeper is who begins the queues anew each time that a back-end has gone and another has come. Meanwhile their gates are
// shut, the workers poll on, and the link is down.
type keeper struct {
	d    *Device
	b    *backend
	done chan struct{}
	cut  chan struct{} // closed by end
}

// keep puts gates before the queues and starts the keeper, when the port is open and before anybody has its queues.
func (d *Device) keep(b *backend) {
	for _, q := range d.rx {
		d.gatedRx = append(d.gatedRx, &gatedRx{q: q})
	}
	for _, q := range d.tx {
		d.gatedTx = append(d.gatedTx, &gatedTx{q: q})
	}
	b.mu.Lock()
	b.kept = true
	b.mu.Unlock()
	k := &keeper{d: d, b: b, done: make(chan struct{}), cut: make(chan struct{})}
	d.keeper = k
	go k.run()
}

func (k *keeper) run() {
	defer close(k.done)
	for {
		why := k.watch()
		if why == nil {
			return
		}
		// Whoever sees that the link is down finds the gates shut.
		k.shut()
		k.tell(why)
		for !k.again() {
			select {
			case <-k.cut:
				return
			case <-time.After(pause):
			}
		}
	}
}

// end stops the keeper, and leaves the connection as it is.
func (k *keeper) end() {
	b := k.b
	b.mu.Lock()
	b.closing = true
	if b.trouble != nil && b.front != nil {
		_ = b.front.Close() // a session that begins
	}
	b.mu.Unlock()
	close(k.cut)
	_ = b.nudge.Signal()
	_ = b.unplug() // ends Connect; Close tells of errors
	<-k.done
	b.mu.Lock()
	b.kept = false
	b.mu.Unlock()
}

// watch waits for the connection's end, and returns why it came; nil at the keeper's.
func (k *keeper) watch() error {
	b := k.b
	for {
		b.mu.Lock()
		f, err, closing := b.front, b.err, b.closing
		b.mu.Unlock()
		if closing {
			return nil
		}
		if err != nil {
			return err
		}
		_ = b.nudge.Clear()
		gone, err := f.Hangup(b.nudge.FD(), b.wrong.FD())
		switch {
		case gone:
			err = errors.New("it closed the connection")
		case err == nil && signalled(b.wrong):
			err = errors.New("it has given up a ring for what stands in it, and all begins anew")
		}
		if err != nil {
			b.fail(err)
		}
	}
}

// tell notes why the port has no device.
func (k *keeper) tell(err error) {
	k.b.mu.Lock()
	k.b.trouble = k.d.fail("back-end", "%w: %w: the port waits for it: start it again", err, nic.ErrLinkDown)
	k.b.mu.Unlock()
}

func (k *keeper) shut() {
	for _, g := range k.d.gatedRx {
		g.close()
	}
	for _, g := range k.d.gatedTx {
		g.close()
	}
}

// again waits for the next back-end and begins everything anew. It reports success.
func (k *keeper) again() bool {
	c, err := k.b.end.Connect()
	if err != nil {
		if !errors.Is(err, net.ErrClosed) {
			k.tell(err)
		}
		return false
	}
	k.b.drop()
	if err = k.b.meet(c); err == nil {
		err = k.begin()
	}
	if err != nil {
		k.b.drop()
		k.tell(err)
		return false
	}
	return true
}

// drop closes a connection that is of no use.
func (b *backend) drop() {
	b.talk.Lock()
	defer b.talk.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.front != nil {
		_ = b.front.Close()
		b.front = nil
	}
}

// begin gives the new back-end the queues, empty, with what was agreed with the first: the rings are made for it.
func (k *keeper) begin() error {
	d, b := k.d, k.b
	if offered := b.offered(); !offered.Has(d.features) {
		return lack(d.features&^offered, "the back-end before this one had it: start this one likewise, or open the port again")
	}
	if d.features.Has(chip.NetMQ) && b.pairs < len(d.rx) {
		return fmt.Errorf("it has %d pairs of queues, and the port uses %d", b.pairs, len(d.rx))
	}
	const begun = chip.StatusAcknowledge | chip.StatusDriver
	b.setStatus(0)
	b.setStatus(begun)
	b.accept(d.features)
	b.setStatus(begun | chip.StatusFeaturesOK)
	if err := b.failed(); err != nil {
		return err
	}
	if b.status()&chip.StatusFeaturesOK == 0 {
		return errors.New("it does not work with just these: " + d.features.String())
	}
	for _, g := range d.gatedRx {
		g.renew()
	}
	for _, g := range d.gatedTx {
		g.renew()
	}
	for _, r := range d.rings() {
		if err := b.enable(int(r.number), r.areas()); err != nil {
			return err
		}
	}
	b.setStatus(begun | chip.StatusFeaturesOK | chip.StatusDriverOK)
	if err := b.failed(); err != nil {
		return err
	}
	b.mu.Lock()
	b.trouble = nil
	b.mu.Unlock()
	for _, g := range d.gatedTx {
		g.open()
	}
	for _, g := range d.gatedRx {
		g.q.bell.Ring(g.q.number)
		g.wakeUp()
	}
	return nil
}

// over is failed with a cure.
func (b *backend) over() error {
	return fmt.Errorf("%w: %w: the other end of the connection is gone: start it again", b.failed(), nic.ErrGone)
}

// failed is what ended the connection, nil while it is there.
func (b *backend) failed() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err == nil && b.front == nil {
		return errNoBackend
	}
	return b.err
}

func (g *gatedRx) renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost.Add(uint64(g.q.renew()))
}

func (g *gatedTx) renew() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.lost.Add(uint64(g.q.renew()))
}
