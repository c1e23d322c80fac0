package ladder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// peer is our driver end of a vhost-user socket, as a virtual machine has it: it sends as many frames as the other end
// takes, throws away those that it does not, and looks at what comes back.
type peer struct {
	dir    string // of the socket
	thread *thread
	port   nic.Device
	cache  *packet.Cache
	frame  []byte
	want   byte // byte 1 of what comes back
	batch  [portBatch]*packet.Buf
	held   int // frames in batch that are ready to be sent
}

// newPeer makes the thread and the folder; connect does the rest when the other end listens.
func newPeer(b *bed) (p *peer, err error) {
	p = &peer{frame: frame(false)}
	p.want = p.frame[touched] + 1
	if p.dir, err = os.MkdirTemp("", "glassnic-ladder-"); err != nil {
		return nil, err
	}
	if p.thread, err = newThread(b.cpus[1], nil); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

func (p *peer) socket() string { return filepath.Join(p.dir, "socket") }

func (p *peer) connect(ctx context.Context) (err error) {
	if p.port, err = nic.Open(ctx, "virtio-user:"+p.socket(), nic.Config{}); err != nil {
		return err
	}
	p.cache = p.port.Info().Pool.NewCache()
	rx, _ := p.port.RxQueue(0).(nic.CacheUser)
	tx, _ := p.port.TxQueue(0).(nic.CacheUser)
	if rx == nil || tx == nil || !rx.UseCache(p.cache) || !tx.UseCache(p.cache) {
		return errors.New("the port's queues do not share a cache")
	}
	return nil
}

// offer sends a batch, and returns how many frames there were and how many were taken.
func (p *peer) offer(tx nic.TxQueue) (offered, taken int) {
	got := p.cache.Fill(p.batch[p.held:])
	for _, f := range p.batch[p.held : p.held+got] {
		f.SetBytes(p.frame)
	}
	p.held += got
	taken = tx.Send(p.batch[:p.held])
	offered = p.held
	p.held = copy(p.batch[:], p.batch[taken:p.held])
	return offered, taken
}

// collect takes what came back.
func (p *peer) collect(rx nic.RxQueue, s *sample) {
	var batch [portBatch]*packet.Buf
	n := rx.Receive(batch[:])
	for _, f := range batch[:n] {
		if f.Len() != len(p.frame) || f.Bytes()[touched] != p.want {
			s.wrong++
		}
	}
	p.cache.Put(batch[:n])
	s.arrived += uint64(n)
}

func (p *peer) close() error {
	var errs []error
	if p.port != nil {
		for _, q := range []any{p.port.RxQueue(0), p.port.TxQueue(0)} {
			if u, ok := q.(nic.CacheUser); ok {
				u.UseCache(nil)
			}
		}
		if p.cache != nil {
			p.cache.Put(p.batch[:p.held])
			p.cache.Flush()
		}
		errs = append(errs, p.port.Close())
	}
	if p.thread != nil {
		p.thread.close()
	}
	return errors.Join(append(errs, os.RemoveAll(p.dir))...)
}

// vhost is our device end: a switch's port, at which frames are copied from the other end's memory and back into it.
type vhost struct {
	*peer
	bed   *bed
	port  nic.Device
	batch [portBatch]*packet.Buf
}

func openVhost(ctx context.Context, b *bed) (_ runner, err error) {
	v := &vhost{bed: b}
	if v.peer, err = newPeer(b); err != nil {
		return nil, err
	}
	if v.port, err = nic.Open(ctx, "vhost-user:"+v.socket(), nic.Config{LinkWait: -1}); err == nil {
		err = v.connect(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, v.close())
	}
	return v, nil
}

func (v *vhost) close() error {
	err := v.peer.close()
	if v.port != nil {
		err = errors.Join(err, v.port.Close())
	}
	return err
}

// interrupted is how long no pass takes but one in which the core was given to somebody else: it is left out, with its frames.
const interrupted = 100 * time.Microsecond

// exchange is what the two threads of a slice tell each other.
type exchange struct {
	alive   atomic.Uint64 // TSC: when the source last went round
	stop    atomic.Bool   // the source is to end
	stopped atomic.Bool   // it has, after it has sent
	taken   uint64        // frames
	ended   atomic.Bool   // the forwarder has, after it has sent
	sent    uint64        // frames
}

func (v *vhost) slice(d time.Duration) (s sample, err error) {
	var x exchange
	var c counts
	done := make(chan error, 1)
	go func() { done <- v.thread.do(func() error { return v.peer.run(&x, &s) }) }()
	var m sample
	err = v.bed.forwarder.do(func() error { return v.forward(d, &x, &c, &m) })
	x.stop.Store(true)
	x.sent = c.sent
	x.ended.Store(true)
	err = errors.Join(err, <-done)
	s.packets, s.ticks, s.wanted, s.wall = m.packets, m.ticks, m.wanted, m.wall
	s.received, s.sent, s.dropped = c.received, c.sent, c.dropped
	s.missed = s.offered - x.taken
	return s, err
}

// run is the source and the sink.
func (p *peer) run(x *exchange, s *sample) error {
	rx, tx := p.port.RxQueue(0), p.port.TxQueue(0)
	for !x.stop.Load() {
		x.alive.Store(tsc.Read())
		offered, taken := p.offer(tx)
		s.offered += uint64(offered)
		x.taken += uint64(taken)
		p.collect(rx, s)
	}
	x.stopped.Store(true)
	for begin := time.Now(); !x.ended.Load() || s.arrived < x.sent; {
		if p.collect(rx, s); time.Since(begin) > patience {
			return fmt.Errorf("%d of %d frames came back", s.arrived, x.sent)
		}
	}
	return nil
}

// forward polls, and counts the ticks of the passes that found something.
func (v *vhost) forward(d time.Duration, x *exchange, c *counts, m *sample) error {
	rx, tx := v.port.RxQueue(0), v.port.TxQueue(0)
	begin := tsc.Read()
	end, late := begin+uint64(d.Seconds()*tsc.Hz()), begin+uint64((d+patience).Seconds()*tsc.Hz())
	most := uint64(interrupted.Seconds() * tsc.Hz())
	x.alive.Store(begin)
	last, busy, lost, others := begin, uint64(0), uint64(0), uint64(0)
	for {
		before := c.sent
		n := v.pass(rx, tx, c)
		now := tsc.Read()
		switch {
		case now-last > most:
			lost += now - last
			others += c.sent - before
		case n > 0:
			busy += now - last
		case now > most+x.alive.Load():
			lost += now - last // nothing came because somebody else had the source's core
		}
		last = now
		if now >= end && c.sent-others >= least && m.wall == 0 {
			m.packets, m.ticks, m.wall = c.sent-others, float64(busy), float64(now-begin)
			// Of the time in which others had one of the cores, it would have used as much as of the rest.
			m.wanted = m.ticks * m.wall / max(m.wall-float64(lost), m.ticks, 1)
			x.stop.Store(true)
		}
		if x.stopped.Load() && c.received == x.taken {
			return nil
		}
		if now > late {
			return fmt.Errorf("received %d of %d frames", c.received, x.taken)
		}
	}
}

// pass forwards a batch.
func (v *vhost) pass(rx nic.RxQueue, tx nic.TxQueue, c *counts) int {
	frames := v.batch[:rx.Receive(v.batch[:])]
	n := len(frames)
	if n == 0 {
		tx.Send(nil)
		return 0
	}
	c.received += uint64(n)
	for _, f := range frames {
		f.Bytes()[touched]++
	}
	for range offers {
		k := tx.Send(frames)
		c.sent += uint64(k)
		if frames = frames[k:]; len(frames) == 0 {
			return n
		}
	}
	c.dropped += uint64(len(frames))
	packet.Free(frames)
	return n
}
