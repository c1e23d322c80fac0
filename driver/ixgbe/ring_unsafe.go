package ixgbe

import (
	"sync/atomic"
	"unsafe"

	"glassnic/bus/dma"
	chip "glassnic/chip/ixgbe"
)

// desc is one descriptor, receive or transmit, as two 64-bit words. The card is a second writer of
// a descriptor that it was given.
type desc struct{ w0, w1 uint64 }

// done reads word 1, in which the card says that it is done. What it wrote before is visible
// afterwards.
func (d *desc) done() uint64 { return atomic.LoadUint64(&d.w1) }

// descriptors returns the descriptors that lie in m, whose memory is aligned as rings are.
func descriptors(m dma.Memory) []desc {
	return unsafe.Slice((*desc)(unsafe.Pointer(unsafe.SliceData(m.Bytes))), len(m.Bytes)/chip.DescSize)
}
