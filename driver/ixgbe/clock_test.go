package ixgbe_test

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
	model "glassnic/sim/ixgbe"
)

var _ nic.Timestamper = (*ixgbe.Device)(nil)

// timed opens a port on a card whose time a test moves.
func timed(t *testing.T, cfg nic.Config, device uint16) (r *rig, now *time.Duration) {
	t.Helper()
	now = new(time.Duration)
	auto := true
	s, w := card(t, model.Config{Device: device, Clock: func() time.Duration {
		if auto {
			*now += time.Millisecond // for the handshakes of the start
		}
		return *now
	}})
	cfg.Offloads |= nic.Timestamps
	r = &rig{t: t, sim: s, wire: w, dev: openOn(t, s, cfg)}
	auto = false
	t.Cleanup(func() { auto = true }) // and of the end, which comes after
	return r, now
}

// near tells whether two times differ by less than the clock's finest step, 6.4 ns, and rounding.
func near(a, b time.Time) bool { return a.Sub(b).Abs() < 10 }

func (r *rig) clock() time.Time {
	r.t.Helper()
	now, err := r.dev.Clock()
	if err != nil {
		r.t.Fatal(err)
	}
	return now
}

// TestClock sets and adjusts the clock, over more than the two hours that SYSTIM holds, and at other speeds of the link.
func TestClock(t *testing.T) {
	before := time.Now()
	r, now := timed(t, nic.Config{}, 0)
	if c, own := nic.ClockOf(r.dev); !own || c != nic.Timestamper(r.dev) {
		t.Errorf("clock %T, the card's: %v", c, own)
	}
	// The card's time ran ahead of the machine's at the start, a millisecond each look.
	if at := r.clock(); at.Before(before) || at.Sub(before) > time.Hour {
		t.Errorf("the clock begins with %v, it is %v", at, before)
	}
	want := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	if err := r.dev.SetClock(want); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		*now += time.Hour
		want = want.Add(time.Hour)
		if err := r.dev.Trouble(); err != nil {
			t.Error(err)
		}
	}
	// Each period of 6.4 ns adds a whole number of parts: within 0.06 parts per million.
	if at := r.clock(); at.Sub(want).Abs() > 4*time.Hour/16e6 {
		t.Errorf("four hours later it is %v, want %v", at, want)
	}
	for _, ppb := range []int{nic.MaxAdjust, 1000, 0, -1000, -nic.MaxAdjust} {
		if err := r.dev.AdjustClock(ppb); err != nil {
			t.Fatal(err)
		}
		begin := r.clock()
		*now += time.Second
		if off := r.clock().Sub(begin) - time.Second - time.Duration(ppb); off.Abs() > 150 {
			t.Errorf("adjusted by %d a second is %v too long", ppb, off)
		}
		for _, wrong := range []int{nic.MaxAdjust + 1, -nic.MaxAdjust - 1} {
			if r.dev.AdjustClock(wrong) == nil {
				t.Errorf("adjusted by %d", wrong)
			}
		}
	}
}

// TestClockFollowsLink: the clock's own pace is that of the link (8.2.3.26, TIMINCA).
func TestClockFollowsLink(t *testing.T) {
	var pace uint32
	s, w := card(t, model.Config{Trace: func(e model.Event) {
		if e.Write && e.Off == facts.TIMINCA {
			pace = e.Value
		}
	}})
	r := &rig{t: t, sim: s, wire: w, dev: openOn(t, s, nic.Config{Offloads: nic.Timestamps})}
	for _, c := range []struct {
		links uint32
		want  uint32 // of 2^-21, 2^-17 and 2^-14 ns
	}{{facts.LinksSPEED10G, 0x1cccccc}, {facts.LinksSPEED1G, 0x1800000}, {facts.LinksSPEED100M, 0x1a00000}} {
		binary.LittleEndian.PutUint32(r.sim.Card.Registers()[facts.LINKS:], facts.LinksUP|c.links)
		if err := r.dev.Trouble(); err != nil {
			t.Error(err)
		}
		if pace != c.want {
			t.Errorf("LINKS %#x: TIMINCA %#x, want %#x", c.links, pace, c.want)
		}
	}
}

// ptpEvent is a message of PTP by its EtherType.
func ptpEvent(kind byte) []byte {
	f := frame(60, 0)
	copy(f[12:], []byte{0x88, 0xf7, kind, 2, 0, 44})
	return f
}

// TestReceiveStamp: messages of PTP have the time of their arrival, one at a time; a stamp whose frame never came does not
// keep the card from stamping.
func TestReceiveStamp(t *testing.T) {
	for _, room := range []int{2048, 1024} {
		r, now := timed(t, nic.Config{Room: room}, 0)
		receive := func() (at []time.Time) {
			t.Helper()
			var batch [8]*packet.Buf
			n := r.dev.RxQueue(0).Receive(batch[:])
			for _, b := range batch[:n] {
				ns, ok := b.Timestamp()
				if at = append(at, time.Time{}); ok {
					at[len(at)-1] = time.Unix(0, ns)
				}
			}
			packet.Free(batch[:n])
			return at
		}
		long := append(ptpEvent(1), make([]byte, 1300)...)
		for i, f := range [][]byte{ptpEvent(0), long, flow(false, 100, false, false), ptpEvent(11)} {
			event := i < 2
			*now += time.Second
			want := r.clock()
			r.wire.put(f)
			r.step()
			*now += time.Second
			got := receive()
			if len(got) != 1 || event && !near(got[0], want) || !event && !got[0].IsZero() {
				t.Errorf("room %d, frame %d at %v: stamps %v", room, i, want, got)
			}
		}
		// Two at once: the second finds no room.
		r.wire.put(ptpEvent(0))
		r.wire.put(ptpEvent(0))
		r.step()
		if got := receive(); len(got) != 2 || got[0].IsZero() || !got[1].IsZero() {
			t.Errorf("two at once: %v", got)
		}
		// A stamp whose frame does not come is given up by the second look that finds it. Should the frame come
		// all the same, it has none.
		r.wire.put(ptpEvent(0))
		r.step()
		for i := range 2 {
			if binary.LittleEndian.Uint32(r.sim.Card.Registers()[facts.TSYNCRXCTL:])&facts.TsyncrxctlRXTT == 0 {
				t.Errorf("given up after %d looks", i)
			}
			if err := r.dev.Trouble(); err != nil {
				t.Error(err)
			}
		}
		if got := receive(); len(got) != 1 || !got[0].IsZero() {
			t.Errorf("stamp given up: %v", got)
		}
		r.wire.put(ptpEvent(0))
		r.step()
		if got := receive(); len(got) != 1 || got[0].IsZero() {
			t.Errorf("after a stamp that was given up: %v", got)
		}
	}
}

// TestTransmitStamp: a frame that asks for it is stamped, once each time was fetched.
func TestTransmitStamp(t *testing.T) {
	r, now := timed(t, nic.Config{}, 0)
	send := func(stamp bool) {
		t.Helper()
		b := r.buf(frame(60, 0), 60)
		if stamp {
			b.SetFlags(packet.NeedsTimestamp)
		}
		if n := r.dev.TxQueue(0).Send([]*packet.Buf{b}); n != 1 {
			t.Fatalf("sent %d", n)
		}
		r.step()
		*now += time.Second
	}
	fetch := func() (time.Time, bool) {
		t.Helper()
		at, ok, err := r.dev.TxTimestamp()
		if err != nil {
			t.Fatal(err)
		}
		return at, ok
	}
	send(false)
	if at, ok := fetch(); ok {
		t.Errorf("%v for a frame that did not ask", at)
	}
	for i := range 2 {
		*now += time.Minute
		want := r.clock()
		send(true)
		send(true) // finds no room
		if at, ok := fetch(); !ok || !near(at, want) {
			t.Errorf("frame %d: left at %v, %v, want %v", i, at, ok, want)
		}
		if at, ok := fetch(); ok {
			t.Errorf("%v twice", at)
		}
	}
	if n := len(r.wire.out); n != 5 {
		t.Errorf("%d frames left", n)
	}
}

// TestNoClock: who does not ask, or has another card, has none, and software takes its place.
func TestNoClock(t *testing.T) {
	x540, _ := timed(t, nic.Config{}, 0x1528)
	for what, r := range map[string]*rig{"not asked for": open(t, nic.Config{}), "X540": x540} {
		if o := r.dev.Info().Offloads; o&nic.Timestamps != 0 {
			t.Errorf("%s: offloads %v", what, o)
		}
		if _, own := nic.ClockOf(r.dev); own {
			t.Errorf("%s: has a clock", what)
		}
		_, err := r.dev.Clock()
		if err == nil || !strings.Contains(err.Error(), "nic.Timestamps") {
			t.Errorf("%s: %v", what, err)
		}
		b := r.buf(frame(60, 0), 60)
		b.SetFlags(packet.NeedsTimestamp)
		if n := r.dev.TxQueue(0).Send([]*packet.Buf{b}); n != 1 {
			t.Errorf("%s: sent %d", what, n)
		}
		if r.step(); len(r.wire.out) != 1 {
			t.Errorf("%s: %d frames left", what, len(r.wire.out))
		}
	}
	r, _ := timed(t, nic.Config{}, 0)
	if err := r.dev.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.dev.Clock(); err == nil {
		t.Error("a closed port has a clock")
	}
}
