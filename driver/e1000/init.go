package e1000

import (
	"context"
	"time"

	chip "glassnic/chip/e1000"
	"glassnic/nic"
)

// How long the steps of the start may take. The documents give no upper bounds; these are a hundred times
// what cards need. Tests shorten them.
var (
	resetLimit  = time.Second
	eepromLimit = time.Second
	queueLimit  = time.Second
	masterLimit = 100 * time.Millisecond
	configLimit = 100 * time.Millisecond
	phyLimit    = time.Second
	// resetQuiet is how long nobody may touch a card after CTRL.RST was written, resetPause the least time
	// until it has read its EEPROM (8254x 14.2) and firmware has set the PHY up.
	resetQuiet = time.Millisecond
	resetPause = 25 * time.Millisecond
	// leastLooks is how often the driver looks at a register that it waits for, whatever the time.
	leastLooks = 100
)

// start brings the card up in the order of the documents (8254x 14.3 to 14.5, 82574 4.6, I210 4.5).
func (d *Device) start(ctx context.Context) error {
	d.begun = true
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"reset", d.reset},
		{"memory", d.allocate},
		{"EEPROM", d.awaitEEPROM},
		{"MAC address", d.initMAC},
		{"link", d.initLink},
		{"statistics", d.initStats},
		{"receive", d.initRx},
		{"receive queues", d.startRx},
		{"transmit", d.initTx},
		{"transmit queues", d.startTx},
		{"interrupts", d.initInterrupts},
		{"wait for link", d.awaitLink},
	}
	for _, s := range steps {
		begin := time.Now()
		if err := s.do(ctx); err != nil {
			return err
		}
		d.cfg.Logger.Debug("e1000 start", "device", d.fn.Address(), "step", s.name, "took", time.Since(begin))
	}
	return nil
}

// reset stops whatever a former owner left running and puts all registers to their reset values (8254x 14.3,
// 82574 4.6.2, I210 4.5.3).
func (d *Device) reset(ctx context.Context) error {
	const step = "reset"
	if d.gone() {
		return d.late(ctx, step, "")
	}
	r := d.regs
	d.maskInterrupts()
	r.Write32(chip.RCTL, 0)
	r.Write32(chip.TCTL, chip.TctlPSP)
	if d.family.pcie {
		// A card that does not say that DMA has ended gets its reset all the same: there is nothing better to
		// do for it.
		d.stopMaster(ctx)
	}
	unlock := func() {}
	if d.family.errata {
		// Nobody may be at the PHY in a reset (Linux e1000e). Who cannot be kept away is taken into account.
		if u, err := d.family.lock(d, ctx); err == nil {
			unlock = u
		}
	}
	r.Set(chip.CTRL, chip.CtrlRST)
	time.Sleep(resetQuiet)
	done := d.wait(ctx, resetLimit, func() bool { return r.Read32(chip.CTRL)&chip.CtrlRST == 0 })
	if !done {
		return d.late(ctx, step, "CTRL.RST still set after 1s (8254x 13.4.1): power-cycle the card, or remove and rescan the PCI device")
	}
	time.Sleep(resetPause)
	unlock()
	if d.family.pcie {
		r.Clear(chip.CTRL, chip.CtrlGIODIS)
	}
	d.maskInterrupts()
	return nil
}

// stopMaster stops DMA requests and waits until none is under way (I210 5.2.3). It reports success.
func (d *Device) stopMaster(ctx context.Context) bool {
	d.regs.Set(chip.CTRL, chip.CtrlGIODIS)
	return d.wait(ctx, masterLimit, func() bool { return d.regs.Read32(chip.STATUS)&chip.StatusGIO == 0 })
}

// awaitEEPROM waits until the card has read its EEPROM and firmware has set the PHY up, and tells firmware that
// a driver is there (82576 8.4.1, 8.2.3).
func (d *Device) awaitEEPROM(ctx context.Context) error {
	r := d.regs
	if !d.family.pcie {
		return nil // resetPause was long enough
	}
	read := func() bool { return r.Read32(chip.EEC)&chip.EecAUTORD != 0 }
	if d.family.switches {
		// A card without an EEPROM or firmware works, too, but does not say so.
		d.wait(ctx, configLimit, read)
		control, port := chip.EEMNGCTL, d.port()
		if d.facts.Pages {
			control, port = chip.EEMNGCTL_I210, 0
		}
		d.wait(ctx, configLimit, func() bool { return r.Read32(control)&chip.EemngctlCFGDONE(port) != 0 })
	} else if !d.wait(ctx, eepromLimit, read) {
		return d.late(ctx, "reset", "EEPROM auto-read not done after 1s (EEC.AUTO_RD, 82574 10.2.2): is the EEPROM programmed?")
	}
	if d.gone() || ctx.Err() != nil {
		return d.late(ctx, "reset", "")
	}
	r.Set(chip.CTRL_EXT, chip.CtrlExtDRVLOAD)
	if d.family.errata {
		r.Clear(chip.CTRL, chip.ErrataCtrlClear)
		r.Write32(chip.CTRL_EXT, r.Read32(chip.CTRL_EXT)&^chip.ErrataCtrlExtClear|chip.ErrataCtrlExtSet)
		r.Set(chip.GCR, chip.ErrataGcrSet)
		r.Set(chip.GCR2, chip.ErrataGcr2Set)
	}
	return nil
}

// port is the number of this port on its card.
func (d *Device) port() int {
	return int(d.regs.Read32(chip.STATUS) & chip.StatusLANID >> chip.StatusLANIDShift)
}

// initRx sets everything of reception but the queues (8254x 14.4, I210 4.5.9). Reception stays off.
func (d *Device) initRx(context.Context) error {
	r := d.regs
	d.initFilters()
	if d.family.extended {
		r.Set(chip.RFCTL, chip.RfctlEXSTEN)
	}
	if d.family.switches {
		r.Write32(chip.RLPML, uint32(d.maxFrame()+fcs))
	}
	d.initRSS()
	return nil
}

// startRx starts the receive queues, then reception (8254x 14.4, I210 4.5.9).
func (d *Device) startRx(ctx context.Context) error {
	const step = "receive queues"
	r, f := d.regs, d.family
	buffer := uint32(f.buffer(d.pool.Room()) / chip.SrrctlBSIZEPACKETUnit)
	for i, q := range d.rx {
		if f.switches && !d.enable(ctx, chip.RXDCTL(i), 0) {
			return d.late(ctx, step, "RXDCTL.ENABLE still set after 1s (I210 4.5.9): power-cycle the card")
		}
		m := d.rings[i]
		r.Write32(chip.RDBAL(i), uint32(m.IOVA))
		r.Write32(chip.RDBAH(i), uint32(m.IOVA>>32))
		r.Write32(chip.RDLEN(i), uint32(len(m.Bytes)))
		if f.switches {
			// A full ring drops instead of blocking the other queues.
			r.Write32(chip.SRRCTL(i), buffer|chip.SrrctlDESCTYPEAdvOneBuf|chip.SrrctlDropEN)
		}
		r.Write32(chip.RDH(i), 0)
		r.Write32(chip.RDT(i), 0)
		r.Write32(chip.RXDCTL(i), d.thresholds(d.cfg.RxThresholds, f.rxPrefetch, f.rxHost, 1))
		if f.switches && !d.enable(ctx, chip.RXDCTL(i), chip.DctlENABLE) {
			return d.late(ctx, step, "RXDCTL.ENABLE not set after 1s (I210 4.5.9): power-cycle the card")
		}
		r.Write32(chip.RDT(i), q.limit())
	}
	d.receiving = true
	d.setRCTL()
	return nil
}

// enable switches a queue on or off and waits until it is (I210 4.5.9, 4.5.10). It reports success.
func (d *Device) enable(ctx context.Context, control, to uint32) bool {
	d.regs.Write32(control, d.regs.Read32(control)&^chip.DctlENABLE|to)
	return d.wait(ctx, queueLimit, func() bool { return d.regs.Read32(control)&chip.DctlENABLE == to })
}

// thresholds makes the thresholds of RXDCTL or TXDCTL from settings or what else is good.
func (d *Device) thresholds(t *nic.Thresholds, prefetch, host, back int) uint32 {
	if t != nil {
		prefetch, host, back = t.Prefetch, t.Host, t.WriteBack
	}
	v := uint32(prefetch)<<chip.DctlPTHRESHShift | uint32(host)<<chip.DctlHTHRESHShift | uint32(back)<<chip.DctlWTHRESHShift
	if !d.family.switches {
		v |= chip.DctlGRAN
	}
	return v
}

// initTx sets everything of transmission but the queues (8254x 14.5, I210 4.5.10). Transmission stays off.
func (d *Device) initTx(context.Context) error {
	r := d.regs
	tctl := r.Read32(chip.TCTL) &^ (chip.TctlEN | chip.TctlCT | chip.TctlCOLD)
	r.Write32(chip.TCTL, tctl|chip.TctlPSP|chip.TctlRTLC|chip.TctlCT16|chip.TctlCOLD64)
	if !d.family.switches {
		r.Write32(chip.TIPG, chip.TipgCopper)
	}
	if d.family.errata {
		r.Write32(chip.TARC(0), r.Read32(chip.TARC(0))&^chip.ErrataTarcClear|chip.ErrataTarcSet)
	}
	return nil
}

// startTx starts the transmit queues, then transmission (8254x 14.5, I210 4.5.10).
func (d *Device) startTx(ctx context.Context) error {
	const step = "transmit queues"
	r, f := d.regs, d.family
	for i := range d.tx {
		if f.switches && !d.enable(ctx, chip.TXDCTL(i), 0) {
			return d.late(ctx, step, "TXDCTL.ENABLE still set after 1s (I210 4.5.10): power-cycle the card")
		}
		m := d.rings[len(d.rx)+i]
		r.Write32(chip.TDBAL(i), uint32(m.IOVA))
		r.Write32(chip.TDBAH(i), uint32(m.IOVA>>32))
		r.Write32(chip.TDLEN(i), uint32(len(m.Bytes)))
		r.Write32(chip.TDH(i), 0)
		r.Write32(chip.TDT(i), 0)
		// Report at once, since only the last of a stretch asks for a report.
		v := d.thresholds(d.cfg.TxThresholds, f.txPrefetch, f.txHost, 0)
		if f.errata {
			v |= chip.TxdctlCOUNT
		}
		r.Write32(chip.TXDCTL(i), v)
		if f.switches && !d.enable(ctx, chip.TXDCTL(i), chip.DctlENABLE) {
			return d.late(ctx, step, "TXDCTL.ENABLE not set after 1s (I210 4.5.10): power-cycle the card")
		}
	}
	r.Set(chip.TCTL, chip.TctlEN)
	return nil
}
