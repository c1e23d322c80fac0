package bench

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"

	_ "glassnic/driver/vhost"  // vhost-user:
	_ "glassnic/driver/virtio" // virtio-user:
	"glassnic/internal/cpu"
	"glassnic/internal/testpmd"
	"glassnic/internal/tsc"
	"glassnic/nic"
	"glassnic/packet"
)

// ownEnd is a port of ours that sends back what it gets, on a thread of its own.
type ownEnd struct {
	port   nic.Device
	rx     nic.RxQueue
	tx     nic.TxQueue
	cache  *packet.Cache
	paused atomic.Bool
	begin  chan struct{} // closed at the end
	done   chan figures
}

// openEnd opens the port at an address with queues like testpmd's.
func openEnd(ctx context.Context, addr string, onCPU int) (seat, error) {
	port, err := nic.Open(ctx, addr, nic.Config{
		RxQueues: 1, TxQueues: 1, RxRing: testpmd.Ring, TxRing: testpmd.Ring, Buffers: buffers, LinkWait: -1,
	})
	if err != nil {
		return nil, err
	}
	e := &ownEnd{port: port, rx: port.RxQueue(0), tx: port.TxQueue(0), cache: port.Info().Pool.NewCache(), begin: make(chan struct{}), done: make(chan figures)}
	e.rx.(nic.CacheUser).UseCache(e.cache)
	e.tx.(nic.CacheUser).UseCache(e.cache)
	pinned := make(chan error)
	go func() {
		// The goroutine ends locked, and the pinned thread with it.
		runtime.LockOSThread()
		err := cpu.Pin(onCPU)
		pinned <- err
		for range e.begin {
			e.done <- e.run()
		}
		close(e.done)
	}()
	if err := <-pinned; err != nil {
		return nil, errors.Join(err, e.close())
	}
	return e, nil
}

// run forwards until it is paused. It counts as testpmd does: what received nothing costs nothing.
func (e *ownEnd) run() (f figures) {
	var batch [testpmd.Burst]*packet.Buf
	for !e.paused.Load() {
		t := tsc.Read()
		n := e.rx.Receive(batch[:])
		if n == 0 {
			continue
		}
		if sent := e.tx.Send(batch[:n]); sent < n {
			packet.Free(batch[sent:n])
		}
		f.Ticks += tsc.Read() - t
		f.Packets += uint64(n)
	}
	return f
}

// Go implements seat. It has no frames of its own.
func (e *ownEnd) Go(int) error {
	e.paused.Store(false)
	e.begin <- struct{}{}
	return nil
}

// Pause implements seat.
func (e *ownEnd) Pause() (figures, error) {
	e.paused.Store(true)
	f := <-e.done
	w, ok := e.port.(nic.Watched)
	if ok && w.Trouble() != nil {
		return f, w.Trouble()
	}
	return f, nil
}

// close implements seat.
func (e *ownEnd) close() error {
	e.paused.Store(true)
	close(e.begin)
	for range e.done {
	}
	e.rx.(nic.CacheUser).UseCache(nil)
	e.tx.(nic.CacheUser).UseCache(nil)
	e.cache.Flush()
	return e.port.Close()
}
