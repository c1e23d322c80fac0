//go:build linux

package vhost

import (
	"sync/atomic"
	"unsafe"

	chip "glassnic/chip/virtio"
)

// view is a ring as memory, which the driver writes to at any time. The caller of its methods guarantees that the
// descriptor or entry that it asks for is one of the ring's. Little-endian machines only: all that this is built for.
type view struct {
	descs, driver, device unsafe.Pointer
	flags                 uint32 // of the used ring, which only this end writes
	fence                 uint32 // what barrier stores to
}

// newView returns the ring whose parts these are, which are as long as the ring's size wants.
func newView(descs, driver, device []byte) view {
	return view{descs: first(descs), driver: first(driver), device: first(device)}
}

func first(b []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(b)) }

// aligned tells whether b begins at a multiple of align.
func aligned(b []byte, align int) bool { return uintptr(first(b))%uintptr(align) == 0 }

// Split rings.

// desc reads descriptor i.
func (v *view) desc(i int) (addr, rest uint64) {
	p := (*[2]uint64)(unsafe.Add(v.descs, i*chip.DescSize))
	return p[0], p[1]
}

// head reads entry i of the available ring.
func (v *view) head(i int) uint16 { return *(*uint16)(unsafe.Add(v.driver, 4+2*i)) }

// availIndex reads the index of the available ring; entries before it are read behind it.
func (v *view) availIndex() uint16 { return uint16(atomic.LoadUint32((*uint32)(v.driver)) >> 16) }
func (v *view) availFlags() uint16 { return uint16(atomic.LoadUint32((*uint32)(v.driver))) }

// usedIndex reads the index of the used ring.
func (v *view) usedIndex() uint16 { return uint16(atomic.LoadUint32((*uint32)(v.device)) >> 16) }

// putUsed writes entry i of the used ring.
func (v *view) putUsed(i int, e uint64) { *(*uint64)(unsafe.Add(v.device, 4+8*i)) = e }

// publish writes the index of the used ring behind all that was written before, and before all that is read later.
func (v *view) publish(used uint16) {
	atomic.StoreUint32((*uint32)(v.device), v.flags|uint32(used)<<16)
}

// setUsedFlags writes the flags of the used ring.
func (v *view) setUsedFlags(flags, used uint16) {
	v.flags = uint32(flags)
	v.publish(used)
}

// usedEvent reads the index from which on the driver wants to be told, of a ring of n descriptors.
func (v *view) usedEvent(n int) uint16 { return *(*uint16)(unsafe.Add(v.driver, 4+2*n)) }

// setAvailEvent writes the index from which on this end wants to be told.
func (v *view) setAvailEvent(n int, i uint16) { *(*uint16)(unsafe.Add(v.device, 4+8*n)) = i }

// Packed rings.

// packed reads descriptor i; all that belongs to it is read behind its flags.
func (v *view) packed(i int) (addr, rest uint64) {
	p := (*[2]uint64)(unsafe.Add(v.descs, i*chip.DescSize))
	rest = atomic.LoadUint64(&p[1])
	return p[0], rest
}

// putPacked writes the second word of descriptor i behind all that was written before.
func (v *view) putPacked(i int, rest uint64) {
	store64((*uint64)(unsafe.Add(v.descs, i*chip.DescSize+8)), rest)
}

// driverEvent and setDeviceEvent are of the event suppression structures.
func (v *view) driverEvent() uint32     { return atomic.LoadUint32((*uint32)(v.driver)) }
func (v *view) setDeviceEvent(e uint32) { *(*uint32)(v.device) = e }

// tableDesc reads descriptor i of an indirect table, which has so many.
func tableDesc(t []byte, i int) (addr, rest uint64) {
	p := (*[2]uint64)(unsafe.Add(first(t), i*chip.DescSize))
	return p[0], p[1]
}

// plainHeader makes the twelve bytes at p, of which there must be so many, a header that says nothing but that the frame
// lies in one buffer. Drivers that use buffers again and again mostly have one there: then both sides keep the cache line.
func plainHeader(p unsafe.Pointer) {
	if q := (*uint64)(p); *q != 0 {
		*q = 0
	}
	if q := (*uint32)(unsafe.Add(p, 8)); *q != 1<<16 {
		*q = 1 << 16
	}
}

// tally is a counter that one worker counts up and others read.
type tally struct{ n uint64 }

func (t *tally) add(n uint64) { t.n += n }
func (t *tally) load() uint64 { return atomic.LoadUint64(&t.n) }
