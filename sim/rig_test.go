package sim

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	_ "glassnic/driver/ixgbe"
	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/packet"
	"glassnic/sim/wire"
)

// noWait opens a port whether it has a link or not.
const noWait = -time.Nanosecond

// station is what a port of these tests is plugged into.
type station struct {
	source *wire.Source
	sink   *wire.Sink
}

func newStation(t *testing.T, cfg wire.SourceConfig) station {
	t.Helper()
	cfg.Seq = true
	s, err := wire.NewSource(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return station{s, new(wire.Sink)}
}

func (s station) wire() wire.End { return wire.NewPeer(s.source, s.sink) }

// sent is how many frames the source has handed out.
func (s station) sent() uint64 { return s.source.Stats().RxFrames }

// eventually waits for what another goroutine or process does.
func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !cond(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30s", what)
		}
	}
}

// start has f run on a goroutine of its own. The returned function ends it and waits.
func start(t *testing.T, f func(context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// forward sends what one port receives from the other, without a copy, all of it unless ctx ends.
func forward(ctx context.Context, from, to nic.Device, batch []*packet.Buf) (n int) {
	n = from.RxQueue(0).Receive(batch)
	for sent := 0; sent < n; {
		sent += to.TxQueue(0).Send(batch[sent:n])
		if sent < n {
			if ctx.Err() != nil {
				packet.Free(batch[sent:n])
				return n
			}
			runtime.Gosched()
		}
	}
	return n
}

// forwardBoth forwards in both directions until ctx ends.
func forwardBoth(ctx context.Context, a, b nic.Device) {
	batch := make([]*packet.Buf, 32)
	for ctx.Err() == nil {
		if forward(ctx, a, b, batch)+forward(ctx, b, a, batch) == 0 {
			runtime.Gosched()
		}
	}
}

// drain receives and frees all that has arrived, checked by c.
func drain(d nic.Device, c *traffic.Checker) (n int) {
	batch := make([]*packet.Buf, 32)
	for {
		got := d.RxQueue(0).Receive(batch)
		for _, b := range batch[:got] {
			c.Check(b.AppendTo(nil))
		}
		packet.Free(batch[:got])
		n += got
		if got == 0 {
			return n
		}
	}
}

func mustStats(t *testing.T, d nic.Device) nic.Stats {
	t.Helper()
	s, err := d.Stats()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// counter returns one of the card's counters by its datasheet name.
func counter(t *testing.T, s nic.Stats, name string) uint64 {
	t.Helper()
	for _, c := range s.Counters {
		if c.Name == name {
			return c.Value
		}
	}
	t.Fatalf("no counter %s", name)
	return 0
}

func wantExact(t *testing.T, what string, s station, frames uint64) {
	t.Helper()
	if got := s.sink.Totals(); got != (traffic.Totals{OK: frames}) {
		t.Errorf("%s: %+v, want %d ok", what, got, frames)
	}
}

// pair is two ports of one domain with the driver on each and a pool of their own.
type pair struct {
	pool *packet.Pool
	dev  [2]nic.Device
}

func (p *pair) close(t *testing.T) {
	t.Helper()
	for _, d := range p.dev {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := p.pool.Close(); err != nil {
		t.Error(err)
	}
}

// text is what an error says, or that there is none.
func text(err error) string { return fmt.Sprint(err) }
