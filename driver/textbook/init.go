package textbook

import (
	"errors"
	"fmt"
	"math/bits"
	"time"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
)

// Config are the settings of a port. The zero value is the plain way; the others are the first steps
// from there to driver/ixgbe, for measuring what each gains.
type Config struct {
	Ring        int  // descriptors of each ring, a power of two from 64 to 4096; 0: 512
	Buffers     int  // at least two rings full; 0: 4096
	Stride      int  // bytes from buffer to buffer, a multiple of 64 from 2048 to 16384; 0: 2048
	ReportEvery int  // ask for a report on every how many sent frames: 1, 2, 4 … 32; 0: 1
	Apart       bool // metadata not in front of the frames but side by side in a table
}

// Device is an open port. It belongs to one goroutine.
type Device struct {
	Dropped  uint64 // received frames that made no sense
	NoBuffer uint64 // times that a frame had to wait because the pool was empty

	fn    bus.Function
	cfg   Config
	regs  mmio.Region
	pool  *pool
	rx    rxRing
	tx    txRing
	rings []dma.Memory
}

// Open starts the card, which belongs to the device afterwards and is closed where there is an error.
// Frames for every address are received. The link comes up by itself some time later.
func Open(fn bus.Function, cfg Config) (*Device, error) {
	d, err := bringUp(fn, cfg)
	if err != nil {
		return nil, err
	}
	if d.pool, err = newPool(fn.DMA(), d.cfg.Buffers, d.cfg.Stride, d.cfg.Apart); err != nil {
		return nil, d.abandon(err)
	}
	for i := range d.rx.ring {
		buf := d.pool.alloc()
		d.rx.bufs[i] = buf
		d.rx.ring[i].word0 = buf.iova
	}
	if err := d.startQueues(); err != nil {
		return nil, d.abandon(err)
	}
	return d, nil
}

// bringUp does everything but to put buffers in the receive ring and to start the queues.
func bringUp(fn bus.Function, cfg Config) (*Device, error) {
	d := &Device{fn: fn, cfg: cfg}
	if err := d.cfg.check(); err != nil {
		return nil, d.abandon(err)
	}
	var err error
	if d.regs, err = fn.BAR(0); err != nil {
		return nil, d.abandon(err)
	}
	if d.regs.Size() < chip.BARSize {
		return nil, d.abandon(fmt.Errorf("%d bytes of registers, want %d: is this an 82599?", d.regs.Size(), chip.BARSize))
	}
	if err := d.reset(); err != nil {
		return nil, d.abandon(err)
	}
	d.initLink()
	d.initRx()
	d.initTx()
	if err := d.setUpRings(); err != nil {
		return nil, d.abandon(err)
	}
	return d, nil
}

// abandon ends an Open that failed.
func (d *Device) abandon(err error) error {
	return fmt.Errorf("textbook %s: %w", d.fn.Address(), errors.Join(err, d.Close()))
}

func (c *Config) check() error {
	for _, f := range []struct {
		v     *int
		value int
	}{{&c.Ring, 512}, {&c.Buffers, 4096}, {&c.Stride, 2048}, {&c.ReportEvery, 1}} {
		if *f.v == 0 {
			*f.v = f.value
		}
	}
	switch {
	case c.Ring < chip.RingMin || c.Ring > chip.RingMax || bits.OnesCount(uint(c.Ring)) != 1:
		return fmt.Errorf("a ring of %d descriptors: want a power of two from %d to %d", c.Ring, chip.RingMin, chip.RingMax)
	case c.Buffers < 2*c.Ring || c.Buffers > 1<<20:
		return fmt.Errorf("%d buffers: want %d to %d", c.Buffers, 2*c.Ring, 1<<20)
	case c.Stride < 2048 || c.Stride > 16384 || c.Stride%64 != 0:
		return fmt.Errorf("buffers of %d bytes: want a multiple of 64 from 2048 to 16384", c.Stride)
	case c.ReportEvery < 1 || c.ReportEvery > cleanBatch || bits.OnesCount(uint(c.ReportEvery)) != 1:
		return fmt.Errorf("a report on every %d frames: want a power of two from 1 to %d", c.ReportEvery, cleanBatch)
	}
	return nil
}

// reset puts the card into a known state (4.6.3).
func (d *Device) reset() error {
	d.disableInterrupts()

	// 4.6.3.2: software and link reset together.
	d.regs.Write32(chip.CTRL, chip.CtrlRST|chip.CtrlLRST)
	if !d.wait(chip.CTRL, chip.CtrlRST, 0) {
		return errors.New("reset: CTRL.RST still set after 1s (datasheet 4.6.3.2): power-cycle the card")
	}
	time.Sleep(10 * time.Millisecond)
	d.regs.Clear(chip.CTRL, chip.CtrlLRST) // does not clear itself (8.2.3.1.1)
	d.disableInterrupts()

	// 4.6.3: the card reads its EEPROM, then sets up its DMA unit.
	if !d.wait(chip.EEC, chip.EecARD, chip.EecARD) {
		return errors.New("reset: EEPROM auto-read not done after 1s (EEC.ARD, datasheet 4.6.3): is the EEPROM programmed?")
	}
	if !d.wait(chip.RDRXCTL, chip.RdrxctlDMAIDONE, chip.RdrxctlDMAIDONE) {
		return errors.New("reset: DMA initialisation not done after 1s (RDRXCTL.DMAIDONE, datasheet 4.6.3): power-cycle the card")
	}
	return nil
}

// disableInterrupts masks every cause (4.6.3.1): this driver polls.
func (d *Device) disableInterrupts() { d.regs.Write32(chip.EIMC, chip.EimcAll) }

// initLink starts link negotiation as the EEPROM says (4.6.4).
func (d *Device) initLink() { d.regs.Set(chip.AUTOC, chip.AutocRestartAN) }

// initRx sets what all receive queues share (4.6.7).
func (d *Device) initRx() {
	r := d.regs
	r.Clear(chip.RXCTRL, chip.RxctrlRXEN)

	// One packet buffer of 512 KiB, since there is one traffic class.
	r.Write32(chip.RXPBSIZE(0), chip.RxpbsizeMax)
	for i := 1; i < chip.PacketBuffers; i++ {
		r.Write32(chip.RXPBSIZE(i), 0)
	}
	// The card checks the CRC and strips it. Both registers must agree (8.2.3.8.8).
	r.Set(chip.HLREG0, chip.Hlreg0RXCRCSTRP)
	r.Set(chip.RDRXCTL, chip.RdrxctlCRCSTRIP)
	r.Clear(chip.RDRXCTL, chip.RdrxctlRSCFRSTSIZE)

	// Broadcast, all multicast and all unicast frames.
	r.Set(chip.FCTRL, chip.FctrlBAM|chip.FctrlMPE|chip.FctrlUPE)

	// The last sentences of 4.6.7: no snoop off, and a reserved bit that must be cleared.
	r.Set(chip.CTRL_EXT, chip.CtrlExtNSDIS)
	r.Clear(chip.DCA_RXCTRL(0), chip.DcaRxctrlReserved12)
}

// initTx sets what all transmit queues share (4.6.8).
func (d *Device) initTx() {
	r := d.regs
	// The card appends the CRC and pads short frames.
	r.Set(chip.HLREG0, chip.Hlreg0TXCRCEN|chip.Hlreg0TXPADEN)

	// One packet buffer of 160 KiB, no traffic classes, no virtual machines (4.6.11.3.4).
	r.Set(chip.RTTDCS, chip.RttdcsARBDIS)
	r.Write32(chip.TXPBSIZE(0), chip.TxpbsizeMax)
	for i := 1; i < chip.PacketBuffers; i++ {
		r.Write32(chip.TXPBSIZE(i), 0)
	}
	r.Write32(chip.DTXMXSZRQ, chip.DtxmxszrqMAXBYTESMax)
	r.Clear(chip.RTTDCS, chip.RttdcsARBDIS)
}

// setUpRings allocates both rings and tells the card where they are (4.6.7.1, 4.6.8.1).
func (d *Device) setUpRings() error {
	cfg := d.cfg
	for range 2 {
		m, err := d.fn.DMA().Alloc(cfg.Ring*chip.DescSize, chip.RingAlign)
		if err != nil {
			return fmt.Errorf("a ring of %d descriptors: %w", cfg.Ring, err)
		}
		d.rings = append(d.rings, m)
	}
	rx, tx := d.rings[0], d.rings[1]
	d.rx = rxRing{ring: asRing(rx), bufs: make([]*Buf, cfg.Ring), tail: d.regs.Doorbell(chip.RDT(0))}
	d.tx = txRing{ring: asRing(tx), bufs: make([]*Buf, cfg.Ring), tail: d.regs.Doorbell(chip.TDT(0)), report: cfg.ReportEvery}

	r := d.regs
	r.Write32(chip.RDBAL(0), uint32(rx.IOVA))
	r.Write32(chip.RDBAH(0), uint32(rx.IOVA>>32))
	r.Write32(chip.RDLEN(0), uint32(len(rx.Bytes)))
	r.Write32(chip.RDH(0), 0)
	r.Write32(chip.RDT(0), 0)
	// Buffers of 2 KiB, which the card counts on. A buffer is 64 bytes shorter, but no frame is longer
	// than 1522 bytes without HLREG0.JUMBOEN (8.2.3.22.8). A full ring drops frames (8.2.3.8.7).
	r.Write32(chip.SRRCTL(0), chip.SrrctlDESCTYPEAdvOneBuf|chip.SrrctlDropEN|2048/chip.SrrctlBSIZEPACKETUnit)

	r.Write32(chip.TDBAL(0), uint32(tx.IOVA))
	r.Write32(chip.TDBAH(0), uint32(tx.IOVA>>32))
	r.Write32(chip.TDLEN(0), uint32(len(tx.Bytes)))
	r.Write32(chip.TDH(0), 0)
	r.Write32(chip.TDT(0), 0)
	// Fetch 36 or more descriptors ahead, 8 at least, and write back 4 at once (7.2.3.4.1, 7.2.3.5). The
	// card may only gather reports if every descriptor asks for one.
	writeBack := uint32(4)
	if cfg.ReportEvery > 1 {
		writeBack = 0
	}
	r.Write32(chip.TXDCTL(0), 36<<chip.TxdctlPTHRESHShift|8<<chip.TxdctlHTHRESHShift|writeBack<<chip.TxdctlWTHRESHShift)
	return nil
}

// startQueues enables both queues, gives the card the buffers in the receive ring and lets frames in
// (4.6.7.1, 4.6.8.1).
func (d *Device) startQueues() error {
	r := d.regs
	r.Set(chip.DMATXCTL, chip.DmatxctlTE)
	r.Set(chip.TXDCTL(0), chip.TxdctlENABLE)
	if !d.wait(chip.TXDCTL(0), chip.TxdctlENABLE, chip.TxdctlENABLE) {
		return errors.New("start transmit queue: TXDCTL.ENABLE not set after 1s (datasheet 4.6.8.1)")
	}
	r.Set(chip.RXDCTL(0), chip.RxdctlENABLE)
	if !d.wait(chip.RXDCTL(0), chip.RxdctlENABLE, chip.RxdctlENABLE) {
		return errors.New("start receive queue: RXDCTL.ENABLE not set after 1s (datasheet 4.6.7.1)")
	}
	d.rx.tail.Ring(uint32(len(d.rx.ring) - 1))
	r.Set(chip.RXCTRL, chip.RxctrlRXEN)
	return nil
}

// limit is how long each wait lasts at most; the datasheet names no limits.
var limit = time.Second

// wait reads a register until the bits of mask have the value want, at most until limit. A card that
// was pulled reads as all ones and never gets there.
func (d *Device) wait(reg, mask, want uint32) bool {
	for end := time.Now().Add(limit); ; time.Sleep(100 * time.Microsecond) {
		v := d.regs.Read32(reg)
		if v&mask == want && v != ^uint32(0) {
			return true
		}
		if time.Now().After(end) {
			return false
		}
	}
}

// LinkUp tells whether there is a link (8.2.3.22.20).
func (d *Device) LinkUp() bool {
	links := d.regs.Read32(chip.LINKS)
	return links&chip.LinksUP != 0 && links != ^uint32(0)
}

// Stop stops all DMA (5.2.5.3.2). Frames that were not sent yet are lost. Ports that send each
// other's buffers are all stopped before the first is closed.
func (d *Device) Stop() error {
	if d.regs.Read32(chip.STATUS) == ^uint32(0) {
		return nil // a card that was pulled does no DMA either
	}
	d.regs.Clear(chip.RXCTRL, chip.RxctrlRXEN)
	d.regs.Set(chip.CTRL, chip.CtrlGIODIS)
	if !d.wait(chip.STATUS, chip.StatusGIO, 0) {
		return fmt.Errorf("textbook %s: stop: STATUS.GIO still set after 1s (datasheet 5.2.5.3.2): the card may still write to memory", d.fn.Address())
	}
	d.regs.Clear(chip.RXDCTL(0), chip.RxdctlENABLE)
	d.regs.Clear(chip.TXDCTL(0), chip.TxdctlENABLE)
	return nil
}

// Close stops the card, then gives the memory and the card back. The buffers must not be used any
// more. From a card that does not stop no memory is taken away.
func (d *Device) Close() error {
	err := d.Stop()
	if err == nil {
		if d.pool != nil {
			d.pool.close()
		}
		for _, m := range d.rings {
			d.fn.DMA().Free(m)
		}
		d.pool, d.rings = nil, nil
	}
	return errors.Join(err, d.fn.Close())
}
