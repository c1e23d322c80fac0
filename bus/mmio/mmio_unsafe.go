// Package mmio reads and writes a device's registers.
//
// Everything exported here is safe to call with any argument: an access outside the region or not
// aligned to 4 bytes behaves as one that no device answers on PCI Express, reads giving all ones and
// writes going nowhere.
package mmio

import (
	"sync/atomic"
	"unsafe"
)

// Hook stands in for the device of a trapped region: each access calls it. Offsets are in bytes,
// multiples of 4 and inside the region.
type Hook interface {
	Read32(off uint32) uint32
	Write32(off uint32, v uint32)
}

// Region is a window of 32-bit little-endian registers: a mapped BAR, shared memory that a model
// watches, or a hook. The zero Region is empty. Regions are values; copies reach the same registers.
// Concurrent accesses reach the device in some order, as they do on a bus.
type Region struct {
	base   unsafe.Pointer // nil for a trapped region
	size   uint32
	hook   Hook // nil for memory
	unseen bool
}

// Map returns the region of registers that lie in mem, which must stay mapped while the region is in
// use and start on a 4-byte boundary. Bytes beyond 4 GiB are left out.
func Map(mem []byte) Region {
	if len(mem) < 4 || uintptr(unsafe.Pointer(unsafe.SliceData(mem)))%4 != 0 {
		return Region{}
	}
	size := uint32(min(uint64(len(mem)), 1<<32-4)) &^ 3
	return Region{base: unsafe.Pointer(unsafe.SliceData(mem)), size: size}
}

// MapPolled is Map for memory that a model on another core or in another process watches: such a
// model cannot see reads, so registers do not clear when read there (SeesReads is false).
func MapPolled(mem []byte) Region {
	r := Map(mem)
	r.unseen = true
	return r
}

// Trap returns a region of size bytes whose every access calls h.
func Trap(size uint32, h Hook) Region { return Region{size: size &^ 3, hook: h} }

// Size returns the length in bytes.
func (r Region) Size() uint32 { return r.size }

// SeesReads tells whether the other side notices reads, as hardware and trapped models do, so that
// its read-to-clear registers clear.
func (r Region) SeesReads() bool { return !r.unseen }

// Read32 reads the register at byte offset off.
func (r Region) Read32(off uint32) uint32 {
	if off&3 != 0 || off >= r.size {
		return ^uint32(0)
	}
	if r.hook != nil {
		return r.hook.Read32(off)
	}
	return atomic.LoadUint32((*uint32)(unsafe.Add(r.base, off)))
}

// Write32 writes the register at byte offset off with a posted store: earlier writes to memory are
// visible to the device before it, and nothing is read back.
func (r Region) Write32(off uint32, v uint32) {
	if off&3 != 0 || off >= r.size {
		return
	}
	if r.hook != nil {
		r.hook.Write32(off, v)
		return
	}
	store32((*uint32)(unsafe.Add(r.base, off)), v)
}

// Set sets bits of the register at off by reading and writing it.
func (r Region) Set(off, bits uint32) { r.Write32(off, r.Read32(off)|bits) }

// Clear clears bits of the register at off by reading and writing it.
func (r Region) Clear(off, bits uint32) { r.Write32(off, r.Read32(off)&^bits) }

// Doorbell is one register whose address was checked beforehand, for the hot path.
type Doorbell struct {
	p    *uint32 // nil for a trapped register
	hook Hook
	off  uint32
}

// Doorbell returns the register at byte offset off; outside the region, one that swallows writes.
func (r Region) Doorbell(off uint32) Doorbell {
	switch {
	case off&3 != 0 || off >= r.size:
		return Doorbell{p: new(uint32)}
	case r.hook != nil:
		return Doorbell{hook: r.hook, off: off}
	}
	return Doorbell{p: (*uint32)(unsafe.Add(r.base, off))}
}

// Ring writes the register as Region.Write32 does. The zero Doorbell must not be rung.
func (d *Doorbell) Ring(v uint32) {
	if d.p != nil {
		store32(d.p, v)
		return
	}
	d.hook.Write32(d.off, v)
}
