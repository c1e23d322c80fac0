package e1000

import (
	"context"

	chip "glassnic/chip/e1000"
)

// ownMDIO owns the 82574's access to its PHY (82574 10.2.2, EXTCNF_CTRL).
func (d *Device) ownMDIO(ctx context.Context) (unlock func(), err error) {
	r := d.regs
	if !d.wait(ctx, phyLimit, func() bool {
		r.Set(chip.EXTCNF_CTRL, chip.ExtcnfMDIOSW)
		return r.Read32(chip.EXTCNF_CTRL)&chip.ExtcnfMDIOSW != 0
	}) {
		return nil, d.late(ctx, "link", "firmware keeps the PHY for longer than 1s (EXTCNF_CTRL.MDIO_SW, 82574 10.2.2): power-cycle the card")
	}
	return func() { r.Clear(chip.EXTCNF_CTRL, chip.ExtcnfMDIOSW) }, nil
}

// ownPHY owns the port's PHY on the 82576 (82576 8.7): SW_FW_SYNC says who does, and SWSM who may change that.
func (d *Device) ownPHY(ctx context.Context) (unlock func(), err error) {
	r := d.regs
	mine := chip.SwFwSyncPHY(d.port())
	// A process that died may have left software's bit behind. This port is ours alone, so it is.
	if !d.wait(ctx, phyLimit, func() bool {
		free := false
		err = d.withSemaphore(ctx, func() {
			v := r.Read32(chip.SW_FW_SYNC)
			if free = v&(mine<<chip.SwFwSyncFWShift) == 0; free {
				r.Write32(chip.SW_FW_SYNC, v|mine)
			}
		})
		return free || err != nil
	}) {
		return nil, d.late(ctx, "link", "firmware keeps the PHY for longer than 1s (SW_FW_SYNC, 82576 8.7.3): power-cycle the card")
	}
	if err != nil {
		return nil, err
	}
	return func() {
		_ = d.withSemaphore(ctx, func() { r.Clear(chip.SW_FW_SYNC, mine) })
	}, nil
}

// withSemaphore calls f while neither firmware nor the driver of another port changes SW_FW_SYNC (82576 8.7.1).
func (d *Device) withSemaphore(ctx context.Context, f func()) error {
	r := d.regs
	defer r.Clear(chip.SWSM, chip.SwsmSMBI|chip.SwsmSWESMBI)
	// Reading takes it. Who keeps it for so long has died with it.
	d.wait(ctx, phyLimit/10, func() bool { return r.Read32(chip.SWSM)&chip.SwsmSMBI == 0 })
	if !d.wait(ctx, phyLimit, func() bool {
		r.Set(chip.SWSM, chip.SwsmSWESMBI)
		return r.Read32(chip.SWSM)&chip.SwsmSWESMBI != 0
	}) {
		return d.late(ctx, "link", "firmware keeps the semaphore for longer than 1s (SWSM.SWESMBI, 82576 8.7.1): power-cycle the card")
	}
	f()
	return nil
}

// mdic makes one access to the PHY and returns what was read (8254x 13.4.7, I210 8.2.4).
func (d *Device) mdic(ctx context.Context, v uint32) (uint16, error) {
	r := d.regs
	r.Write32(chip.MDIC, v|chip.MdicPHYInside<<chip.MdicPHYShift)
	if !d.wait(ctx, phyLimit, func() bool {
		v = r.Read32(chip.MDIC)
		return v&chip.MdicREADY != 0
	}) {
		return 0, d.late(ctx, "link", "the PHY does not answer within 1s (MDIC.R, 8254x 13.4.7): power-cycle the card")
	}
	if v&chip.MdicERROR != 0 {
		return 0, d.fail("link", "error in an access to the PHY, MDIC %#x (8254x 13.4.7): power-cycle the card", v)
	}
	return uint16(v & chip.MdicDATA), nil
}

// phy reads and writes the PHY's registers. After an error it does nothing any more.
type phy struct {
	d   *Device
	ctx context.Context
	err error
}

func (p *phy) read(reg uint32) (v uint16) {
	if p.err == nil {
		v, p.err = p.d.mdic(p.ctx, chip.MdicOPRead|reg<<chip.MdicREGShift)
	}
	return v
}

func (p *phy) write(reg uint32, v uint16) {
	if p.err == nil {
		_, p.err = p.d.mdic(p.ctx, chip.MdicOPWrite|reg<<chip.MdicREGShift|uint32(v))
	}
}

// negotiate wakes the PHY, which the kernel's driver leaves powered down, and has it negotiate all speeds, without
// pause frames, which the driver does not use.
func (d *Device) negotiate(ctx context.Context) error {
	unlock := func() {}
	if lock := d.family.lock; lock != nil {
		u, err := lock(d, ctx)
		if err != nil {
			return err
		}
		unlock = u
	}
	defer unlock()
	p := phy{d: d, ctx: ctx}
	if d.facts.Pages {
		p.write(chip.PhyPageI210, 0)
	}
	p.write(chip.PhyAdvertise, p.read(chip.PhyAdvertise)&^chip.PhyAdvertiseStop|chip.PhyAdvertise802|chip.PhyAdvertiseAll)
	p.write(chip.PhyGigAdvertise, p.read(chip.PhyGigAdvertise)|chip.PhyGigFull)
	const off = chip.PhyControlPowerDn | chip.PhyControlIsolate | chip.PhyControlLoopback
	p.write(chip.PhyControl, p.read(chip.PhyControl)&^off|chip.PhyControlAuto|chip.PhyControlRestart)
	return p.err
}
