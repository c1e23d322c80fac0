package vfiouser

import (
	"golang.org/x/sys/unix"

	"glassnic/bus/irq"
	chip "glassnic/chip/ixgbe"
)

// Types of interrupt (enum in linux/vfio.h).
const (
	irqINTx  = 0
	irqMSIX  = 2
	irqTypes = 5

	irqEventFD    = 1 << 0 // VFIO_IRQ_INFO_*
	irqMaskable   = 1 << 1
	irqAutoMasked = 1 << 2
	irqNoResize   = 1 << 3

	setNone    = 1 << 0 // VFIO_IRQ_SET_DATA_*
	setEventFD = 1 << 2
	setUnmask  = 1 << 4 // VFIO_IRQ_SET_ACTION_*
	setTrigger = 1 << 5
)

// interrupts are the eventfds of the client, by type of interrupt and number; -1 where there is none.
type interrupts struct {
	fds [irqTypes][]int
}

// irqCount is how many interrupts of a type there are.
func irqCount(index uint32) uint32 {
	return map[uint32]uint32{irqINTx: 1, irqMSIX: chip.MSIXVectors}[index]
}

// info describes a type of interrupt ("VFIO_USER_DEVICE_GET_IRQ_INFO").
func (n *interrupts) info(data []byte) ([]byte, unix.Errno) {
	index := le.Uint32(data[8:])
	if index >= irqTypes {
		return nil, unix.EINVAL
	}
	flags := uint32(irqEventFD | irqNoResize)
	if index == irqINTx {
		flags = irqEventFD | irqMaskable | irqAutoMasked
	}
	return words(16, flags, index, irqCount(index)), 0
}

// set connects interrupts with eventfds, or takes them away ("VFIO_USER_DEVICE_SET_IRQS").
func (n *interrupts) set(m *message, card Card) unix.Errno {
	flags, index := le.Uint32(m.data[4:]), le.Uint32(m.data[8:])
	start, count := le.Uint32(m.data[12:]), le.Uint32(m.data[16:])
	if index >= irqTypes || start > irqCount(index) || count > irqCount(index)-start {
		return unix.EINVAL
	}
	switch {
	case flags&setTrigger == 0:
		if flags&setUnmask != 0 && index == irqINTx {
			card.Unmask()
		}
		return 0
	case flags&setNone != 0 && count == 0:
		n.drop(index)
	case flags&setEventFD != 0:
		if n.fds[index] == nil {
			n.fds[index] = make([]int, irqCount(index))
			for i := range n.fds[index] {
				n.fds[index][i] = -1
			}
		}
		for i := range count {
			at := &n.fds[index][start+i]
			if *at >= 0 {
				_ = unix.Close(*at)
			}
			*at = m.takeFD(int(i))
		}
	default: // a trigger by hand, which no card needs
		return unix.ENOTSUP
	}
	n.connect(card)
	return 0
}

// connect has the card interrupt in the way that the client has set up.
func (n *interrupts) connect(card Card) {
	kind, fds := irq.MSIX, n.fds[irqMSIX]
	if fds == nil {
		kind, fds = irq.INTx, n.fds[irqINTx]
	}
	if fds == nil {
		card.SetInterrupts(irq.MSIX, nil)
		return
	}
	card.SetInterrupts(kind, func(v int) {
		if v < len(fds) && fds[v] >= 0 {
			one := [8]byte{1}
			_, _ = unix.Write(fds[v], one[:]) // only fails for a client that gave no eventfd
		}
	})
}

// drop closes the eventfds of a type.
func (n *interrupts) drop(index uint32) {
	for _, fd := range n.fds[index] {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
	}
	n.fds[index] = nil
}

// close closes all.
func (n *interrupts) close(card Card) {
	card.SetInterrupts(irq.MSIX, nil)
	for i := range n.fds {
		n.drop(uint32(i))
	}
}
