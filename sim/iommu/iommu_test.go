package iommu

import (
	"errors"
	"testing"

	"glassnic/bus/dma"
)

var _ dma.Allocator = (*Space)(nil)

func TestFlat(t *testing.T) {
	mem := make([]byte, Bottom+4096)
	mem[Bottom+5] = 7
	s := NewFlat(mem)
	for _, c := range []struct {
		iova uint64
		n    int
		ok   bool
	}{
		{Bottom, 4096, true},
		{Bottom + 5, 1, true},
		{Bottom + 4096, 0, true},
		{Bottom - 1, 2, false},
		{0, 1, false},
		{Bottom + 1, 4096, false},
		{Bottom + 4096, 1, false},
		{^uint64(0), 2, false},
		{^uint64(0) - 1, 1, false},
		{Bottom, -1, false},
	} {
		before := s.Count()
		b, ok := s.At("test", c.iova, c.n, true)
		if ok != c.ok || ok && len(b) != c.n || ok && cap(b) != c.n {
			t.Errorf("At(%#x, %d): %d bytes (capacity %d), %v", c.iova, c.n, len(b), cap(b), ok)
		}
		if faulted := s.Count() != before; faulted == c.ok {
			t.Errorf("At(%#x, %d): fault recorded: %v", c.iova, c.n, faulted)
		}
	}
	if b, _ := s.At("test", Bottom+5, 1, false); b[0] != 7 {
		t.Error("the wrong byte")
	}
	if _, err := s.Alloc(64, 0); !errors.Is(err, dma.ErrNoMemory) {
		t.Errorf("Alloc of a flat space: %v", err)
	}
}

func TestMapped(t *testing.T) {
	s := New()
	var hooked []Fault
	s.OnFault(func(f Fault) { hooked = append(hooked, f) })
	a, err := s.Alloc(100, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Alloc(3000, 1<<16)
	if err != nil {
		t.Fatal(err)
	}
	if a.IOVA < Bottom || a.IOVA%dma.Align != 0 || b.IOVA%(1<<16) != 0 || b.IOVA < a.IOVA+100+4096 {
		t.Fatalf("IOVAs %#x and %#x", a.IOVA, b.IOVA)
	}
	m, ok := s.At("test", a.IOVA+10, 90, true)
	if !ok {
		t.Fatal("no access inside an allocation")
	}
	m[0] = 9
	if a.Bytes[10] != 9 {
		t.Error("At gives other memory than Alloc")
	}
	for _, c := range []struct {
		iova uint64
		n    int
	}{
		{a.IOVA - 1, 2}, {a.IOVA + 99, 2}, {a.IOVA + 100, 1}, {a.IOVA, 101}, {b.IOVA + 3000, 1}, {0, 8}, {a.IOVA, -1},
		{^uint64(0), 1}, {b.IOVA + 1, 1 << 62},
	} {
		if _, ok := s.At("stray", c.iova, c.n, false); ok {
			t.Errorf("access to %d bytes at %#x", c.n, c.iova)
		}
	}
	if len(hooked) != 9 || s.Count() != 9 || len(s.Faults()) != 9 {
		t.Fatalf("hook saw %d faults, counted %d, recorded %d, want 9", len(hooked), s.Count(), len(s.Faults()))
	}
	want := Fault{Who: "stray", IOVA: a.IOVA - 1, Len: 2}
	if s.Faults()[0] != want {
		t.Errorf("recorded %v, want %v", s.Faults()[0], want)
	}

	s.SetReadOnly(a, true)
	if _, ok := s.At("test", a.IOVA, 1, true); ok {
		t.Error("write to read-only memory")
	}
	if _, ok := s.At("test", a.IOVA, 1, false); !ok {
		t.Error("no read of read-only memory")
	}

	s.Free(a)
	if _, ok := s.At("test", a.IOVA, 1, false); ok {
		t.Error("access after Free")
	}
	c, err := s.Alloc(100, 0)
	if err != nil || c.IOVA <= b.IOVA {
		t.Errorf("IOVA %#x is used again (%v)", c.IOVA, err)
	}
	if n := s.InUse(); n != 3100 {
		t.Errorf("in use: %d", n)
	}
}

func TestAllocRefuses(t *testing.T) {
	s := New()
	for _, c := range [][2]int{{0, 0}, {-1, 0}, {10, 3}, {10, -8}} {
		if _, err := s.Alloc(c[0], c[1]); err == nil {
			t.Errorf("Alloc(%d, %d) worked", c[0], c[1])
		}
	}
	if _, err := s.Alloc(s.MaxAlloc()+1, 0); !errors.Is(err, dma.ErrNoMemory) {
		t.Errorf("too large: %v", err)
	}
	if NewAbove(1<<40).Domain() == s.Domain() {
		t.Error("two spaces share a domain")
	}
	m, err := NewAbove(1<<40).Alloc(1, 0)
	if err != nil || m.IOVA < 1<<40 {
		t.Errorf("%#x, %v", m.IOVA, err)
	}
}

func FuzzAt(f *testing.F) {
	f.Add(uint64(Bottom), 10, true)
	f.Add(^uint64(0), 1<<62, false)
	s := New()
	var pieces []dma.Memory
	for _, n := range []int{1, 4096, 65536, 77} {
		m, err := s.Alloc(n, 0)
		if err != nil {
			f.Fatal(err)
		}
		pieces = append(pieces, m)
	}
	flat := NewFlat(make([]byte, Bottom+8192))
	f.Fuzz(func(t *testing.T, iova uint64, n int, write bool) {
		b, ok := s.At("fuzz", iova, n, write)
		inside := false
		for _, p := range pieces {
			off := iova - p.IOVA
			inside = inside || n >= 0 && iova >= p.IOVA && off <= uint64(len(p.Bytes)) && uint64(n) <= uint64(len(p.Bytes))-off
		}
		if ok != inside || ok && len(b) != n {
			t.Fatalf("At(%#x, %d) = %d bytes, %v; mapped: %v", iova, n, len(b), ok, inside)
		}
		if b, ok := flat.At("fuzz", iova, n, write); ok && (len(b) != n || iova < Bottom || iova > Bottom+8192) {
			t.Fatalf("flat At(%#x, %d) = %d bytes", iova, n, len(b))
		}
	})
}
