package virtio

import (
	"sync"
	"sync/atomic"
	"time"

	"glassnic/packet"
)

// gate stands before a queue of a device that may go and come again while the queue's worker polls it. Shut, it keeps
// the worker out, for whom there is nothing to receive and no room to send then, and somebody else may begin the queue
// anew.
type gate struct {
	inside uint64 // the worker is inside; it alone writes this
	shut   atomic.Bool
	mu     sync.Mutex // of all who are in the queue but to receive or send
	armed  bool       // the worker sleeps, or is about to; guarded by mu
	lost   atomic.Uint64
}

// enter takes the worker in; it reports false where the gate is shut. The worker leaves in either case. An exchange
// stands between the mark and the look at the gate.
func (g *gate) enter() bool {
	atomic.StoreUint64(&g.inside, 1)
	return !g.shut.Load()
}

func (g *gate) leave() { store64(&g.inside, 0) }

// close shuts the gate and waits until the worker is outside.
func (g *gate) close() {
	g.shut.Store(true)
	for atomic.LoadUint64(&g.inside) != 0 {
		time.Sleep(10 * time.Microsecond)
	}
}

func (g *gate) open() { g.shut.Store(false) }

// gatedRx is a receive queue behind a gate.
type gatedRx struct {
	gate
	q *rxQueue
}

// Receive implements nic.RxQueue.
func (g *gatedRx) Receive(batch []*packet.Buf) (n int) {
	if g.enter() {
		n = g.q.Receive(batch)
	}
	g.leave()
	return n
}

// UseCache implements nic.CacheUser.
func (g *gatedRx) UseCache(c *packet.Cache) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.q.UseCache(c)
}

// WaitFD implements nic.Waiter.
func (g *gatedRx) WaitFD() int { return g.q.WaitFD() }

// Arm implements nic.Waiter. While the gate is shut nothing comes; its opening wakes the worker.
func (g *gatedRx) Arm() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = g.q.wake != nil && (g.shut.Load() || g.q.Arm())
	return g.armed
}

// Disarm implements nic.Waiter.
func (g *gatedRx) Disarm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = false
	g.q.Disarm()
}

// wakeUp opens the gate, and wakes the worker where it sleeps.
func (g *gatedRx) wakeUp() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open()
	if e, ok := g.q.wakeEvent().(interface{ Signal() error }); ok && g.armed {
		_ = e.Signal() // one that cannot be signalled is readable already
	}
}

// gatedTx is a transmit queue behind a gate.
type gatedTx struct {
	gate
	q *txQueue
}

// Send implements nic.TxQueue.
func (g *gatedTx) Send(batch []*packet.Buf) (n int) {
	if g.enter() {
		n = g.q.Send(batch)
	}
	g.leave()
	return n
}

// Segments implements nic.Segmenter.
func (g *gatedTx) Segments(b *packet.Buf) bool { return g.q.Segments(b) }

// UseCache implements nic.CacheUser.
func (g *gatedTx) UseCache(c *packet.Cache) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.q.UseCache(c)
}
