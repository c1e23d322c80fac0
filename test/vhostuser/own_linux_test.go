package vhostuser

import (
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/internal/wake"
	"glassnic/nic"
	"glassnic/packet"
)

// echoPort opens a port at an address that sends back what it gets, until stop is called.
func echoPort(t *testing.T, addr string, queues int) (stop func()) {
	t.Helper()
	port, err := nic.Open(t.Context(), addr, nic.Config{RxQueues: queues, TxQueues: queues, LinkWait: -1})
	if err != nil {
		t.Fatal(err)
	}
	end := make(chan struct{})
	var workers sync.WaitGroup
	for i := range queues {
		workers.Go(func() {
			rx, tx := port.RxQueue(i), port.TxQueue(i)
			batch := make([]*packet.Buf, 32)
			for {
				frames := batch[:rx.Receive(batch)]
				for len(frames) > 0 {
					frames = frames[tx.Send(frames):]
					select {
					case <-end:
						packet.Free(frames)
						return
					default:
					}
				}
				select {
				case <-end:
					return
				default:
					_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
				}
			}
		})
	}
	return sync.OnceFunc(func() {
		close(end)
		workers.Wait()
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	})
}

// Both ends are ours: up to a million frames go to the device's end and come back, none lost, each as it was; and go on when
// that end was closed and is opened again.
func TestLoopOwn(t *testing.T) {
	small := func(n uint64) int { return 60 + int(n%7) }
	large := func(n uint64) int { return 60 + int(n*31%1400) }
	for _, c := range []struct {
		name         string
		ours, theirs string // options
		queues       int
		cfg          nic.Config
		frames       uint64
		size         func(uint64) int
	}{
		{"packed", "", "", 1, nic.Config{}, 1e6, small},
		{"split", ",split", "", 1, nic.Config{}, 1e6, small},
		{"packed 4 queues, listens", ",server", ",client", 4, nic.Config{}, 100e3, small},
		{"split 4 queues, listens", ",server,split", ",client", 4, nic.Config{}, 100e3, small},
		{"packed mergeable", "", "", 1, nic.Config{Room: 512}, 100e3, large},
		{"split mergeable", ",split", "", 1, nic.Config{Room: 512}, 100e3, large},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := socket(t)
			var stop func()
			var l *loop
			if c.theirs == "" {
				stop = echoPort(t, "vhost-user:"+path+c.theirs, c.queues)
				l = newLoop(t, "virtio-user:"+path+c.ours, c.queues, c.cfg, c.size)
			} else {
				var both sync.WaitGroup
				both.Go(func() { l = newLoop(t, "virtio-user:"+path+c.ours, c.queues, c.cfg, c.size) })
				stop = echoPort(t, "vhost-user:"+path+c.theirs, c.queues)
				both.Wait()
			}
			defer func() { stop() }()
			defer l.close()
			l.run(c.frames)
			stop()
			l.until("the link goes down", func() bool { return !l.up() })
			l.forget()
			stop = echoPort(t, "vhost-user:"+path+c.theirs, c.queues)
			l.until("the link comes up", l.up)
			l.run(10e3)
		})
	}
}

// A queue that is armed wakes its worker when a frame comes, and when the other end is back.
func TestWakeOwn(t *testing.T) {
	path := socket(t)
	stop := echoPort(t, "vhost-user:"+path, 1)
	defer func() { stop() }()
	l := newLoop(t, "virtio-user:"+path, 1, nic.Config{Interrupts: true}, func(uint64) int { return 60 })
	defer l.close()
	l.run(1000)
	q := l.queues[0]
	w := q.rx.(nic.Waiter)
	var set wake.Set
	set.Add(w.WaitFD())
	sleep := func(what string, cause func()) {
		t.Helper()
		if !w.Arm() {
			t.Fatalf("%s: the queue has a frame already", what)
		}
		cause()
		if woken, err := set.Sleep(patience); err != nil || !woken {
			t.Errorf("%s: woken %v, %v", what, woken, err)
		}
		w.Disarm()
		if woken, err := set.Sleep(0); err != nil || woken {
			t.Errorf("%s: readable after Disarm: %v, %v", what, woken, err)
		}
	}
	for range 20 {
		sleep("a frame", func() {
			if err := q.send(q.sent + 1); err != nil {
				t.Fatal(err)
			}
		})
		l.run(0)
	}
	stop()
	l.until("the link goes down", func() bool { return !l.up() })
	l.forget()
	sleep("the other end is back", func() { stop = echoPort(t, "vhost-user:"+path, 1) })
	l.until("the link comes up", l.up)
	sleep("a frame", func() {
		if err := q.send(q.sent + 1); err != nil {
			t.Fatal(err)
		}
	})
	l.run(1000)
}

// Memory that is got while traffic runs reaches the other end before the first frame that lies in it.
func TestGrowthOwn(t *testing.T) {
	path := socket(t)
	defer echoPort(t, "vhost-user:"+path, 1)()
	l := newLoop(t, "virtio-user:"+path, 1, nic.Config{}, func(n uint64) int { return 60 + int(n%7) })
	defer l.close()
	l.run(1000)
	other := socket(t)
	defer echoPort(t, "vhost-user:"+other, 1)()
	q := l.queues[0]
	own := q.cache
	second, err := nic.Open(t.Context(), "virtio-user:"+other, nic.Config{Buffers: 60000})
	if err != nil {
		t.Fatal(err)
	}
	if second.Info().Domain != l.port.Info().Domain {
		t.Fatal("ports of one process do not share their memory")
	}
	// All buffers of the new pool go out by the first port.
	q.cache = second.Info().Pool.NewCache()
	if !q.tx.(nic.CacheUser).UseCache(q.cache) {
		t.Fatal("the port does not reach the new memory")
	}
	held := make([]*packet.Buf, 30000)
	held = held[:q.cache.Fill(held)] // so that later ones are used
	l.run(50e3)
	packet.Free(held)
	if err := l.port.(nic.Watched).Trouble(); err != nil {
		t.Error(err)
	}
	q.tx.(nic.CacheUser).UseCache(own)
	q.cache.Flush()
	q.cache = own
	l.run(2 * ring) // after which none of the others is in the ring
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}
