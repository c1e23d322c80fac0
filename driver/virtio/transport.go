package virtio

import (
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	chip "glassnic/chip/virtio"
)

// host is who holds a device: a PCI function, as bus.Function says, or a connection with a process that plays one.
type host interface {
	Address() string
	NUMANode() int
	DMA() dma.Allocator
	Interrupts() (irq.Set, error)
	Close() error
}

// transport is how the driver reaches a device: by its modern or its legacy registers. Nothing here is for the
// hot path, but the doorbell that a queue gets.
type transport interface {
	// legacy tells whether the device is used by its legacy interface.
	legacy() bool
	offered() chip.Features
	accept(chip.Features)
	status() uint8
	setStatus(uint8)
	// queues is how many queues the device has at most, 0 where it does not say.
	queues() int
	// enablesPairs tells whether the device uses as many pairs of queues as are enabled, and needs no command for it.
	enablesPairs() bool
	// queueSize is the largest size of a queue in descriptors, and 0 where there is no such queue. The size of a
	// legacy queue is fixed.
	queueSize(queue int) int
	// enable tells the device where a queue lies, and that it is in use.
	enable(queue int, a areas) error
	// doorbell tells the device of new buffers in a queue, by the queue's number.
	doorbell(queue int) (mmio.Doorbell16, error)
	// config reads a field of the device's own configuration of so many bits, by offset; what the device does not
	// have reads as zero. generation changes when the configuration does (2.5.1).
	config(off uint32, bits int) uint32
	generation() uint8
	// setConfig writes a byte of it, on legacy devices.
	setConfig(off uint32, v uint8)
	// isr reads the ISR status and clears it (4.1.4.5).
	isr() uint8
	// registers are those that a dump shows.
	registers() ([]chip.Register, window)
}

// window is a part of a BAR.
type window struct {
	r        mmio.Region
	off, len uint32
}

// read reads a register of so many bits; what lies outside reads as zero.
func (w window) read(off uint32, bits int) uint32 {
	if off+uint32(bits/8) > w.len {
		return 0
	}
	switch off += w.off; bits {
	case 8:
		return uint32(w.r.Read8(off))
	case 16:
		return uint32(w.r.Read16(off))
	}
	return w.r.Read32(off)
}

// areas is where a queue lies for the device: its size in descriptors, and IOVAs; and its vector.
type areas struct {
	size                  int
	vector                uint16
	descs, driver, device uint64
}
