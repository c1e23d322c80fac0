package ixgbe

import (
	"context"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// initLink starts the link as the EEPROM says it is wired (4.6.4). The copper cards' PHYs start by
// themselves.
func (d *Device) initLink(context.Context) error {
	if d.model == chip.M82599 {
		d.regs.Set(chip.AUTOC, chip.AutocRestartAN)
	}
	return nil
}

// awaitLink waits for the link as long as the settings say. A port without a link is open all the same.
func (d *Device) awaitLink(ctx context.Context) error {
	if d.cfg.LinkWait < 0 {
		return nil
	}
	up := d.wait(ctx, d.cfg.LinkWait, func() bool { return d.restarted() && d.link().Up })
	if !up && (ctx.Err() != nil || d.gone()) {
		return d.late(ctx, "wait for link", "")
	}
	return nil
}

// restarted tells whether the card has taken initLink's restart, which clears itself (8.2.3.22.19): until then
// LINKS may still show the link that was up before.
func (d *Device) restarted() bool { return d.regs.Read32(chip.AUTOC)&chip.AutocRestartAN == 0 }

// Link implements nic.Device.
func (d *Device) Link() (nic.Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nic.Link{}, d.fail("link", "%w", nic.ErrClosed)
	}
	if d.gone() {
		return nic.Link{}, d.late(context.Background(), "link", "")
	}
	return d.link(), nil
}

// link decodes LINKS (8.2.3.22.20).
func (d *Device) link() nic.Link {
	v := d.regs.Read32(chip.LINKS)
	if v&chip.LinksUP == 0 {
		return nic.Link{}
	}
	odd := d.model != chip.M82599 && v&chip.LinksNonStd != 0
	switch v & chip.LinksSPEED {
	case chip.LinksSPEED10G:
		if odd {
			return nic.Link{Up: true, Speed: 2500}
		}
		return nic.Link{Up: true, Speed: 10000}
	case chip.LinksSPEED1G:
		return nic.Link{Up: true, Speed: 1000}
	case chip.LinksSPEED100M:
		if odd {
			return nic.Link{Up: true, Speed: 5000}
		}
		return nic.Link{Up: true, Speed: 100}
	}
	return nic.Link{Up: true}
}
