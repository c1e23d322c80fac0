package textbook

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"glassnic/bus/dma"
)

// descriptor is an entry of either ring, two little-endian words (7.1.6, 7.2.3.2.4). The driver writes
// an address and a command; the card overwrites them with what came of it.
type descriptor struct{ word0, word1 uint64 }

// done reads word 1, which the card writes last. What the card wrote before is visible after it.
func (d *descriptor) done() uint64 { return atomic.LoadUint64(&d.word1) }

// asRing views DMA memory as descriptors.
func asRing(m dma.Memory) []descriptor {
	return unsafe.Slice((*descriptor)(unsafe.Pointer(unsafe.SliceData(m.Bytes))), uintptr(len(m.Bytes))/unsafe.Sizeof(descriptor{}))
}

// metadata is the room in bytes that Buf takes in front of its frame: one cache line.
const metadata = 64

// Buf is a buffer's metadata. It lies right in front of the frame, in the memory that the card
// reaches: a card that writes beyond the buffer before destroys it. (Config.Apart puts it elsewhere.)
type Buf struct {
	iova  uint64 // where the card finds the frame
	frame *byte  // the same place for the driver
	pool  *pool
	size  uint32 // bytes of the frame
	_     [metadata - 28]byte
}

var _ [metadata]struct{} = [unsafe.Sizeof(Buf{})]struct{}{}

// asBuf views the first bytes of DMA memory as the metadata of the rest.
func asBuf(m dma.Memory) *Buf { return (*Buf)(unsafe.Pointer(unsafe.SliceData(m.Bytes))) }

// Bytes returns the frame. The slice is valid as long as the buffer is the caller's.
func (b *Buf) Bytes() []byte { return unsafe.Slice(b.frame, b.size) }

// SetBytes copies a frame into the buffer.
func (b *Buf) SetBytes(frame []byte) error {
	if len(frame) > b.pool.room {
		return fmt.Errorf("textbook: a frame of %d bytes: want at most %d", len(frame), b.pool.room)
	}
	b.size = uint32(len(frame))
	copy(b.Bytes(), frame)
	return nil
}
