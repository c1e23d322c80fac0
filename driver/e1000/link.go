package e1000

import (
	"context"
	"time"

	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// initLink has the MAC take speed and duplex from the PHY (8254x 14.3, 82574 4.6.3, I210 4.5.7), and the PHY
// negotiate them.
func (d *Device) initLink(ctx context.Context) error {
	r := d.regs
	if d.family.switches && r.Read32(chip.CTRL_EXT)&chip.CtrlExtLINKMODE != 0 && !d.gone() {
		return d.fail("link", "the port is not set up for its built-in copper PHY (CTRL_EXT.LINK_MODE, 82576 8.2.3): fiber, SGMII and backplane are not supported")
	}
	set, clear := chip.CtrlSLU, chip.CtrlFRCSPD|chip.CtrlFRCDPX|chip.CtrlILOS|chip.CtrlRFCE|chip.CtrlTFCE
	if !d.family.pcie {
		set |= chip.CtrlASDE
	}
	r.Write32(chip.CTRL, r.Read32(chip.CTRL)&^clear|set)
	// No flow control, and none of what a former owner set (8254x 13.4.23).
	r.Write32(chip.FCRTL, 0)
	r.Write32(chip.FCRTH, 0)
	if d.facts.PHPM {
		r.Clear(chip.PHPM, chip.PhpmGOLINKD)
	}
	return d.negotiate(ctx)
}

// awaitLink waits for the link as long as the settings say. A port without a link is open all the same.
func (d *Device) awaitLink(ctx context.Context) error {
	for end := time.Now().Add(d.cfg.LinkWait); !d.link().Up && time.Now().Before(end); time.Sleep(time.Millisecond) {
		if ctx.Err() != nil || d.gone() {
			break
		}
	}
	if ctx.Err() != nil || d.gone() {
		return d.late(ctx, "wait for link", "")
	}
	l := d.link()
	d.cfg.Logger.Debug("e1000 link", "device", d.fn.Address(), "up", l.Up, "speed", l.Speed,
		"full duplex", d.regs.Read32(chip.STATUS)&chip.StatusFD != 0)
	return nil
}

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

// link decodes STATUS (8254x 13.4.2).
func (d *Device) link() nic.Link {
	v := d.regs.Read32(chip.STATUS)
	if v&chip.StatusLU == 0 || v == ^uint32(0) {
		return nic.Link{}
	}
	return nic.Link{Up: true, Speed: [...]int{10, 100, 1000, 1000}[v&chip.StatusSPEED>>chip.StatusSPEEDShift]}
}
