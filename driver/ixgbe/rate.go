package ixgbe

import (
	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// megabit is what links count in, in bits.
const megabit = 1_000_000

// rates are the limits of the transmit queues (7.7.2.2). The card knows them as parts of the link's speed.
type rates struct {
	limits map[int]uint64 // bits per second by queue
	speed  int            // of the link that they were set for, in Mbit/s
}

// TxRates implements nic.RateLimiter.
func (d *Device) TxRates() (lowest, highest uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.txRates(d.speed())
}

// txRates is TxRates at a speed in Mbit/s: the factor has ten bits before the point, and is 1 at least.
func (d *Device) txRates(speed int) (lowest, highest uint64) {
	link := uint64(speed) * megabit
	return link<<chip.RttbcnrcRFFraction/uint64(chip.RttbcnrcRF) + 1, link
}

// SetTxRate implements nic.RateLimiter. Models that do not see writes in a row limit ports of one queue only.
func (d *Device) SetTxRate(i int, bitsPerSecond uint64) error {
	const step = "limit rate"
	if i < 0 || i >= len(d.tx) {
		return d.fail(step, "transmit queue %d: the port has %d", i, len(d.tx))
	}
	if len(d.tx) > 1 && !d.regs.SeesReads() {
		return d.fail(step, "a polled model takes a limit for a single transmit queue, and the port has %d: open it with one", len(d.tx))
	}
	var err error
	if e := d.change(step, func() {
		speed := d.speed()
		if low, high := d.txRates(speed); bitsPerSecond != 0 && (bitsPerSecond < low || bitsPerSecond > high) {
			err = d.fail(step, "%d bit/s: want %d to %d on a link of %d Mbit/s (8.2.3.10.16, RTTBCNRC)", bitsPerSecond, low, high, speed)
			return
		}
		if d.rates.limits == nil {
			d.rates.limits = map[int]uint64{}
		}
		d.rates.limits[i] = bitsPerSecond
		window := chip.RttbcnrmStandard
		if d.cfg.MTU > 1500 {
			window = chip.RttbcnrmJumbo
		}
		d.regs.Write32(chip.RTTBCNRM, window)
		d.rates.speed = speed
		d.limit(i)
	}); e != nil {
		return e
	}
	return err
}

// limit tells the card the limit of a queue, rounded down. The caller holds mu.
func (d *Device) limit(i int) {
	v, limit := uint32(0), d.rates.limits[i]
	if limit > 0 {
		factor := (uint64(d.rates.speed)*megabit<<chip.RttbcnrcRFFraction + limit - 1) / limit
		v = chip.RttbcnrcRSENA | uint32(min(max(factor, 1<<chip.RttbcnrcRFFraction), uint64(chip.RttbcnrcRF)))
	}
	d.regs.Write32(chip.RTTDQSEL, uint32(i))
	d.regs.Write32(chip.RTTBCNRC, v)
}

// followRates keeps the limits when the link has another speed, as far as it goes. It is called about once a second.
func (d *Device) followRates(l nic.Link) {
	if !l.Up || l.Speed == d.rates.speed || len(d.rates.limits) == 0 {
		return
	}
	d.rates.speed = l.Speed
	for i := range d.rates.limits {
		d.limit(i)
	}
}

// speed is that of the link in Mbit/s, and the card's highest where there is none.
func (d *Device) speed() int {
	if l := d.link(); l.Up && l.Speed > 0 {
		return l.Speed
	}
	return 10000
}
