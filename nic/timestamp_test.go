package nic

import (
	"errors"
	"testing"
	"time"
)

// portWithout is a port without a clock, or that says that it is not in use.
type portWithout struct{ Device }

func (portWithout) Info() Info { return Info{} }

type portWith struct {
	Device
	Timestamper
	offloads Offloads
}

func (p portWith) Info() Info { return Info{Offloads: p.offloads} }

func TestClockOf(t *testing.T) {
	own := portWith{offloads: Timestamps}
	if c, card := ClockOf(own); c != Timestamper(own) || !card {
		t.Errorf("%T, %v", c, card)
	}
	for _, d := range []Device{portWithout{}, portWith{}} {
		if c, card := ClockOf(d); c == nil || card {
			t.Errorf("%T: %T, %v", d, c, card)
		}
	}
}

func TestSoftClock(t *testing.T) {
	c, _ := ClockOf(portWithout{})
	read := func() time.Time {
		t.Helper()
		v, err := c.Clock()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := time.Now().Round(0)
	if v := read(); v.Before(before) || v.After(time.Now().Round(0)) {
		t.Errorf("begins at %v", v)
	}
	year := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	if err := c.SetClock(year); err != nil {
		t.Fatal(err)
	}
	if v := read(); v.Before(year) || v.Sub(year) > time.Minute {
		t.Errorf("%v after it was set to %v", v, year)
	}
	for _, ppb := range []int{MaxAdjust, -MaxAdjust} {
		if err := c.AdjustClock(ppb); err != nil {
			t.Fatal(err)
		}
		before, begin, after := time.Now(), read(), time.Now()
		for end := time.Now().Add(time.Minute); ; {
			least, ran := time.Since(after), read().Sub(begin)
			most := time.Since(before)
			if ppb > 0 && ran > most*12/10 || ppb < 0 && ran < least*8/10 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("adjusted by %d it ran %v in %v", ppb, ran, most)
			}
		}
		if c.AdjustClock(ppb*2) == nil {
			t.Errorf("adjusted by %d", ppb*2)
		}
	}
	if _, ok, err := c.TxTimestamp(); ok || !errors.Is(err, ErrNoTimestamp) {
		t.Errorf("%v, %v", ok, err)
	}
}
