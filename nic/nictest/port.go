// Package nictest is a port without a card, for tests of applications: frames go in and out of
// queues in memory, and cables join ports.
package nictest

import (
	"errors"
	"net"
	"sync"

	"glassnic/internal/wake"
	"glassnic/nic"
	"glassnic/packet"
)

// Config are the settings of a Port.
type Config struct {
	Name    string  // what Info calls the address; "": "test"
	Queues  int     // each way; 0: 1
	Ring    int     // frames that a queue holds; 0: 512
	Buffers int     // 0: 4096
	Room    int     // bytes; 0: packet.DefaultRoom
	Memory  *Memory // nil: memory of its own, and so a domain of its own
	Pool    *packet.Pool
	Port    uint8
	// Interrupts makes the receive queues Waiters that wake who sleeps on them.
	Interrupts bool
	// Offloads is what Info says. With nic.TxSegment, transmit queues take large frames.
	Offloads nic.Offloads
}

// Port is a nic.Device. All methods may be called concurrently.
type Port struct {
	info nic.Info
	own  bool
	rx   []*queue
	tx   []*queue

	mu    sync.Mutex
	peer  *Port
	link  nic.Link
	err   error
	stats nic.Stats
}

// queue is a ring of frames.
type queue struct {
	port  *Port
	i     int
	mu    sync.Mutex
	ring  []*packet.Buf
	first int
	n     int
	event *wake.Event // nil: nobody can sleep on the queue
	armed bool
}

// New returns a port with its link up.
func New(cfg Config) (*Port, error) {
	set := func(v *int, to int) {
		if *v == 0 {
			*v = to
		}
	}
	set(&cfg.Queues, 1)
	set(&cfg.Ring, 512)
	set(&cfg.Buffers, 4096)
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	if cfg.Memory == nil {
		cfg.Memory = NewMemory()
	}
	p := &Port{link: nic.Link{Up: true, Speed: 10000}, own: cfg.Pool == nil}
	if p.own {
		var err error
		if cfg.Pool, err = packet.NewPool(cfg.Memory, packet.PoolConfig{Buffers: cfg.Buffers, Room: cfg.Room}); err != nil {
			return nil, err
		}
	}
	p.info = nic.Info{
		Driver: "nictest", Address: cfg.Name, Card: "none", MAC: net.HardwareAddr{2, 0, 0, 0, 0, cfg.Port}, NUMANode: -1,
		RxQueues: cfg.Queues, TxQueues: cfg.Queues, RxRing: cfg.Ring, TxRing: cfg.Ring, MTU: 16000 - 14,
		Port: cfg.Port, Domain: cfg.Pool.Domain(), Pool: cfg.Pool, Offloads: cfg.Offloads,
	}
	for i := range cfg.Queues {
		p.rx = append(p.rx, &queue{port: p, i: i, ring: make([]*packet.Buf, cfg.Ring)})
		p.tx = append(p.tx, &queue{port: p, i: i, ring: make([]*packet.Buf, cfg.Ring)})
		if cfg.Interrupts {
			var err error
			if p.rx[i].event, err = wake.New(); err != nil {
				return nil, errors.Join(err, p.Close())
			}
		}
	}
	return p, nil
}

// Connect joins two ports, or a port with itself: what is sent on queue i of one arrives on queue i of
// the other, modulo its queues. Send takes no more than that queue and its pool have room for, so that
// nothing is lost.
func Connect(a, b *Port) {
	for _, p := range [][2]*Port{{a, b}, {b, a}} {
		p[0].mu.Lock()
		p[0].peer = p[1]
		p[0].mu.Unlock()
	}
}

// Arrive makes frames arrive on receive queue i and returns how many did; the rest count as missed. Frames
// longer than a buffer are chained.
func (p *Port) Arrive(i int, frames ...[]byte) int {
	n := 0
	for _, f := range frames {
		if p.arrive(i, f) {
			n++
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stats.RxMissed += uint64(len(frames) - n)
	return n
}

func (p *Port) arrive(i int, f []byte) bool {
	b := p.frame(f)
	ok := b != nil && p.rx[i].push(b)
	if !ok {
		packet.Free([]*packet.Buf{b})
	}
	return ok
}

// frame copies bytes into buffers of the port's pool; nil where it has none.
func (p *Port) frame(f []byte) *packet.Buf {
	var first, last *packet.Buf
	for {
		var one [1]*packet.Buf
		if p.info.Pool.Alloc(one[:]) == 0 {
			packet.Free([]*packet.Buf{first})
			return nil
		}
		b := one[0]
		k := min(len(f), p.info.Pool.Room())
		b.SetBytes(f[:k])
		b.SetFlags(packet.PortFlags(p.info.Port))
		f = f[k:]
		if first == nil {
			first = b
		} else {
			last.SetNext(b)
		}
		if last = b; len(f) == 0 {
			return first
		}
	}
}

// Sent takes up to n frames that wait in transmit queue i of a port that is not connected, hands
// each to fn, if not nil, frees it, and returns how many there were.
func (p *Port) Sent(i, n int, fn func(*packet.Buf)) int {
	for k := range n {
		b := p.tx[i].pop()
		if b == nil {
			return k
		}
		if fn != nil {
			fn(b)
		}
		packet.Free([]*packet.Buf{b})
	}
	return n
}

// SetLink sets what Link returns.
func (p *Port) SetLink(l nic.Link, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.link, p.err = l, err
}

// Info implements nic.Device.
func (p *Port) Info() nic.Info { return p.info }

// RxQueue implements nic.Device.
func (p *Port) RxQueue(i int) nic.RxQueue { return p.rx[i] }

// TxQueue implements nic.Device.
func (p *Port) TxQueue(i int) nic.TxQueue { return p.tx[i] }

// Link implements nic.Device.
func (p *Port) Link() (nic.Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.link, p.err
}

// Stats implements nic.Device.
func (p *Port) Stats() (nic.Stats, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stats, nil
}

// SetPromiscuous implements nic.Device.
func (p *Port) SetPromiscuous(bool) error { return nil }

// Close frees what waits in the queues, and closes the pool if it is the port's own. The error wraps
// packet.ErrLeaked where buffers are still out.
func (p *Port) Close() error {
	for _, q := range append(p.rx, p.tx...) {
		for b := q.pop(); b != nil; b = q.pop() {
			packet.Free([]*packet.Buf{b})
		}
		if q.event != nil {
			_ = q.event.Close()
		}
	}
	if !p.own {
		return nil
	}
	return p.info.Pool.Close()
}

// Receive implements nic.RxQueue.
func (q *queue) Receive(batch []*packet.Buf) int {
	n, bytes := 0, 0
	for ; n < len(batch); n++ {
		if batch[n] = q.pop(); batch[n] == nil {
			break
		}
		bytes += batch[n].TotalLen()
	}
	q.port.mu.Lock()
	q.port.stats.RxPackets += uint64(n)
	q.port.stats.RxBytes += uint64(bytes)
	q.port.mu.Unlock()
	return n
}

// WaitFD implements nic.Waiter.
func (q *queue) WaitFD() int {
	if q.event == nil {
		return -1
	}
	return q.event.FD()
}

// Arm implements nic.Waiter.
func (q *queue) Arm() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.armed = q.event != nil && q.n == 0
	return q.armed
}

// Disarm implements nic.Waiter.
func (q *queue) Disarm() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.armed = false; q.event != nil {
		_ = q.event.Clear() // fails only once it is closed
	}
}

// Send implements nic.TxQueue.
func (q *queue) Send(batch []*packet.Buf) int {
	q.port.mu.Lock()
	peer := q.port.peer
	q.port.mu.Unlock()
	n, bytes := 0, 0
	for _, b := range batch {
		size := b.TotalLen()
		if peer != nil {
			if !peer.arrive(q.i%len(peer.rx), b.AppendTo(nil)) {
				break
			}
			packet.Free(batch[n : n+1])
		} else if !q.push(b) {
			break
		}
		n++
		bytes += size
	}
	q.port.mu.Lock()
	q.port.stats.TxPackets += uint64(n)
	q.port.stats.TxBytes += uint64(bytes)
	q.port.mu.Unlock()
	return n
}

func (q *queue) push(b *packet.Buf) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == len(q.ring) {
		return false
	}
	q.ring[(q.first+q.n)%len(q.ring)] = b
	q.n++
	if q.armed {
		_ = q.event.Signal() // fails only once it is closed
	}
	return true
}

func (q *queue) pop() *packet.Buf {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return nil
	}
	b := q.ring[q.first]
	q.first = (q.first + 1) % len(q.ring)
	q.n--
	return b
}
