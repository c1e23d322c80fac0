package virtio

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"time"

	"glassnic/bus/dma"
	chip "glassnic/chip/virtio"
)

// commandLimit is how long a device may take for a command, by far. Tests shorten it.
var commandLimit = time.Second

// control is the control queue (5.1.6.5), by which the driver gives commands, one at a time.
type control struct {
	ring
	first uint16     // descriptor of the next command
	block dma.Memory // of the command under way
	dead  bool       // a command was not answered, and the device still has its memory
}

const (
	// commandMax is the longest command in bytes: two tables of addresses, of which devices take 64 or so.
	commandMax = 4096 - dma.Align
	// answerAt is where in the memory the device writes its answer: on a line of its own.
	answerAt = commandMax
	// commandParts is how many descriptors a command has: what it is, what goes with it, and the answer. Devices
	// without VIRTIO_F_ANY_LAYOUT want them so (5.1.6.5).
	commandParts = 3
)

// newControl makes the control queue.
func (d *Device) newControl() error {
	queue := d.controlQueue()
	n, err := d.ringSize(queue, 8)
	if err != nil {
		return err
	}
	c := &control{}
	if err := d.initRing(&c.ring, queue, n); err != nil {
		return err
	}
	if c.block, err = d.alloc(4096, 4096); err != nil {
		return err
	}
	d.control = c
	return nil
}

// controlQueue is the number of the control queue: behind all pairs that there may be (5.1.2).
func (d *Device) controlQueue() int {
	if d.features.Has(chip.NetMQ) {
		return chip.CtrlQueue(d.pairs)
	}
	return chip.CtrlQueue(1)
}

// command gives a command and waits for the answer. The caller holds d.mu. The feature is the one that lets the
// device understand it.
func (d *Device) command(ctx context.Context, step string, f chip.Features, class, cmd uint8, data []byte) error {
	switch c := d.control; {
	case !d.features.Has(f):
		return d.fail(step, "%w", lack(f, "the device does not understand the command"))
	case c.dead:
		return d.fail(step, "the control queue is dead since a command was not answered: close the port and open it again")
	case len(data)+2 > commandMax:
		return d.fail(step, "%d bytes are too long a command: at most %d", len(data), commandMax-2)
	}
	c := d.control
	mem := c.block.Bytes
	mem[0], mem[1] = class, cmd
	copy(mem[2:], data)
	mem[answerAt] = 0xff
	at := c.block.IOVA
	c.submit([]part{{at, 2, 0}, {at + 2, len(data), 0}, {at + answerAt, 1, chip.DescWrite}})
	if !d.wait(ctx, commandLimit, c.answered) {
		c.dead = true
		return d.late(ctx, step, fmt.Sprintf("no answer to command %d of class %d after %v (5.1.6.5)", cmd, class, commandLimit))
	}
	if got := mem[answerAt]; got != chip.CtrlOK {
		return d.fail(step, "the device refuses (answer %d to command %d of class %d, 5.1.6.5)", got, cmd, class)
	}
	return nil
}

// submit gives the device the parts of a command, in the next descriptors of the ring (2.7.9): it has no others.
func (c *control) submit(parts []part) {
	if c.isPacked {
		c.givePacked(0, parts)
		c.post(len(parts))
		return
	}
	mask := uint16(c.size - 1)
	*c.head(int(c.posted & mask)) = c.first
	for i, p := range parts {
		next := (c.first + 1) & mask
		c.setSplit(c.first, p, i < len(parts)-1, next)
		c.first = next
	}
	c.post(1)
}

// answered tells whether the device is done with the command, and takes it back.
func (c *control) answered() bool {
	if c.isPacked {
		if !c.came(c.back, c.lap) {
			return false
		}
		c.comeBack(commandParts)
		return true
	}
	if c.look(); c.ready == 0 {
		return false
	}
	c.ready--
	c.seen++
	return true
}

// initControl tells the device how many pairs of queues to use, and what to receive.
func (d *Device) initControl(ctx context.Context) error {
	const step = "control queue"
	if d.control == nil {
		return nil
	}
	if d.features.Has(chip.NetMQ) {
		n := binary.LittleEndian.AppendUint16(nil, uint16(len(d.rx)))
		if err := d.command(ctx, step, chip.NetMQ, chip.CtrlMQ, chip.CtrlMQPairsSet, n); err != nil {
			return err
		}
	}
	if err := d.filterVLANs(ctx, step, d.cfg.VLANs); err != nil {
		return err
	}
	if !d.features.Has(chip.NetCtrlRx) {
		return nil
	}
	return errors.Join(
		d.receiveMode(ctx, step, chip.CtrlRxPromisc, d.cfg.Promiscuous),
		d.receiveMode(ctx, step, chip.CtrlRxAllMulti, false),
		d.command(ctx, step, chip.NetCtrlRx, chip.CtrlMAC, chip.CtrlMACTableSet, macTable(nil)),
	)
}

func (d *Device) receiveMode(ctx context.Context, step string, mode uint8, on bool) error {
	data := []byte{0}
	if on {
		data[0] = 1
	}
	return d.command(ctx, step, chip.NetCtrlRx, chip.CtrlRx, mode, data)
}

// macTable is a table of no unicast and some multicast addresses (5.1.6.5.2).
func macTable(multicast []net.HardwareAddr) []byte {
	b := binary.LittleEndian.AppendUint32(make([]byte, 4), uint32(len(multicast)))
	for _, a := range multicast {
		b = append(b, a...)
	}
	return b
}
