package virtio

import (
	"context"
	"errors"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
)

// Link implements nic.Device. A device that does not tell has its link up, and a speed of 0 is unknown.
func (d *Device) Link() (nic.Link, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.health("link"); err != nil {
		return nic.Link{}, err
	}
	return d.link(), nil
}

// link reads status and speed (5.1.4).
func (d *Device) link() (l nic.Link) {
	d.stable(func() {
		l = nic.Link{Up: true}
		if d.features.Has(chip.NetStatus) {
			l.Up = uint16(d.way.config(chip.ConfigStatus, 16))&chip.NetLinkUp != 0
		}
		// Other values stand for an unknown speed.
		if speed := int32(d.way.config(chip.ConfigSpeed, 32)); d.features.Has(chip.NetSpeedDuplex) && speed > 0 {
			l.Speed = int(speed)
		}
	})
	if !l.Up {
		l.Speed = 0
	}
	return l
}

var errNeedsReset = errors.New("the device cannot go on (DEVICE_NEEDS_RESET, 2.1): close the port and open it again")

// health is the error of a port that is closed or gone.
func (d *Device) health(step string) error {
	switch {
	case d.closed:
		return d.fail(step, "%w", nic.ErrClosed)
	case d.gone():
		return d.late(context.Background(), step, "")
	}
	return nil
}

// rings are the rings of all queues.
func (d *Device) rings() (all []*ring) {
	for _, q := range d.rx {
		all = append(all, &q.ring)
	}
	for _, q := range d.tx {
		all = append(all, &q.ring)
	}
	if d.control != nil {
		all = append(all, &d.control.ring)
	}
	return all
}
