package ixgbe

import (
	"testing"
	"time"

	chip "glassnic/chip/ixgbe"
)

// paced is a rig whose model time the test moves.
func paced(t *testing.T, polled bool) (r *rig, now *time.Duration) {
	now = new(time.Duration)
	auto := true
	r = newRig(t, polled, func(c *Config) {
		c.Clock = func() time.Duration {
			if auto {
				*now += time.Millisecond
			}
			return *now
		}
	})
	r.start()
	auto = false
	return r, now
}

// limit has a queue send at a tenth of the link's rate.
func (r *rig) limit(queue int, window uint32) {
	const tenth = 10 << chip.RttbcnrcRFFraction
	r.reg.Write32(chip.RTTBCNRM, window)
	r.reg.Write32(chip.RTTDQSEL, uint32(queue))
	r.reg.Write32(chip.RTTBCNRC, tenth|chip.RttbcnrcRSENA)
	r.step(0)
}

// TestRateLimit sends frames of 1000 bytes with FCS at 1 Gbit/s: one every 8 µs, by the card's time.
func TestRateLimit(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		for _, c := range []struct {
			what   string
			window uint32
			step   time.Duration
			sent   []int // after so many steps
		}{
			{"looked at often", 0, time.Microsecond, []int{1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3}},
			{"looked at seldom, and not caught up", 0, 20 * time.Microsecond, []int{1, 2, 3, 4, 5, 6}},
			{"looked at seldom, and caught up", 4, 12 * time.Microsecond, []int{1, 2, 4, 5, 7, 8, 10}},
			{"more to catch up than may be", 1, 800 * time.Microsecond, []int{1, 3, 5}},
		} {
			r, now := paced(t, polled)
			tx := r.tx(0, 64)
			r.limit(0, c.window)
			for i := range 40 {
				tx.send(frame(996, i))
			}
			tx.kick()
			for i, want := range c.sent {
				r.step(256)
				if got := len(r.port.out); got != want {
					t.Errorf("%s: %d frames after %v, want %d", c.what, got, time.Duration(i)*c.step, want)
				}
				*now += c.step
			}
			r.reg.Write32(chip.RTTBCNRC, 0)
			r.step(256)
			if got := len(r.port.out); got != 40 {
				t.Errorf("%s: %d of 40 frames once there is no limit", c.what, got)
			}
			r.clean()
		}
	})
}

// TestRateLimitOfOneQueue has another queue send as it likes, and keeps the limits of queues apart.
func TestRateLimitOfOneQueue(t *testing.T) {
	r, now := paced(t, false)
	rings := []*txRing{r.tx(0, 64), r.tx(1, 64)}
	r.limit(1, 0)
	for want, queue := range []int{0, 1} {
		r.reg.Write32(chip.RTTDQSEL, uint32(queue))
		if on := r.reg.Read32(chip.RTTBCNRC)&chip.RttbcnrcRSENA != 0; on != (want == 1) {
			t.Errorf("RTTBCNRC of queue %d has RS_ENA: %v", queue, on)
		}
	}
	for _, tx := range rings {
		for i := range 20 {
			tx.send(frame(996, i))
		}
		tx.kick()
	}
	for range 3 {
		r.step(256)
		*now += 8 * time.Microsecond
	}
	if got := len(r.port.out); got != 20+3 {
		t.Errorf("%d frames, want 20 of one queue and 3 of the other", got)
	}
	r.clean()

	r.card.Reset()
	r.reg.Write32(chip.RTTDQSEL, 1)
	if v := r.reg.Read32(chip.RTTBCNRC); v != 0 {
		t.Errorf("RTTBCNRC %#x after a reset", v)
	}
}

// TestRateLimitOfSegments has each segment of a large frame wait for its turn.
func TestRateLimitOfSegments(t *testing.T) {
	r, now := paced(t, false)
	tx := r.tx(0, 64)
	r.limit(0, 0)
	const headers, mss, payload = 54, 942, 5 * 942
	tx.raw(20<<chip.TxCtxIPLenShift|14<<chip.TxCtxMACLenShift,
		chip.TxDTYPContext|chip.TxDCMDDEXT|chip.TxCtxTCP|chip.TxCtxIPv4|20<<chip.TxCtxL4LenShift|mss<<chip.TxCtxMSSShift)
	f := frame(headers+payload, 0)
	tx.add(f, chip.TxDTYPData|chip.TxDCMDDEXT|chip.TxDCMDIFCS|chip.TxDCMDEOP|chip.TxDCMDRS|chip.TxDCMDTSE|
		chip.TxPOPTSTXSM|chip.TxPOPTSIXSM|payload<<chip.TxPaylenShift)
	tx.kick()
	for want := 1; want <= 5; want++ {
		r.step(256)
		if got := len(r.port.out); got != want {
			t.Fatalf("%d segments, want %d", got, want)
		}
		if done := tx.done(1); done != (want == 5) {
			t.Errorf("%d segments: done %v", want, done)
		}
		*now += 8 * time.Microsecond
	}
	r.clean()
}
