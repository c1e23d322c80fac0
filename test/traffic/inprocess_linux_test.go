package traffic

import (
	"context"
	"fmt"
	"maps"
	"math"
	"sync"
	"testing"
	"time"

	"glassnic/app/forward"
	"glassnic/nic"
)

// openPort opens a port that is closed at the end of the test, which fails if Close does, for instance
// because buffers are missing.
func openPort(t *testing.T, addr string, cfg nic.Config) nic.Device {
	t.Helper()
	dev, err := nic.Open(t.Context(), addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, dev)
	return dev
}

func closeAtEnd(t *testing.T, dev nic.Device) {
	t.Cleanup(func() {
		if err := dev.Close(); err != nil {
			t.Error(err)
		}
	})
}

// forwarding is a forward.Run in the background.
type forwarding struct {
	ports  [2]nic.Device
	cancel context.CancelFunc
	done   chan struct{}
	total  forward.Report
	err    error

	mu   sync.Mutex
	dirs [2]forward.Traffic // so far
}

// startForward forwards between two ports until stop, at the latest until the end of the test. With
// lossless, it waits for a transmit queue that is full as long as it takes.
func startForward(t *testing.T, a, b nic.Device, lossless bool) *forwarding {
	cfg := forward.Config{A: a, B: b, Interval: 20 * time.Millisecond, IdleSleep: 20 * time.Microsecond}
	if lossless {
		cfg.Patience = math.MaxInt
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &forwarding{ports: [2]nic.Device{a, b}, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		f.total, f.err = forward.Run(ctx, cfg, f.add)
	}()
	t.Cleanup(func() {
		cancel()
		<-f.done
	})
	return f
}

func (f *forwarding) add(r forward.Report) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i, d := range r.Directions {
		s := &f.dirs[i]
		s.RxPackets += d.RxPackets
		s.TxPackets += d.TxPackets
		if s.Drops == nil {
			s.Drops = map[string]uint64{}
		}
		for reason, n := range d.Drops {
			s.Drops[reason] += n
		}
	}
}

// direction returns what has been reported of a direction so far: 0 from the first port to the second.
func (f *forwarding) direction(i int) forward.Traffic {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.dirs[i]
	d.Drops = maps.Clone(d.Drops)
	return d
}

// stop ends the forwarding and returns the totals, after having checked that they add up.
func (f *forwarding) stop(t *testing.T) forward.Report {
	t.Helper()
	f.cancel()
	select {
	case <-f.done:
	case <-time.After(patience):
		t.Fatal("forward does not end")
	}
	if f.err != nil {
		t.Fatal(f.err)
	}
	for _, d := range f.total.Directions {
		if d.RxPackets != d.TxPackets+sum(d.Drops) {
			t.Errorf("%s to %s: %d received, %d sent, dropped %v: does not add up", d.From, d.To, d.RxPackets, d.TxPackets, d.Drops)
		}
	}
	return f.total
}

func sum(drops map[string]uint64) (n uint64) {
	for _, v := range drops {
		n += v
	}
	return n
}

// account checks one direction's chain of counters from port to port, now: nil where every link is exact.
func (f *forwarding) account(i int) (in, out nic.Stats, err error) {
	if in, err = f.ports[i].Stats(); err != nil {
		return in, out, err
	}
	if out, err = f.ports[1-i].Stats(); err != nil {
		return in, out, err
	}
	d := f.direction(i)
	switch {
	case in.RxPackets != d.RxPackets+in.RxDropped:
		err = fmt.Errorf("the card received %d, the driver dropped %d, forward received %d", in.RxPackets, in.RxDropped, d.RxPackets)
	case d.RxPackets != d.TxPackets+sum(d.Drops):
		err = fmt.Errorf("forward received %d, sent %d, dropped %v", d.RxPackets, d.TxPackets, d.Drops)
	case d.TxPackets != out.TxPackets+out.TxDropped:
		err = fmt.Errorf("forward sent %d, the card %d, and the driver dropped %d", d.TxPackets, out.TxPackets, out.TxDropped)
	}
	return in, out, err
}
