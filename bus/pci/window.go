package pci

import (
	"encoding/binary"
	"os"

	"glassnic/bus/mmio"
)

// Window returns the size bytes of f from byte off on as a region, for registers that cannot be mapped,
// such as I/O ports: each access is one read or write of f of exactly its width. Where that fails, as it
// does once f is closed, it behaves as an access that no device answers.
func Window(f *os.File, off int64, size uint32) mmio.Region {
	return mmio.Trap(size, &window{f, off})
}

// window implements mmio.NarrowHook. The kernel passes values in the processor's byte order.
type window struct {
	f   *os.File
	off int64
}

func (w *window) Read8(off uint32) uint8 {
	b := [1]byte{}
	if _, err := w.f.ReadAt(b[:], w.off+int64(off)); err != nil {
		return 1<<8 - 1
	}
	return b[0]
}

func (w *window) Read16(off uint32) uint16 {
	b := [2]byte{}
	if _, err := w.f.ReadAt(b[:], w.off+int64(off)); err != nil {
		return 1<<16 - 1
	}
	return binary.NativeEndian.Uint16(b[:])
}

func (w *window) Read32(off uint32) uint32 {
	b := [4]byte{}
	if _, err := w.f.ReadAt(b[:], w.off+int64(off)); err != nil {
		return 1<<32 - 1
	}
	return binary.NativeEndian.Uint32(b[:])
}

func (w *window) Write8(off uint32, v uint8) {
	_, _ = w.f.WriteAt([]byte{v}, w.off+int64(off))
}

func (w *window) Write16(off uint32, v uint16) {
	b := [2]byte{}
	binary.NativeEndian.PutUint16(b[:], v)
	_, _ = w.f.WriteAt(b[:], w.off+int64(off))
}

func (w *window) Write32(off uint32, v uint32) {
	b := [4]byte{}
	binary.NativeEndian.PutUint32(b[:], v)
	_, _ = w.f.WriteAt(b[:], w.off+int64(off))
}
