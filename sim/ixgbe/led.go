package ixgbe

import (
	"fmt"

	chip "glassnic/chip/ixgbe"
)

// LED is what one of the card's lights does.
type LED struct {
	On    bool // lit, at least now and then
	Blink bool // on and off
	Mode  uint32
}

// String returns "off", "on" or "blink".
func (l LED) String() string {
	switch {
	case l.Blink:
		return "blink"
	case l.On:
		return "on"
	}
	return "off"
}

// LED returns the state of light n, from 0 to 3, as LEDCTL and the link make it (8.2.3.1.6);
// there are no others, which are off. It is safe for concurrent use.
func (c *Card) LED(n int) LED {
	if n < 0 || n >= chip.LEDs || Faults(c.faults.Load())&Pulled != 0 {
		return LED{Mode: chip.LedModeOff}
	}
	v := c.get(chip.LEDCTL) >> (8 * n)
	l := LED{Mode: v & chip.LedModeMask}
	links := c.get(chip.LINKS)
	up, speed := links&chip.LinksUP != 0, links&chip.LinksSPEED
	switch l.Mode {
	case chip.LedModeOn:
		l.On = true
	case chip.LedModeLinkUp, chip.LedModeLinkActivity:
		l.On = up
	case chip.LedModeLink10G:
		l.On = up && speed == chip.LinksSPEED10G
	case chip.LedModeLink1G:
		l.On = up && speed == chip.LinksSPEED1G
	case chip.LedModeLink100M:
		l.On = up && speed == chip.LinksSPEED100M
	}
	if v&chip.LedIVRT != 0 {
		l.On = !l.On
	}
	l.Blink = l.On && v&chip.LedBLINK != 0
	return l
}

// LEDs describes all four lights in one line, such as "blink off on off".
func (c *Card) LEDs() string {
	return fmt.Sprint(c.LED(0), " ", c.LED(1), " ", c.LED(2), " ", c.LED(3))
}
