package generate

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"glassnic/internal/traffic"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

func port(t testing.TB, cfg nictest.Config) *nictest.Port {
	t.Helper()
	p, err := nictest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// TestLoop sends over a cable from a port to itself: every frame comes back in order, Run ends by itself,
// and the intervals add up.
func TestLoop(t *testing.T) {
	for name, c := range map[string]struct {
		port nictest.Config
		cfg  Config
	}{
		"numbered":   {nictest.Config{}, Config{Count: 5001, Spec: traffic.Spec{Seq: true}}},
		"unnumbered": {nictest.Config{}, Config{Count: 5001}},
		"small ring": {nictest.Config{Ring: 3, Buffers: 256}, Config{Count: 1000, Spec: traffic.Spec{Seq: true}}},
		"workers":    {nictest.Config{Queues: 3}, Config{Count: 5000, Spec: traffic.Spec{Seq: true}}},
		"one frame":  {nictest.Config{Queues: 3}, Config{Count: 1, Spec: traffic.Spec{Seq: true}}},
		"mixed":      {nictest.Config{}, Config{Count: 3000, Spec: traffic.Spec{Seq: true, Sizes: traffic.IMIX, Template: traffic.UDP4}}},
		"chained": {nictest.Config{Room: 512, Buffers: 8192}, Config{
			Count: 2000, Spec: traffic.Spec{Seq: true, Sizes: []int{511, 512, 513, 1514, 9014}, Template: traffic.TCP4},
		}},
		"batch of 1": {nictest.Config{}, Config{Batch: 1, Count: 1000, Spec: traffic.Spec{Seq: true}}},
	} {
		t.Run(name, func(t *testing.T) {
			p := port(t, c.port)
			nictest.Connect(p, p)
			c.cfg.Port, c.cfg.Receive, c.cfg.Interval, c.cfg.Linger = p, true, 2*time.Millisecond, time.Minute
			var sent, bytes, got uint64
			var missing int64
			r, err := Run(t.Context(), c.cfg, func(r Report) {
				sent += r.TxPackets
				bytes += r.TxBytes
				got += r.Checked.OK
				missing += r.Checked.Missing
			})
			if err != nil {
				t.Fatal(err)
			}
			n := c.cfg.Count
			if r.TxPackets != n || r.RxPackets != n || r.TxBytes != r.RxBytes || *r.Checked != (Checked{OK: n}) {
				t.Errorf("%+v, checked %+v", r, r.Checked)
			}
			if sent != n || bytes != r.TxBytes || got != n || missing != 0 {
				t.Errorf("intervals add up to %d frames and %d bytes sent, %d back, %d missing", sent, bytes, got, missing)
			}
			if r.Type != "total" || r.TicksPerPacket <= 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestFaults puts a wire between that loses, repeats and damages frames and slips others in.
func TestFaults(t *testing.T) {
	p := port(t, nictest.Config{})
	wire := make(chan struct{})
	go func() {
		defer close(wire)
		for i := 0; i < 500; {
			p.Sent(0, 1, func(b *packet.Buf) {
				f := b.AppendTo(nil)
				switch i++; i {
				case 100, 101, 102: // lost
				case 200:
					p.Arrive(0, f, f)
				case 300:
					f[45] ^= 1
					p.Arrive(0, f)
				case 400:
					p.Arrive(0, make([]byte, 60), f)
				default:
					p.Arrive(0, f)
				}
			})
		}
	}()
	r, err := Run(t.Context(), Config{
		Port: p, Count: 500, Spec: traffic.Spec{Seq: true}, Receive: true, Linger: 300 * time.Millisecond,
	}, nil)
	<-wire
	want := Checked{OK: 496, Duplicate: 1, Corrupt: 1, Foreign: 1, Missing: 4}
	if err != nil || r.TxPackets != 500 || r.RxPackets != 499 || *r.Checked != want {
		t.Errorf("%+v, checked %+v, want %+v; %v", r, r.Checked, want, err)
	}
}

func TestEndsWithContext(t *testing.T) {
	p := port(t, nictest.Config{Ring: 8})
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, Config{Port: p, Interval: time.Millisecond}, func(r Report) {
		if s, _ := p.Stats(); s.TxPackets == 8 { // the ring is full and nobody empties it
			cancel()
		}
	})
	if err != nil || r.TxPackets != 8 || r.Checked != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestEmptyPool: without buffers nothing is sent, and Run still ends.
func TestEmptyPool(t *testing.T) {
	p := port(t, nictest.Config{Buffers: 64})
	all := make([]*packet.Buf, 64)
	p.Info().Pool.Alloc(all)
	ctx, cancel := context.WithCancel(t.Context())
	r, err := Run(ctx, Config{Port: p, Interval: time.Millisecond}, func(Report) { cancel() })
	if err != nil || r.TxPackets != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	packet.Free(all)

	// A frame that takes more buffers than there are is given up whole.
	q := port(t, nictest.Config{Buffers: 64, Room: 64})
	ctx, cancel = context.WithCancel(t.Context())
	r, err = Run(ctx, Config{Port: q, Spec: traffic.Spec{Size: 64*64 + 1}, Interval: time.Millisecond}, func(Report) { cancel() })
	if err != nil || r.TxPackets != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestRate cannot tell slow from a busy machine, but too fast is wrong everywhere.
func TestRate(t *testing.T) {
	p := port(t, nictest.Config{Queues: 2})
	nictest.Connect(p, p)
	r, err := Run(t.Context(), Config{Port: p, Rate: 10_000, Burst: 4, Count: 500, Receive: true}, nil)
	if least := float64(500-2*5) / 10_000; err != nil || r.TxPackets != 500 || r.Seconds < least*0.999 {
		t.Errorf("%d frames in %v s, at least %v expected: %v", r.TxPackets, r.Seconds, least, err)
	}
}

func TestPacer(t *testing.T) {
	p := &pacer{perFrame: 100, burst: 8}
	p.start(1000)
	for _, step := range []struct {
		now  uint64
		n    int
		want int
	}{
		{1000, 32, 1},  // the first frame goes at once
		{1099, 32, 0},  // then one per 100 ticks
		{1100, 32, 1},  //
		{1350, 32, 2},  //
		{1400, 32, 1},  // the half token was kept
		{99999, 32, 8}, // late: no more than a burst
		{99999, 32, 0}, //
		{100798, 3, 3}, // no more than asked, and the rest stays
		{100798, 32, 4},
		{100803, 32, 1},
	} {
		if got := p.take(step.now, step.n); got != step.want {
			t.Errorf("at %d: %d frames, want %d", step.now, got, step.want)
		}
	}
	p.start(0)
	sent := 0
	for now := uint64(0); now <= 1_000_000; now += 37 {
		sent += p.take(now, 32)
	}
	if sent < 9_999 || sent > 10_001 {
		t.Errorf("%d frames in the time of 10000", sent)
	}
}

func TestShare(t *testing.T) {
	for _, count := range []uint64{0, 1, 2, 3, 10, 1<<64 - 1} {
		var sum uint64
		for i := range 3 {
			sum += share(count, i, 3)
		}
		if sum != count {
			t.Errorf("shares of %d add up to %d", count, sum)
		}
	}
}

func TestSettings(t *testing.T) {
	p := port(t, nictest.Config{Name: "p"})
	for want, cfg := range map[string]Config{
		"port is needed":           {},
		"batch of 513":             {Port: p, Batch: 513},
		"batch of -1":              {Port: p, Batch: -1},
		"burst of -1":              {Port: p, Burst: -1},
		"rate of -1":               {Port: p, Rate: -1},
		"p has 1 transmit queues":  {Port: p, Workers: 2},
		`unknown template "udp5"`:  {Port: p, Spec: traffic.Spec{Template: "udp5"}},
		"p sends up to 1514":       {Port: mtu{p}, Spec: traffic.Spec{Sizes: []int{60, 1515}}},
		"generate: worker 0: cpu:": {Port: p, CPUs: []int{-1}},
	} {
		r, err := Run(t.Context(), cfg, nil)
		if err == nil || !strings.Contains(err.Error(), want) || r.Type != "total" {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

// mtu is a port of the standard MTU.
type mtu struct{ *nictest.Port }

func (m mtu) Info() nic.Info {
	i := m.Port.Info()
	i.MTU = 1500
	return i
}

func TestPortGone(t *testing.T) {
	p := port(t, nictest.Config{})
	p.SetLink(nic.Link{}, nic.ErrGone)
	_, err := Run(t.Context(), Config{Port: p, Interval: time.Millisecond}, nil)
	if !errors.Is(err, nic.ErrGone) {
		t.Errorf("%v", err)
	}
}

// TestNames fixes the names that programs read.
func TestNames(t *testing.T) {
	text, err := json.Marshal(Report{Type: "total", Checked: &Checked{}})
	want := `{"type":"total","seconds":0,"port":"","tx_packets":0,"tx_bytes":0,"ticks_per_packet":0,` +
		`"mpps":0,"mbit_s":0,"mbit_s_framed":0,"rx_packets":0,"rx_bytes":0,` +
		`"checked":{"ok":0,"reordered":0,"duplicate":0,"stale":0,"corrupt":0,"foreign":0,"missing":0}}`
	if err != nil || string(text) != want {
		t.Errorf("%s\nwant %s", text, want)
	}
}

func TestNoGoAllocations(t *testing.T) {
	if packet.Checking {
		return // remembering call sites allocates
	}
	for name, c := range map[string]struct {
		room int
		spec traffic.Spec
		rate float64
	}{
		"plain":   {2048, traffic.Spec{Seq: true}, 0},
		"paced":   {2048, traffic.Spec{Seq: true}, 1e9},
		"chained": {128, traffic.Spec{Seq: true, Size: 500}, 0},
	} {
		p := port(t, nictest.Config{Room: c.room})
		cfg := Config{Port: p, Spec: c.spec, Rate: c.rate, Receive: true}
		ws, err := cfg.workers()
		if err != nil {
			t.Fatal(err)
		}
		w, last := ws[0], uint64(0)
		frame := make([]byte, 500)
		n := testing.AllocsPerRun(600, func() {
			last = w.step(last)
			p.Arrive(0, frame)
			p.Sent(0, 64, nil)
		})
		if n != 0 || w.c.txPackets < 1000 || w.c.checked.Foreign < 500 {
			t.Errorf("%s: %v allocations per step, %+v", name, n, w.c)
		}
		w.free()
		w.cache.Flush()
		w.check.cache.Flush()
	}
}

// limited is a port whose card keeps rates up to some.
type limited struct {
	*nictest.Port
	most uint64
	said []uint64 // limits in the order in which they were set
}

func (l *limited) TxRates() (lowest, highest uint64) { return 0, l.most }

func (l *limited) SetTxRate(_ int, bits uint64) error {
	if bits > l.most {
		return errors.New("too fast")
	}
	l.said = append(l.said, bits)
	return nil
}

// TestRateByCard leaves the rate to the card, each queue's share in bits with FCS and padding, and takes it back in the end.
func TestRateByCard(t *testing.T) {
	p := &limited{Port: port(t, nictest.Config{Queues: 2, Ring: 1000}), most: 1e9}
	cfg := Config{Port: p, Count: 1000, Rate: 1000, ByCard: true, Spec: traffic.Spec{Sizes: []int{60, 996}}}
	if _, err := Run(t.Context(), cfg, nil); err != nil { // the program itself would take a second
		t.Fatal(err)
	}
	if want := []uint64{500 * 8 * (64 + 1000) / 2, 500 * 8 * (64 + 1000) / 2, 0, 0}; !slices.Equal(p.said, want) {
		t.Errorf("limits %v, want %v", p.said, want)
	}
	cfg.Rate = 1e6
	if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), "too fast") {
		t.Errorf("more than the card keeps: %v", err)
	}
	cfg.Port = p.Port
	if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), "keeps no rate") {
		t.Errorf("a port without limits: %v", err)
	}
	cfg.Port, cfg.Rate = p, 0
	if _, err := Run(t.Context(), cfg, nil); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("no rate: %v", err)
	}
}
