package ixgbe

import (
	"context"
	"errors"
	"time"

	"glassnic/bus"
	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/sim/iommu"
)

// ResetPause is what the driver waits after a reset outside of tests.
var ResetPause = resetPause

func init() { resetQuiet, resetPause = 0, 0 }

// Limits are the waits that tests shorten.
var Limits = map[string]*time.Duration{
	"reset": &resetLimit, "EEPROM": &eepromLimit, "DMA": &dmaLimit, "queue": &queueLimit, "master": &masterLimit,
	"flush": &flushLimit, "drain": &drainLimit, "mask": &maskLimit, "stall": &stallAfter,
}

// TxCommands returns word 1 of every descriptor of a transmit ring.
func (d *Device) TxCommands(queue int) (words []uint64) {
	for i := range d.tx[queue].size {
		words = append(words, d.tx[queue].desc(i).done())
	}
	return words
}

// TxHeld returns how many descriptors of a transmit ring hold a buffer.
func (d *Device) TxHeld(queue int) int {
	q := d.tx[queue]
	return q.size - 1 - q.free()
}

// LookOnce lets the limits alone say how long the driver waits; it returns what undoes that.
func LookOnce() (undo func()) {
	before := leastLooks
	leastLooks = 1
	return func() { leastLooks = before }
}

// Prepare makes a port of a card that does not start: one with nobody behind its registers.
func Prepare(fn bus.Function, cfg nic.Config) (*Device, error) {
	cfg.RxQueues, cfg.TxQueues = max(cfg.RxQueues, 1), max(cfg.TxQueues, 1)
	if cfg.RxRing == 0 {
		cfg.RxRing, cfg.TxRing = 64, 64
	}
	cfg.MTU, cfg.ReportEvery = max(cfg.MTU, 1500), max(cfg.ReportEvery, 1)
	if cfg.Buffers == 0 && cfg.Pool == nil {
		cfg.Buffers = 512
	}
	d := &Device{fn: fn, cfg: cfg}
	d.card, d.model, _ = chip.Lookup(fn.ID().Vendor, fn.ID().Device)
	if err := errors.Join(d.attach(), d.allocate(context.Background())); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.begun = true
	return d, d.initStats(context.Background())
}

// RingMemory returns the memory of descriptor ring i, receive queues first, which the card writes, too.
func (d *Device) RingMemory(i int) []byte { return d.rings[i].Bytes }

// Memory returns n bytes of the port's buffers by the address that the card knows; nil where there are none.
func (d *Device) Memory(iova uint64, n int) []byte {
	b, ok := d.fn.DMA().(*iommu.Space).At("test", iova, n, true)
	if !ok {
		return nil
	}
	return b
}
