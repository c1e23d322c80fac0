package ixgbe

import (
	"context"
	"errors"
	"sync"
	"time"

	"glassnic/bus/mmio"
	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// clock is the card's clock (7.9, 8.2.3.26). SYSTIM runs in parts of a nanosecond, by which it is adjusted, and so wraps
// after two hours: what it showed is kept beside the time that it meant.
type clock struct {
	regs mmio.Region

	mu    sync.Mutex
	shift uint   // a nanosecond is 1<<shift of SYSTIM
	pace  uint32 // TIMINCA.INCVALUE without adjustment
	ppb   int
	raw   uint64 // SYSTIM at
	ns    int64  // since 1970
	stuck uint32 // RXSTMPL of a time that nobody had fetched at the last look, 0 for none
}

const (
	ptpType   = 0x88f7 // EtherType of PTP (IEEE 1588-2008, annex F)
	ptpPort   = 319    // UDP port of its event messages (annex D)
	ptpFilter = 7      // the last of the EtherType filters, which match in order (7.1.2.3)
	incBits   = 24     // of TIMINCA.INCVALUE
)

// initClock starts the clock and stamping, where the settings ask for it. Relatives of the 82599 have other clocks; models
// that do not see reads stamp nothing, since nobody could make room for the next stamp.
func (d *Device) initClock(context.Context) error {
	if d.cfg.Offloads&nic.Timestamps == 0 || d.model != chip.M82599 || !d.regs.SeesReads() {
		return nil
	}
	r := d.regs
	r.Write32(chip.ETQF(ptpFilter), chip.Etqf1588|ptpType)
	r.Write32(chip.RXMTRL, ptpPort<<chip.RxmtrlUDPTShift)
	r.Write32(chip.TSYNCRXCTL, chip.TsyncrxctlEN|chip.TsyncrxctlTYPEEvents)
	r.Write32(chip.TSYNCTXCTL, chip.TsynctxctlEN)
	// Times of a former owner would keep the card from stamping.
	r.Read32(chip.RXSTMPH)
	r.Read32(chip.TXSTMPH)
	r.Write32(chip.SYSTIML, 0)
	r.Write32(chip.SYSTIMH, 0)
	c := &clock{regs: r, ns: time.Now().UnixNano()}
	c.follow(d.link())
	d.clock = c
	for _, q := range d.rx {
		q.clock = c
	}
	for _, q := range d.tx {
		q.stamps = true
	}
	return nil
}

// follow sets the pace for the speed of the link, by which the card's own clock goes: 6.4 ns at 10 Gbit/s, 64 at 1 Gbit/s,
// 640 at 100 Mbit/s (8.2.3.26, TIMINCA). The caller holds mu, and has read the clock at the old pace.
func (c *clock) follow(l nic.Link) {
	period := uint64(64) // tenths of a nanosecond
	switch l.Speed {
	case 1000:
		period = 640
	case 100:
		period = 6400
	}
	// The finest parts of a nanosecond for which a quarter more still fits.
	shift := uint(0)
	for period<<(shift+1)/10*5/4 < 1<<incBits {
		shift++
	}
	if pace := uint32(period << shift / 10); pace != c.pace {
		c.shift, c.pace = shift, pace
		c.adjust()
	}
}

// adjust tells the card the pace.
func (c *clock) adjust() {
	v := int64(c.pace)
	v += (v*int64(c.ppb) + 500_000_000) / 1_000_000_000
	c.regs.Write32(chip.TIMINCA, 1<<chip.TimincaINCPShift|uint32(v))
}

// systim reads SYSTIM, of which the low half keeps the high half.
func (c *clock) systim() uint64 {
	low := c.regs.Read32(chip.SYSTIML)
	return uint64(low) | uint64(c.regs.Read32(chip.SYSTIMH))<<32
}

// read brings raw and ns up to date. The caller holds mu.
func (c *clock) read() int64 {
	now := c.systim()
	ran := (now - c.raw) >> c.shift
	c.ns += int64(ran)
	c.raw += ran << c.shift
	return c.ns
}

// time returns what a stamp of the last hour means. The caller holds mu.
func (c *clock) time(stamp uint64) int64 {
	ns := c.read()
	return ns + int64(stamp-c.raw)>>c.shift
}

// stamped takes the time of the frame that was stamped last.
func (c *clock) stamped(b *packet.Buf) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if v := c.regs.Read32(chip.TSYNCRXCTL); v&chip.TsyncrxctlRXTT == 0 || v == ^uint32(0) {
		return
	}
	low := c.regs.Read32(chip.RXSTMPL)
	b.SetTimestamp(c.time(uint64(low) | uint64(c.regs.Read32(chip.RXSTMPH))<<32))
}

// tend keeps the clock from wrapping unseen, follows the link's speed, and gives up a stamp of which the frame never came: it
// would be the last. It is called about once a second.
func (c *clock) tend(l nic.Link) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.read()
	if l.Up {
		c.follow(l)
	}
	last := c.stuck
	if c.stuck = 0; c.regs.Read32(chip.TSYNCRXCTL)&chip.TsyncrxctlRXTT == 0 {
		return
	}
	if c.stuck = c.regs.Read32(chip.RXSTMPL) | 1; c.stuck == last {
		c.regs.Read32(chip.RXSTMPH)
	}
}

var errNoClock = errors.New("the port has no clock: open it with nic.Timestamps, on an 82599")

// ask has f use the clock.
func (d *Device) ask(step string, f func(c *clock)) error {
	if d.clock == nil {
		return d.fail(step, "%w", errNoClock)
	}
	return d.change(step, func() {
		d.clock.mu.Lock()
		defer d.clock.mu.Unlock()
		f(d.clock)
	})
}

// Clock implements nic.Timestamper.
func (d *Device) Clock() (now time.Time, err error) {
	err = d.ask("read clock", func(c *clock) { now = time.Unix(0, c.read()) })
	return now, err
}

// SetClock implements nic.Timestamper. SYSTIM runs on; what it means changes.
func (d *Device) SetClock(to time.Time) error {
	return d.ask("set clock", func(c *clock) {
		c.read()
		c.ns = to.UnixNano()
	})
}

// AdjustClock implements nic.Timestamper, to 75 parts per billion at 10 Gbit/s.
func (d *Device) AdjustClock(ppb int) error {
	const step = "adjust clock"
	if err := nic.CheckAdjust(ppb); err != nil {
		return d.fail(step, "%w", err)
	}
	return d.ask(step, func(c *clock) {
		c.read()
		c.ppb = ppb
		c.adjust()
	})
}

// TxTimestamp implements nic.Timestamper.
func (d *Device) TxTimestamp() (at time.Time, ok bool, err error) {
	err = d.ask("read time stamp", func(c *clock) {
		if c.regs.Read32(chip.TSYNCTXCTL)&chip.TsynctxctlTXTT == 0 {
			return
		}
		low := c.regs.Read32(chip.TXSTMPL)
		at, ok = time.Unix(0, c.time(uint64(low)|uint64(c.regs.Read32(chip.TXSTMPH))<<32)), true
	})
	return at, ok, err
}
