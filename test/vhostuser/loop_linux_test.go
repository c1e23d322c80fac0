package vhostuser

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	_ "glassnic/driver/all"
	"glassnic/nic"
	"glassnic/packet"
)

// patience bounds every wait for something that must happen: generous, for machines that are busy.
const patience = 30 * time.Second

// loop is a port whose partner sends back what it gets.
type loop struct {
	t      *testing.T
	port   nic.Device
	queues []*loopQueue
}

// loopQueue is a pair of queues of it.
type loopQueue struct {
	index    int
	rx       nic.RxQueue
	tx       nic.TxQueue
	cache    *packet.Cache
	out      []*packet.Buf
	in       []*packet.Buf
	sent     uint64
	received uint64
	floor    uint64 // frames below do not count
	size     func(n uint64) int
	window   uint64 // how many frames are under way at most: fewer than any ring on the way holds, so that none is dropped
}

// ring is the number of descriptors of a queue. A quarter of a receive ring may be with the driver.
const ring = 1024

func newLoop(t *testing.T, addr string, queues int, cfg nic.Config, size func(uint64) int) *loop {
	t.Helper()
	cfg.RxQueues, cfg.TxQueues, cfg.RxRing, cfg.TxRing = queues, queues, ring, ring
	port, err := nic.Open(t.Context(), addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{t: t, port: port}
	for i := range queues {
		pieces := 1
		if room := port.Info().Pool.Room(); room < 1500 {
			pieces = 1500/room + 1
		}
		q := &loopQueue{window: uint64(ring / 2 / pieces), index: i, rx: port.RxQueue(i), tx: port.TxQueue(i), cache: port.Info().Pool.NewCache(), in: make([]*packet.Buf, 64), size: size}
		q.rx.(nic.CacheUser).UseCache(q.cache)
		q.tx.(nic.CacheUser).UseCache(q.cache)
		l.queues = append(l.queues, q)
	}
	return l
}

// close gives everything back, and fails where a buffer is missing.
func (l *loop) close() {
	l.t.Helper()
	if s, err := l.port.Stats(); l.t.Failed() {
		l.t.Logf("%+v, %v", s, err)
	}
	for _, q := range l.queues {
		packet.Free(q.out)
		q.rx.(nic.CacheUser).UseCache(nil)
		q.tx.(nic.CacheUser).UseCache(nil)
		q.cache.Flush()
	}
	if err := l.port.Close(); err != nil {
		l.t.Error(err)
	}
}

// numberAt is where a frame has the number of its queue.
const numberAt = 14

// frame n of queue q is filled with what only it has.
func fill(b []byte, q int, n uint64) {
	copy(b, []byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5})
	if len(b) < 24 {
		return
	}
	b[numberAt] = byte(q)
	binary.BigEndian.PutUint64(b[15:], n)
	x := n*0x9e3779b97f4a7c15 + uint64(q)
	for i := 23; i < len(b); i++ {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
}

// step sends and receives what can be, up to frame end.
func (q *loopQueue) step(end uint64, lossy bool) error {
	if err := q.send(end); err != nil {
		return err
	}
	n := q.rx.Receive(q.in)
	for _, b := range q.in[:n] {
		if err := q.check(b.AppendTo(nil), lossy); err != nil {
			return err
		}
	}
	packet.Free(q.in[:n])
	if n == 0 {
		// The partner may wait for this very CPU.
		_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
	return nil
}

// send sends what can be, up to frame end.
func (q *loopQueue) send(end uint64) error {
	for want := min(32, max(end, q.sent)-q.sent, q.window-(q.sent-q.received)); uint64(len(q.out)) < want; {
		b := q.cache.Take(1)
		if len(b) == 0 {
			break
		}
		data := make([]byte, q.size(q.sent+uint64(len(q.out))))
		fill(data, q.index, q.sent+uint64(len(q.out)))
		if err := put(q.cache, b[0], data); err != nil {
			return err
		}
		q.out = append(q.out, b[0])
	}
	n := q.tx.Send(q.out)
	q.out = append(q.out[:0], q.out[n:]...)
	q.sent += uint64(n)
	return nil
}

// put makes head a frame of several buffers where it has to be.
func put(c *packet.Cache, head *packet.Buf, data []byte) error {
	room := c.Pool().Room()
	for last := head; ; {
		last.Reset()
		n := min(room, len(data))
		if !last.SetBytes(data[:n]) {
			return errors.New("a buffer does not take its part")
		}
		if data = data[n:]; len(data) == 0 {
			return nil
		}
		next := c.Take(1)
		if len(next) == 0 {
			return errors.New("the pool is empty")
		}
		next[0].Reset()
		last.SetNext(next[0])
		last = next[0]
	}
}

func (q *loopQueue) check(got []byte, lossy bool) error {
	if len(got) < 24 {
		return fmt.Errorf("queue %d: a frame of %d bytes", q.index, len(got))
	}
	n := binary.BigEndian.Uint64(got[15:])
	if n < q.floor {
		return nil
	}
	want := make([]byte, q.size(n))
	fill(want, q.index, n)
	if !bytes.Equal(got, want) {
		return fmt.Errorf("queue %d: frame %d came back as %d bytes %.40x…, want %d bytes %.40x…", q.index, n, len(got), got, len(want), want)
	}
	if n < q.received || n != q.received && !lossy || n >= q.sent {
		return fmt.Errorf("queue %d: frame %d came back after %d of %d", q.index, n, q.received, q.sent)
	}
	q.received = n + 1
	return nil
}

// run has each queue send and get back so many frames more.
func (l *loop) run(frames uint64) {
	l.t.Helper()
	end := frames
	for _, q := range l.queues {
		end = max(end, q.sent+frames)
	}
	last, moved := uint64(0), time.Now()
	for done := false; !done; {
		done = true
		now := uint64(0)
		for _, q := range l.queues {
			if err := q.step(end, false); err != nil {
				l.t.Fatal(err)
			}
			done = done && q.received == end
			now += q.received
		}
		if now != last {
			last, moved = now, time.Now()
		} else if time.Since(moved) > patience {
			l.t.Fatalf("%d frames came back, and no more", now)
		}
	}
}

// until has all queues go on, frames being lost or not, until something holds.
func (l *loop) until(what string, holds func() bool) {
	l.t.Helper()
	for begin := time.Now(); !holds(); {
		if time.Since(begin) > patience {
			l.t.Fatalf("%s: not within %v", what, patience)
		}
		for _, q := range l.queues {
			if err := q.step(1<<62, true); err != nil {
				l.t.Fatal(err)
			}
		}
	}
}

// up tells whether the port has a partner, in which its link and its trouble agree.
func (l *loop) up() bool {
	l.t.Helper()
	link, err := l.port.Link()
	if err != nil {
		l.t.Fatal(err)
	}
	trouble := l.port.(nic.Watched).Trouble()
	if trouble != nil && !errors.Is(trouble, nic.ErrLinkDown) {
		l.t.Fatal(trouble)
	}
	return link.Up && trouble == nil
}

// forget gives up the frames under way, which went with a partner. While the link is down no others are sent.
func (l *loop) forget() {
	for _, q := range l.queues {
		q.received = q.sent
	}
}
