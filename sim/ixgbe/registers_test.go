package ixgbe

import (
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestAccessModes(t *testing.T) {
	r := newRig(t, false)
	r.start()
	for _, c := range []struct {
		off, write, read uint32
		what             string
	}{
		{chip.STATUS, ^uint32(0), r.card.get(chip.STATUS), "read only"},
		{chip.LINKS, 0, r.card.get(chip.LINKS), "read only"},
		{chip.GPRC, 77, 0, "counter"},
		{chip.LEDCTL, 0x01020304, 0x01020304, "read and write"},
		{chip.RETA(31), 0x0F0E0D0C, 0x0F0E0D0C, "read and write"},
		{0x1BFC0, 0x12345678, 0, "reserved"},
		{0x1C000, 0x12345678, 0, "reserved"},
		{chip.EIMS, 0x11, 0x11, "set"},
		{chip.EIMS, 0x22, 0x33, "set"},
		{chip.EIMC, 0x03, 0, "write only"},
	} {
		r.reg.Write32(c.off, c.write)
		if v := r.reg.Read32(c.off); v != c.read {
			t.Errorf("%s (%s): wrote %#x, read %#x, want %#x", Event{Off: c.off}, c.what, c.write, v, c.read)
		}
	}
	if v := r.reg.Read32(chip.EIMS); v != 0x30 {
		t.Errorf("EIMS = %#x after EIMC", v)
	}
	r.reg.Read32(chip.EICR)
	r.reg.Write32(chip.EICS, 0x7)
	r.reg.Write32(chip.EICR, 0x1)
	if v := r.reg.Read32(chip.EICR); v != 0x6 {
		t.Errorf("EICR = %#x after setting 7 and clearing 1", v)
	}
	if v := r.reg.Read32(chip.EICR); v != 0 {
		t.Errorf("EICR = %#x after it was read", v)
	}
	r.reg.Write32(chip.GPIE, chip.GpieOCD)
	r.reg.Write32(chip.EICS, 0x11|chip.EicrECC)
	if a, b := r.reg.Read32(chip.EICR), r.reg.Read32(chip.EICR); a != 0x11|chip.EicrECC || b != 0x11 {
		t.Errorf("EICR with OCD reads %#x and then %#x, want %#x and 0x11", a, b, 0x11|chip.EicrECC)
	}
	if a, b := r.reg.Read32(chip.SWSM), r.reg.Read32(chip.SWSM); a&chip.SwsmSMBI != 0 || b&chip.SwsmSMBI == 0 {
		t.Errorf("SWSM reads %#x and then %#x", a, b)
	}
	// An alias reaches the same register.
	r.reg.Write32(0x0A200, 0xAABBCCDD)
	if v := r.reg.Read32(chip.RAL(0)); v != 0xAABBCCDD {
		t.Errorf("RAL[0] = %#x through its alias", v)
	}
}

func TestTrace(t *testing.T) {
	r := newRig(t, false)
	r.events = nil
	r.reg.Write32(chip.RDT(3), 0x1FF)
	r.reg.Read32(chip.STATUS)
	if len(r.events) != 2 {
		t.Fatalf("%d events", len(r.events))
	}
	if s := r.events[0].String(); s != "write RDT[3] 0x1ff" {
		t.Error(s)
	}
	if s := r.events[1].String(); s != "read STATUS 0x80000" {
		t.Error(s)
	}
}

func TestEEPROM(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled, func(c *Config) { c.Device = 0x154D })
		r.start()
		word := func(at uint32) uint16 {
			t.Helper()
			r.reg.Write32(chip.EERD, at<<chip.EerdADDRShift|chip.EerdSTART)
			if !r.wait(chip.EERD, chip.EerdDONE, chip.EerdDONE) {
				t.Fatal("EERD is not done")
			}
			return uint16(r.reg.Read32(chip.EERD) >> chip.EerdDATAShift)
		}
		// The rule of 6.3, as a driver checks it.
		var total uint16
		for i := range uint32(0x40) {
			total += word(i)
		}
		for p := uint32(3); p <= 0x0E; p++ {
			if at := uint32(word(p)); at != 0xFFFF && at != 0 {
				for i := uint32(1); i <= uint32(word(at)); i++ {
					total += word(at + i)
				}
			}
		}
		if total != 0xBABA {
			t.Errorf("the words sum to %#x, want 0xbaba", total)
		}
		core := uint32(word(9))
		if a, b, c := word(core+1), word(core+2), word(core+3); a != 0x0002 || b != 0x8200 || c != 0x9059 {
			t.Errorf("address words %#x %#x %#x", a, b, c)
		}
		if w := word(0x3FFF); w != 0xFFFF {
			t.Errorf("beyond the image: %#x", w)
		}
	})
}

func TestLED(t *testing.T) {
	r := newRig(t, false)
	r.start()
	set := func(n int, v uint32) string {
		r.reg.Write32(chip.LEDCTL, v<<(8*n))
		return r.card.LED(n).String()
	}
	for n := range 4 {
		for _, c := range []struct {
			v    uint32
			want string
		}{
			{chip.LedModeOn, "on"},
			{chip.LedModeOff, "off"},
			{chip.LedModeOn | chip.LedBLINK, "blink"},
			{chip.LedModeOff | chip.LedBLINK, "off"},
			{chip.LedModeOff | chip.LedIVRT, "on"},
			{chip.LedModeOff | chip.LedIVRT | chip.LedBLINK, "blink"},
			{chip.LedModeLinkUp, "on"},
			{chip.LedModeLink10G, "on"},
			{chip.LedModeLink1G, "off"},
			{chip.LedModeLinkUp | chip.LedIVRT, "off"},
		} {
			if got := set(n, c.v); got != c.want {
				t.Errorf("LED %d with %#x is %s, want %s", n, c.v, got, c.want)
			}
		}
	}
	if l := r.card.LED(4); l.On {
		t.Error("a fifth LED is on")
	}
	r.reg.Write32(chip.LEDCTL, chip.LedModeOn|chip.LedBLINK|chip.LedModeOff<<8|chip.LedModeOn<<16|chip.LedModeOff<<24)
	if s := r.card.LEDs(); s != "blink off on off" {
		t.Error(s)
	}
}
