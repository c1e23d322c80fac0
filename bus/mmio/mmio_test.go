package mmio

import (
	"encoding/binary"
	"testing"
)

// recorder is a hook that keeps what it was asked.
type recorder struct {
	reads, writes []uint32
	last          uint32
}

func (r *recorder) Read32(off uint32) uint32 {
	r.reads = append(r.reads, off)
	return off + 1
}

func (r *recorder) Write32(off, v uint32) {
	r.writes = append(r.writes, off)
	r.last = v
}

func TestTrap(t *testing.T) {
	var h recorder
	r := Trap(0x102, &h)
	if r.Size() != 0x100 || !r.SeesReads() {
		t.Errorf("size %#x, sees reads %v", r.Size(), r.SeesReads())
	}
	if v := r.Read32(0xfc); v != 0xfd {
		t.Errorf("read %#x", v)
	}
	r.Write32(8, 7)
	if len(h.writes) != 1 || h.writes[0] != 8 || h.last != 7 {
		t.Errorf("writes %v of %d", h.writes, h.last)
	}
	r.Set(4, 0x80) // reads 5
	if h.last != 0x85 {
		t.Errorf("Set wrote %#x", h.last)
	}
	r.Clear(4, 1)
	if h.last != 4 {
		t.Errorf("Clear wrote %#x", h.last)
	}
	d := r.Doorbell(0x10)
	d.Ring(99)
	if n := len(h.writes); n != 4 || h.writes[3] != 0x10 || h.last != 99 {
		t.Errorf("doorbell: writes %v of %d", h.writes, h.last)
	}
}

// outside are offsets that a region of 256 bytes does not have.
var outside = []uint32{1, 2, 3, 0xfd, 0x100, 0x104, 1 << 31, ^uint32(0), ^uint32(3)}

func TestOutsideTrap(t *testing.T) {
	var h recorder
	r := Trap(0x100, &h)
	for _, off := range outside {
		if v := r.Read32(off); v != ^uint32(0) {
			t.Errorf("read at %#x gave %#x", off, v)
		}
		r.Write32(off, 1)
		d := r.Doorbell(off)
		d.Ring(1)
	}
	if len(h.reads)+len(h.writes) != 0 {
		t.Errorf("device saw reads %v, writes %v", h.reads, h.writes)
	}
}

func TestMemory(t *testing.T) {
	mem := make([]byte, 0x200)
	r := Map(mem[:0x100])
	if r.Size() != 0x100 || !r.SeesReads() {
		t.Errorf("size %#x, sees reads %v", r.Size(), r.SeesReads())
	}
	r.Write32(0x10, 0x11223344)
	if v := binary.NativeEndian.Uint32(mem[0x10:]); v != 0x11223344 {
		t.Errorf("memory holds %#x", v)
	}
	binary.NativeEndian.PutUint32(mem[0xfc:], 5)
	if v := r.Read32(0xfc); v != 5 {
		t.Errorf("read %#x", v)
	}
	d := r.Doorbell(0x20)
	d.Ring(0xabcd)
	if v := r.Read32(0x20); v != 0xabcd {
		t.Errorf("doorbell left %#x", v)
	}
	before := string(mem)
	for _, off := range outside {
		if v := r.Read32(off); v != ^uint32(0) {
			t.Errorf("read at %#x gave %#x", off, v)
		}
		r.Write32(off, 0x5a5a5a5a)
		d := r.Doorbell(off)
		d.Ring(0x5a5a5a5a)
	}
	if string(mem) != before {
		t.Error("a write outside the region changed memory")
	}
}

func TestMapRefuses(t *testing.T) {
	mem := make([]byte, 64)
	for _, b := range [][]byte{nil, mem[:3], mem[1:], mem[2:]} {
		r := Map(b)
		r.Write32(0, 1)
		if r.Size() != 0 || r.Read32(0) != ^uint32(0) {
			t.Errorf("a region of %d bytes", r.Size())
		}
	}
	if r := Map(mem[:7]); r.Size() != 4 {
		t.Errorf("7 bytes gave a region of %d", r.Size())
	}
}

func TestMapPolled(t *testing.T) {
	r := MapPolled(make([]byte, 64))
	if r.SeesReads() || r.Size() != 64 {
		t.Errorf("size %d, sees reads %v", r.Size(), r.SeesReads())
	}
	copied := r
	copied.Write32(4, 9)
	if r.Read32(4) != 9 {
		t.Error("copies reach different registers")
	}
}

func TestZeroRegion(t *testing.T) {
	var r Region
	r.Write32(0, 1)
	if r.Size() != 0 || r.Read32(0) != ^uint32(0) {
		t.Error("the zero region holds registers")
	}
}

func TestNoAllocations(t *testing.T) {
	r := Map(make([]byte, 64))
	d := r.Doorbell(8)
	if n := testing.AllocsPerRun(100, func() { r.Write32(4, r.Read32(0)); d.Ring(1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
