package virtio

import "time"

// Limits are the waits that tests shorten.
var Limits = map[string]*time.Duration{"reset": &resetLimit, "drain": &drainLimit, "command": &commandLimit, "stall": &stallAfter}

// LookOnce lets the limits alone say how long the driver waits; it returns what undoes that.
func LookOnce() (undo func()) {
	before := leastLooks
	leastLooks = 1
	return func() { leastLooks = before }
}

// Tangled tells whether a transmit queue keeps track of its descriptors one by one.
func (d *Device) Tangled(queue int) bool { return d.tx[queue].tangle != nil }

// TxHeld returns how many descriptors of a transmit ring the device has.
func (d *Device) TxHeld(queue int) int { return d.tx[queue].used }

// RingMemory returns the memory of a ring: those to receive, those to send, that of the control queue.
func (d *Device) RingMemory(i int) []byte {
	all := d.rings()
	return all[i%len(all)].memory.Bytes
}
