package ixgbe_test

import (
	"strings"
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

var _ nic.RateLimiter = (*ixgbe.Device)(nil)

// fill hands frames of 1000 bytes with FCS to a queue.
func (r *rig) fill(queue, n int) {
	r.t.Helper()
	batch := make([]*packet.Buf, n)
	for i := range batch {
		batch[i] = r.buf(frame(996, byte(i)), 2048)
	}
	if sent := r.dev.TxQueue(queue).Send(batch); sent != n {
		r.t.Fatalf("sent %d of %d", sent, n)
	}
}

// TestTxRate limits one of two queues to 1 Gbit/s, a frame every 8 µs of the card's time, then has the link become slower
// and the limit be lifted.
func TestTxRate(t *testing.T) {
	r, now := timed(t, nic.Config{TxQueues: 2}, 0)
	if low, high := r.dev.TxRates(); low > 10_000_000 || high != 10_000_000_000 {
		t.Errorf("limits of %d to %d bit/s", low, high)
	}
	if err := r.dev.SetTxRate(1, 1_000_000_000); err != nil {
		t.Fatal(err)
	}
	r.fill(0, 20)
	r.fill(1, 50)
	passes := func(what string, within time.Duration, want int) {
		t.Helper()
		before := len(r.wire.out)
		for end := *now + within; *now < end; *now += time.Microsecond {
			r.step()
		}
		if got := len(r.wire.out) - before; got != want {
			t.Errorf("%s: %d frames in %v, want %d", what, got, within, want)
		}
	}
	passes("with a limit of the other queue", 80*time.Microsecond, 20+10)
	// At 1 Gbit/s the same limit is no part of the link's rate any more, but all of it.
	r.sim.Card.Write32(facts.AUTOC, facts.AutocLMS1G)
	r.sim.Card.Inject(model.LinkDown)
	r.sim.Card.Step(0)
	r.sim.Card.Heal(model.LinkDown)
	r.sim.Card.Step(0)
	if err := r.dev.Trouble(); err != nil {
		t.Fatal(err)
	}
	passes("on a slower link", 80*time.Microsecond, 10)
	if err := r.dev.SetTxRate(1, 0); err != nil {
		t.Fatal(err)
	}
	passes("without a limit", time.Microsecond, 30)
}

// TestTxRateRefused asks for what the card cannot keep.
func TestTxRateRefused(t *testing.T) {
	r, _ := timed(t, nic.Config{}, 0)
	low, high := r.dev.TxRates()
	for _, v := range []uint64{low, high} {
		if err := r.dev.SetTxRate(0, v); err != nil {
			t.Error(err)
		}
	}
	for _, c := range []struct {
		queue int
		rate  uint64
		say   string
	}{{0, low - 1, "RTTBCNRC"}, {0, high + 1, "link of 10000 Mbit/s"}, {1, low, "the port has 1"}, {-1, 0, "queue -1"}} {
		if err := r.dev.SetTxRate(c.queue, c.rate); err == nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("queue %d, %d bit/s: %v", c.queue, c.rate, err)
		}
	}
}

// TestPolledTxRate limits a port whose card another goroutine plays, by the machine's time. The card looks at the limit
// now and then.
func TestPolledTxRate(t *testing.T) {
	p := world(t, wire.SourceConfig{Count: 1})[0]
	p.open(t, nic.Config{})
	if err := p.dev.(nic.RateLimiter).SetTxRate(0, 1_000_000_000); err != nil {
		t.Fatal(err)
	}
	const burst, each = 2048, 8 * time.Microsecond
	batch := make([]*packet.Buf, 32)
	frames, held := uint64(0), 0
	eventually(t, "bursts that are held back", func() bool {
		begin := time.Now()
		for range burst / len(batch) {
			eventually(t, "buffers", func() bool { return p.pool.Alloc(batch) == len(batch) })
			for _, b := range batch {
				b.Append(996)
			}
			left := batch
			eventually(t, "room to send", func() bool {
				left = left[p.dev.TxQueue(0).Send(left):]
				return len(left) == 0
			})
		}
		frames += burst
		eventually(t, "the sink", func() bool { return p.sink.Totals().Frames() >= frames })
		if held++; time.Since(begin) < burst*each*7/8 {
			held = 0
		}
		return held == 4 // the machine holds one back now and then, too
	})
	closeAll(t, p)

	p = world(t, wire.SourceConfig{Count: 1})[0]
	p.open(t, nic.Config{TxQueues: 2})
	if err := p.dev.(nic.RateLimiter).SetTxRate(0, 1_000_000_000); err == nil || !strings.Contains(err.Error(), "open it with one") {
		t.Errorf("two queues: %v", err)
	}
	closeAll(t, p)
}
