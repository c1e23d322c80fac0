package e1000

import (
	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// LEDs implements nic.LEDs: LED 0 to 3 of the card, or 2; boards connect two or three (8254x 13.4.15).
func (d *Device) LEDs() int { return d.facts.LEDs }

// SetLED implements nic.LEDs: LEDCTL has a mode, an invert and a blink bit for each LED, 8 bits apart
// (8254x 13.4.15).
func (d *Device) SetLED(i int, s nic.LEDState) error {
	const step = "set LED"
	if i < 0 || i >= d.facts.LEDs {
		return d.fail(step, "LED %d: want 0 to %d", i, d.facts.LEDs-1)
	}
	if s > nic.LEDBlink {
		return d.fail(step, "state %d is none", s)
	}
	return d.change(step, func() {
		v := d.regs.Read32(chip.LEDCTL)
		if !d.ledSet {
			d.ledctl, d.ledSet = v, true
		}
		bits := chip.LedctlMODEMask(i) | chip.LedctlBLINK(i)
		v &^= bits
		switch s {
		case nic.LEDAuto:
			v |= d.ledctl & bits
		case nic.LEDOn:
			v |= chip.LedctlMODE(i, chip.LedModeOn)
		case nic.LEDOff:
			v |= chip.LedctlMODE(i, chip.LedModeOff)
		case nic.LEDBlink:
			v |= chip.LedctlMODE(i, chip.LedModeOn) | chip.LedctlBLINK(i)
		}
		d.regs.Write32(chip.LEDCTL, v)
	})
}
