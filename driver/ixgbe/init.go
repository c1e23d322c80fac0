package ixgbe

import (
	"context"
	"time"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// How long the steps of the start may take. The datasheet gives no upper bounds; these are a
// hundred times what cards need. Tests shorten them.
var (
	resetLimit  = time.Second
	eepromLimit = time.Second
	dmaLimit    = time.Second
	queueLimit  = time.Second
	masterLimit = 100 * time.Millisecond
	flushLimit  = 10 * time.Millisecond
	// resetQuiet is how long nobody may touch a card after CTRL.RST was written (8.2.3.1.1), resetPause
	// the least time until it has initialised itself (4.6.3.2).
	resetQuiet = time.Millisecond
	resetPause = 10 * time.Millisecond
	// leastLooks is how often the driver looks at a register that it waits for, whatever the time.
	leastLooks = 100
)

// start brings the card up in the order of section 4.6.3.
func (d *Device) start(ctx context.Context) error {
	d.begun = true
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"reset", d.reset},
		{"memory", d.allocate},
		{"EEPROM", d.awaitEEPROM},
		{"DMA initialisation", d.awaitDMA},
		{"MAC address", d.initMAC},
		{"link", d.initLink},
		{"statistics", d.initStats},
		{"receive", d.initRx},
		{"transmit", d.initTx},
		{"clock", d.initClock},
		{"receive queues", d.startRx},
		{"transmit queues", d.startTx},
		{"interrupts", d.initInterrupts},
		{"wait for link", d.awaitLink},
	}
	for _, s := range steps {
		begin := time.Now()
		if err := s.do(ctx); err != nil {
			return err
		}
		d.cfg.Logger.Debug("ixgbe start", "device", d.fn.Address(), "step", s.name, "took", time.Since(begin))
	}
	return nil
}

// reset stops whatever a former owner left running and puts all registers to their reset values
// (4.6.3.1, 4.6.3.2, 4.2.1).
func (d *Device) reset(ctx context.Context) error {
	const step = "reset"
	if d.gone() {
		return d.late(ctx, step, "")
	}
	r := d.regs
	r.Write32(chip.EIMC, chip.EimcAll)
	// No DMA may be under way in a reset (5.2.5.3.2). A card that does not say so gets two, as that
	// section has it: there is nothing better to do for it.
	if !d.stopMaster(ctx) {
		r.Set(chip.CTRL, chip.CtrlLRST|chip.CtrlRST)
		time.Sleep(resetQuiet)
	}
	r.Set(chip.CTRL, chip.CtrlLRST|chip.CtrlRST)
	time.Sleep(resetQuiet)
	if !d.wait(ctx, resetLimit, func() bool { return r.Read32(chip.CTRL)&chip.CtrlRST == 0 }) {
		return d.late(ctx, step, "CTRL.RST still set after 1s (datasheet 4.2.1): power-cycle the card, or remove and rescan the PCI device")
	}
	time.Sleep(resetPause)
	// LRST and GIODIS do not clear themselves (8.2.3.1.1).
	r.Clear(chip.CTRL, chip.CtrlLRST|chip.CtrlGIODIS)
	r.Write32(chip.EIMC, chip.EimcAll)
	return nil
}

// stopMaster stops DMA requests and waits until none is under way (5.2.5.3.2). It reports success.
func (d *Device) stopMaster(ctx context.Context) bool {
	d.regs.Set(chip.CTRL, chip.CtrlGIODIS)
	return d.wait(ctx, masterLimit, func() bool { return d.regs.Read32(chip.STATUS)&chip.StatusGIO == 0 })
}

// awaitEEPROM waits until the card has read its EEPROM (4.6.3).
func (d *Device) awaitEEPROM(ctx context.Context) error {
	if !d.wait(ctx, eepromLimit, func() bool { return d.regs.Read32(chip.EEC)&chip.EecARD != 0 }) {
		return d.late(ctx, "reset", "EEPROM auto-read not done after 1s (EEC.ARD, datasheet 4.6.3): is the EEPROM programmed?")
	}
	return nil
}

// awaitDMA waits until the card's DMA unit is initialised (4.6.3).
func (d *Device) awaitDMA(ctx context.Context) error {
	if !d.wait(ctx, dmaLimit, func() bool { return d.regs.Read32(chip.RDRXCTL)&chip.RdrxctlDMAIDONE != 0 }) {
		return d.late(ctx, "reset", "DMA initialisation not done after 1s (RDRXCTL.DMAIDONE, datasheet 4.6.3): power-cycle the card")
	}
	d.regs.Set(chip.CTRL_EXT, chip.CtrlExtDRVLOAD)
	return nil
}

// initRx sets everything of reception but the queues (4.6.7).
func (d *Device) initRx(context.Context) error {
	r := d.regs
	r.Clear(chip.RXCTRL, chip.RxctrlRXEN)

	// One packet buffer, of all there is, without DCB (4.6.11.3.4): 512 KiB on the 82599. Its high water
	// mark must be set without flow control, too (4.6.3.2).
	buffer := uint32(d.model.Facts().RxBufferKiB) << chip.RxpbsizeSIZEShift
	r.Write32(chip.FCRTH(0), buffer-0x6000)
	r.Write32(chip.RXPBSIZE(0), buffer)
	for i := 1; i < chip.PacketBuffers; i++ {
		r.Write32(chip.RXPBSIZE(i), 0)
	}

	// The card appends and strips the FCS; both strip bits must agree (8.2.3.8.8).
	r.Set(chip.HLREG0, chip.Hlreg0TXCRCEN|chip.Hlreg0RXCRCSTRP|chip.Hlreg0TXPADEN)
	rd := r.Read32(chip.RDRXCTL) &^ chip.RdrxctlRSCFRSTSIZE
	r.Write32(chip.RDRXCTL, rd|chip.RdrxctlCRCSTRIP|chip.RdrxctlRSCACKC|chip.RdrxctlFCOEWRFIX)
	if d.cfg.MTU > 1500 {
		r.Set(chip.HLREG0, chip.Hlreg0JUMBOEN)
		// With CRC and one tag; the card adds 4 for the other by itself where a tag is, and 8 for both where frames carry an
		// outer one (8.2.3.22.13).
		const fcs, tag = 4, 4
		longest := d.maxFrame() - tag + fcs
		if d.outer() {
			longest -= tag
		}
		r.Write32(chip.MAXFRS, uint32(longest)<<chip.MaxfrsMFSShift)
	} else {
		r.Clear(chip.HLREG0, chip.Hlreg0JUMBOEN)
	}
	d.initFilters()
	d.initRSS()

	// No snoop would let the card bypass the cache that the ring lives in (4.6.7). An EEPROM may have the card expect an outer
	// tag when nobody asked for it (8.2.3.1.3).
	v := r.Read32(chip.CTRL_EXT)&^chip.CtrlExtEXTVLAN | chip.CtrlExtNSDIS
	if d.outer() {
		r.Write32(chip.EXVET, outerType<<chip.ExvetVETEXTShift)
		v |= chip.CtrlExtEXTVLAN
	}
	r.Write32(chip.CTRL_EXT, v)
	return nil
}

// startRx starts the receive queues (4.6.7.1), then reception.
func (d *Device) startRx(ctx context.Context) error {
	r := d.regs
	for i, q := range d.rx {
		m := d.rings[i]
		r.Write32(chip.RDBAL(i), uint32(m.IOVA))
		r.Write32(chip.RDBAH(i), uint32(m.IOVA>>32))
		r.Write32(chip.RDLEN(i), uint32(len(m.Bytes)))
		// A full ring drops instead of blocking the other queues.
		r.Write32(chip.SRRCTL(i), uint32(q.room/chip.SrrctlBSIZEPACKETUnit)|chip.SrrctlDESCTYPEAdvOneBuf|chip.SrrctlDropEN)
		r.Clear(chip.DCA_RXCTRL(i), chip.DcaRxctrlReserved12)
		r.Write32(chip.RDH(i), 0)
		r.Write32(chip.RDT(i), 0)
		if d.cfg.Offloads&nic.RxVLAN != 0 {
			r.Set(chip.RXDCTL(i), chip.RxdctlVME) // 7.4.2
		}
		if d.coalesces() {
			d.startCoalescing(i)
		}
		r.Set(chip.RXDCTL(i), chip.RxdctlENABLE)
		if !d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.RXDCTL(i))&chip.RxdctlENABLE != 0 }) {
			return d.late(ctx, "receive queues", "RXDCTL.ENABLE not set after 1s (datasheet 4.6.7.1): power-cycle the card")
		}
		r.Write32(chip.RDT(i), q.limit())
	}
	// Reception starts with the data path halted. Where the card does not report that within the
	// limit, a frame that is on its way in just then may be damaged, no more.
	r.Set(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	d.wait(ctx, flushLimit, func() bool { return r.Read32(chip.SECRXSTAT)&chip.SecrxstatRDY != 0 })
	r.Set(chip.RXCTRL, chip.RxctrlRXEN)
	r.Clear(chip.SECRXCTRL, chip.SecrxctrlRXDIS)
	return nil
}

// initTx sets everything of transmission but the queues (4.6.8).
func (d *Device) initTx(context.Context) error {
	r := d.regs
	// The arbiter rests while packet buffers and queue modes change: one packet buffer of 160 KiB,
	// no DCB, no virtualization (4.6.11.3.4).
	const longest = 10 // KiB, of a frame
	r.Set(chip.RTTDCS, chip.RttdcsARBDIS)
	r.Write32(chip.DTXMXSZRQ, chip.DtxmxszrqMAXBYTESMax)
	r.Write32(chip.TXPBSIZE(0), chip.TxpbsizeMax)
	r.Write32(chip.TXPBTHRESH(0), chip.TxpbthreshMax-longest)
	for i := 1; i < chip.PacketBuffers; i++ {
		r.Write32(chip.TXPBSIZE(i), 0)
		r.Write32(chip.TXPBTHRESH(i), 0)
	}
	r.Write32(chip.MTQC, 0)
	if d.outer() {
		r.Set(chip.DMATXCTL, chip.DmatxctlGDV) // goes with CTRL_EXT.EXTENDED_VLAN (8.2.3.9.2)
	}
	r.Clear(chip.RTTDCS, chip.RttdcsARBDIS)
	return nil
}

// startTx starts transmission, then the transmit queues (4.6.8.1).
func (d *Device) startTx(ctx context.Context) error {
	r := d.regs
	t := d.cfg.TxThresholds
	for i := range d.tx {
		m := d.rings[len(d.rx)+i]
		r.Write32(chip.TDBAL(i), uint32(m.IOVA))
		r.Write32(chip.TDBAH(i), uint32(m.IOVA>>32))
		r.Write32(chip.TDLEN(i), uint32(len(m.Bytes)))
		r.Write32(chip.TDH(i), 0)
		r.Write32(chip.TDT(i), 0)
		// Fetch early, in bursts of at least a cache line's four descriptors; report at once, since only
		// the last of a stretch asks for a report (7.2.3.4.1, 7.2.3.5.1).
		prefetch, host, back := 36, 8, 0
		if t != nil {
			prefetch, host, back = t.Prefetch, t.Host, t.WriteBack
		}
		v := uint32(prefetch)<<chip.TxdctlPTHRESHShift | uint32(host)<<chip.TxdctlHTHRESHShift | uint32(back)<<chip.TxdctlWTHRESHShift
		r.Write32(chip.TXDCTL(i), v)
		if i == 0 {
			r.Set(chip.DMATXCTL, chip.DmatxctlTE)
		}
		r.Write32(chip.TXDCTL(i), v|chip.TxdctlENABLE)
		if !d.wait(ctx, queueLimit, func() bool { return r.Read32(chip.TXDCTL(i))&chip.TxdctlENABLE != 0 }) {
			return d.late(ctx, "transmit queues", "TXDCTL.ENABLE not set after 1s (datasheet 4.6.8.1): power-cycle the card")
		}
	}
	return nil
}
