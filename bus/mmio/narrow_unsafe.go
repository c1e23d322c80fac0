package mmio

import "unsafe"

// NarrowHook is a Hook that also takes accesses of 8 and 16 bits, as registers do that must be accessed
// with their exact width. Offsets are in bytes, multiples of the width and inside the region.
type NarrowHook interface {
	Hook
	Read8(off uint32) uint8
	Read16(off uint32) uint16
	Write8(off uint32, v uint8)
	Write16(off uint32, v uint16)
}

// Read8 reads the byte at offset off. A trapped region without a NarrowHook reads 32 bits and takes a part.
func (r Region) Read8(off uint32) uint8 {
	if off >= r.size {
		return ^uint8(0)
	}
	switch h := r.hook.(type) {
	case nil:
		return load8((*uint8)(unsafe.Add(r.base, off)))
	case NarrowHook:
		return h.Read8(off)
	default:
		return uint8(h.Read32(off&^3) >> (off & 3 * 8))
	}
}

// Read16 reads the 16 bits at byte offset off, a multiple of 2, as Read8 does.
func (r Region) Read16(off uint32) uint16 {
	if off&1 != 0 || off >= r.size {
		return ^uint16(0)
	}
	switch h := r.hook.(type) {
	case nil:
		return load16((*uint16)(unsafe.Add(r.base, off)))
	case NarrowHook:
		return h.Read16(off)
	default:
		return uint16(h.Read32(off&^3) >> (off & 2 * 8))
	}
}

// Write8 writes the byte at offset off with a posted store. A trapped region without a NarrowHook reads
// 32 bits and writes them back.
func (r Region) Write8(off uint32, v uint8) {
	if off >= r.size {
		return
	}
	switch h := r.hook.(type) {
	case nil:
		store8((*uint8)(unsafe.Add(r.base, off)), v)
	case NarrowHook:
		h.Write8(off, v)
	default:
		shift := off & 3 * 8
		h.Write32(off&^3, h.Read32(off&^3)&^(0xff<<shift)|uint32(v)<<shift)
	}
}

// Write16 writes the 16 bits at byte offset off, a multiple of 2, as Write8 does.
func (r Region) Write16(off uint32, v uint16) {
	if off&1 != 0 || off >= r.size {
		return
	}
	switch h := r.hook.(type) {
	case nil:
		store16((*uint16)(unsafe.Add(r.base, off)), v)
	case NarrowHook:
		h.Write16(off, v)
	default:
		shift := off & 2 * 8
		h.Write32(off&^3, h.Read32(off&^3)&^(0xffff<<shift)|uint32(v)<<shift)
	}
}

// Doorbell16 is one register of 16 bits whose address was checked beforehand, for the hot path.
type Doorbell16 struct {
	p      *uint16 // nil for a trapped register
	region Region
	off    uint32
}

// Doorbell16 returns the register of 16 bits at byte offset off; outside the region, one that swallows
// writes.
func (r Region) Doorbell16(off uint32) Doorbell16 {
	switch {
	case off&1 != 0 || off >= r.size:
		return Doorbell16{p: new(uint16)}
	case r.hook != nil:
		return Doorbell16{region: r, off: off}
	}
	return Doorbell16{p: (*uint16)(unsafe.Add(r.base, off))}
}

// Ring writes the register as Region.Write16 does. The zero Doorbell16 must not be rung.
func (d *Doorbell16) Ring(v uint16) {
	if d.p != nil {
		store16(d.p, v)
		return
	}
	d.region.Write16(d.off, v)
}

// load8 and load16 are kept out of line so that the compiler reads just once, and just these bits: Go has
// no atomic access of such widths.
//
//go:noinline
func load8(p *uint8) uint8 { return *p }

//go:noinline
func load16(p *uint16) uint16 { return *p }
