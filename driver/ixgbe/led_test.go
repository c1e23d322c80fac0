package ixgbe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	facts "glassnic/chip/ixgbe"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

func TestLEDs(t *testing.T) {
	for _, up := range []bool{true, false} {
		t.Run(fmt.Sprint("link ", up), func(t *testing.T) { testLEDs(t, up) })
	}
}

func testLEDs(t *testing.T, up bool) {
	writes := 0
	s, _ := card(t, model.Config{Wire: &script{down: !up}, Trace: func(e model.Event) {
		if e.Write && e.Off == facts.LEDCTL {
			writes++
		}
	}})
	d := openOn(t, s, nic.Config{LinkWait: time.Millisecond})
	before := s.Card.Read32(facts.LEDCTL)
	auto := [4]string{}
	for i := range auto {
		auto[i] = s.Card.LED(i).String()
	}
	if d.LEDs() != 4 {
		t.Fatalf("%d LEDs", d.LEDs())
	}
	want := auto
	for _, led := range []int{0, 3, 1, 2} {
		for _, c := range []struct {
			state nic.LEDState
			want  string
		}{
			{nic.LEDOn, "on"},
			{nic.LEDOff, "off"},
			{nic.LEDBlink, "blink"},
			{nic.LEDOn, "on"},
			{nic.LEDAuto, auto[led]},
			{nic.LEDBlink, "blink"},
			{nic.LEDOff, "off"},
			{nic.LEDBlink, "blink"},
		} {
			if err := d.SetLED(led, c.state); err != nil {
				t.Fatal(err)
			}
			want[led] = c.want
			// One LED changes and no other.
			if got := s.Card.LEDs(); got != strings.Join(want[:], " ") {
				t.Errorf("LED %d in state %d: %s, want %v", led, c.state, got, want)
			}
		}
	}
	for led := range 4 {
		if err := d.SetLED(led, nic.LEDAuto); err != nil {
			t.Fatal(err)
		}
	}
	if v := s.Card.Read32(facts.LEDCTL); v != before {
		t.Errorf("LEDCTL %#x with all LEDs on their own, want %#x", v, before)
	}
	for _, c := range []struct {
		led   int
		state nic.LEDState
		want  string
	}{{-1, nic.LEDOn, "LED -1: want 0 to 3"}, {4, nic.LEDOn, "LED 4: want 0 to 3"}, {0, nic.LEDBlink + 1, "state 4"}} {
		if err := d.SetLED(c.led, c.state); err == nil || !strings.Contains(err.Error(), "sim:test: set LED: "+c.want) {
			t.Errorf("SetLED(%d, %d): %v", c.led, c.state, err)
		}
	}
	for led := range 4 {
		if err := d.SetLED(led, nic.LEDBlink); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if v := s.Card.Read32(facts.LEDCTL); v != before {
		t.Errorf("LEDCTL %#x after Close, want %#x as before", v, before)
	}

	// Who never set an LED leaves them alone.
	writes = 0
	if err := openOn(t, s, nic.Config{LinkWait: noWait}).Close(); err != nil || writes != 0 {
		t.Errorf("%v, LEDCTL written %d times", err, writes)
	}
}
