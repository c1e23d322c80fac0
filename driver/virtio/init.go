package virtio

import (
	"context"
	"crypto/rand"
	"net"
	"time"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

// How long a device may take to reset, by far: the specification gives no bound. Tests shorten it.
var (
	resetLimit = time.Second
	// leastLooks is how often the driver looks at what it waits for, whatever the time.
	leastLooks = 100
)

// start brings the device up in the order of 3.1.1.
func (d *Device) start(ctx context.Context) error {
	d.begun = true
	steps := []struct {
		name string
		do   func(context.Context) error
	}{
		{"reset", d.reset},
		{"features", d.negotiate},
		{"configuration", d.readConfig},
		{"memory", d.allocate},
		{"interrupts", d.initInterrupts},
		{"queues", d.enable},
		{"driver ok", d.run},
		{"control queue", d.initControl},
		{"wait for link", d.awaitLink},
	}
	for _, s := range steps {
		begin := time.Now()
		if err := s.do(ctx); err != nil {
			d.giveUp()
			return err
		}
		d.cfg.Logger.Debug("virtio start", "device", d.fn.Address(), "step", s.name, "took", time.Since(begin))
	}
	return nil
}

// reset stops whatever a former owner left running (2.4), and tells the device that a driver is there (3.1.1).
func (d *Device) reset(ctx context.Context) error {
	const step = "reset"
	if d.gone() {
		return d.late(ctx, step, "")
	}
	if !d.restart(ctx) {
		return d.late(ctx, step, "the device status is not 0 after 1s (4.1.4.3.2): reset the device, or restart its hypervisor's side")
	}
	d.way.setStatus(chip.StatusAcknowledge)
	d.way.setStatus(chip.StatusAcknowledge | chip.StatusDriver)
	return nil
}

// restart resets the device and waits until that has happened (4.1.4.3.2).
func (d *Device) restart(ctx context.Context) bool {
	d.way.setStatus(0)
	return d.wait(ctx, resetLimit, func() bool { return d.way.status() == 0 })
}

// negotiate settles the features (2.2, 3.1.1 steps 4 to 6). Legacy devices have no say (3.1.2).
func (d *Device) negotiate(ctx context.Context) error {
	const step = "features"
	offered := d.way.offered()
	if d.gone() {
		return d.late(ctx, step, "")
	}
	f, err := d.settle(offered)
	if err != nil {
		return d.fail(step, "%w", err)
	}
	d.features = f
	d.way.accept(f)
	d.cfg.Logger.Debug("virtio features", "device", d.fn.Address(), "offered", offered, "negotiated", f)
	if d.way.legacy() {
		return nil
	}
	d.way.setStatus(chip.StatusAcknowledge | chip.StatusDriver | chip.StatusFeaturesOK)
	if d.way.status()&chip.StatusFeaturesOK == 0 {
		return d.late(ctx, step, "the device does not work with just these: "+f.String()+" (FEATURES_OK, 3.1.1)")
	}
	return nil
}

// readConfig takes what the device says of itself (5.1.4), and checks the settings by it. A device without an
// address gets one that is locally administered.
func (d *Device) readConfig(ctx context.Context) error {
	const step = "configuration"
	mac, mtu := make(net.HardwareAddr, 6), 0
	stable := d.stable(func() {
		for i := range mac {
			mac[i] = byte(d.way.config(chip.ConfigMAC+uint32(i), 8))
		}
		mtu = int(d.way.config(chip.ConfigMTU, 16))
		d.pairs = int(d.way.config(chip.ConfigMaxPairs, 16))
	})
	if !stable || d.gone() {
		return d.late(ctx, step, "it keeps changing (config_generation, 2.5.1)")
	}
	if !d.features.Has(chip.NetMAC) || unicast(mac) != nil {
		_, _ = rand.Read(mac) // never fails
		mac[0] = mac[0]&^1 | 2
	}
	d.mac = mac
	if d.features.Has(chip.NetMQ) && (d.cfg.RxQueues > d.pairs || d.pairs > chip.MaxPairs) {
		return d.fail(step, "%d receive queues: the device has %d (%v, 5.1.4)", d.cfg.RxQueues, d.pairs, chip.NetMQ)
	}
	if d.features.Has(chip.NetMTU) && d.cfg.MTU > mtu {
		return d.fail(step, "MTU %d: want at most %d, as the device says (%v, 5.1.4)", d.cfg.MTU, mtu, chip.NetMTU)
	}
	return nil
}

// configLooks is how often the driver reads a configuration that changes meanwhile.
const configLooks = 100

// stable has read read the device's configuration, again where it changed (2.5.1). It reports success.
func (d *Device) stable(read func()) bool {
	for range configLooks {
		before := d.way.generation()
		read()
		if d.way.generation() == before {
			return true
		}
	}
	return false
}

// allocate gets all memory. The device has been reset before: what a former owner let it write to may be the very
// memory that this one gets.
func (d *Device) allocate(context.Context) error {
	if err := d.preparePool(); err != nil {
		return d.fail("buffers", "%w", err)
	}
	for i := range d.cfg.RxQueues {
		if err := d.newRx(i); err != nil {
			return d.fail("receive ring", "%w", err)
		}
		if err := d.newTx(i); err != nil {
			return d.fail("transmit ring", "%w", err)
		}
	}
	if d.features.Has(chip.NetCtrlVQ) {
		if err := d.newControl(); err != nil {
			return d.fail("control queue", "%w", err)
		}
	}
	return nil
}

// enable tells the device of its queues (4.1.5.1.3).
func (d *Device) enable(ctx context.Context) error {
	const step = "queues"
	for _, r := range d.rings() {
		queue := int(r.number)
		bell, err := d.way.doorbell(queue)
		if err == nil {
			err = d.way.enable(queue, r.areas())
		}
		if d.gone() {
			return d.late(ctx, step, "")
		}
		if err != nil {
			return d.fail(step, "queue %d: %w", queue, err)
		}
		r.bell = bell
	}
	return nil
}

// run lets the device work (3.1.1 step 8), and tells it of the buffers in its rings.
func (d *Device) run(ctx context.Context) error {
	status := chip.StatusAcknowledge | chip.StatusDriver | chip.StatusDriverOK
	if !d.way.legacy() {
		status |= chip.StatusFeaturesOK
	}
	d.way.setStatus(status)
	if d.gone() {
		return d.late(ctx, "driver ok", "")
	}
	if d.way.status()&chip.StatusNeedsReset != 0 {
		return d.fail("driver ok", "%w", errNeedsReset)
	}
	for _, q := range d.rx {
		q.bell.Ring(q.number)
	}
	return nil
}

// giveUp tells a device that its driver has (2.1).
func (d *Device) giveUp() {
	if !d.gone() {
		d.way.setStatus(d.way.status() | chip.StatusFailed)
	}
}

// awaitLink waits for the link as long as the settings say. A port without a link is open all the same.
func (d *Device) awaitLink(ctx context.Context) error {
	var l nic.Link
	for end := time.Now().Add(d.cfg.LinkWait); ; time.Sleep(time.Millisecond) {
		if l = d.link(); l.Up || time.Now().After(end) || ctx.Err() != nil || d.gone() {
			break
		}
	}
	if ctx.Err() != nil || d.gone() {
		return d.late(ctx, "wait for link", "")
	}
	d.cfg.Logger.Debug("virtio link", "device", d.fn.Address(), "up", l.Up, "speed", l.Speed)
	return nil
}
