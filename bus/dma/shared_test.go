package dma

import (
	"errors"
	"testing"
)

func TestShared(t *testing.T) {
	s, err := NewShared(SharedOptions{Size: 6<<20 - 1, SmallPages: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if len(s.Bytes()) != 6<<20 {
		t.Fatalf("%d bytes", len(s.Bytes()))
	}
	a, err := s.Page()
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Page()
	if err != nil {
		t.Fatal(err)
	}
	if a.IOVA != 2<<20 || b.IOVA != 4<<20 || len(a.Bytes) != 2<<20 || cap(a.Bytes) != 2<<20 {
		t.Errorf("pages at %#x and %#x of %d bytes", a.IOVA, b.IOVA, len(a.Bytes))
	}
	if _, err := s.Page(); !errors.Is(err, ErrNoMemory) {
		t.Errorf("third of two pages: %v", err)
	}
	a.Bytes[17] = 42
	if s.Bytes()[a.IOVA+17] != 42 {
		t.Error("the model does not see the driver's write at its IOVA")
	}
	s.Bytes()[b.IOVA+1] = 43
	if b.Bytes[1] != 43 {
		t.Error("the driver does not see the model's write")
	}
	if err := s.Release(a); err != nil {
		t.Error(err)
	}
	for _, m := range []Memory{a, {IOVA: 0}, {IOVA: 1 << 40}, {IOVA: b.IOVA + 1}} {
		if err := s.Release(m); err == nil {
			t.Errorf("page %#x was released and is not in use", m.IOVA)
		}
	}
	if c, err := s.Page(); err != nil || c.IOVA != a.IOVA {
		t.Errorf("released page was not reused: %#x, %v", c.IOVA, err)
	}
	if s.PageSize() != SharedPage || s.Domain() != any(s) {
		t.Error("page size or domain")
	}
}

func TestSharedClosed(t *testing.T) {
	s, err := NewShared(SharedOptions{Size: 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Page()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Page(); !errors.Is(err, ErrNoMemory) {
		t.Errorf("page of closed memory: %v", err)
	}
	if err := s.Release(m); err == nil || s.Bytes() != nil || s.Close() != nil {
		t.Error("closed memory is still there")
	}
}

func TestSharedSizes(t *testing.T) {
	for _, size := range []int{-1, MaxShared + 1} {
		if _, err := NewShared(SharedOptions{Size: size}); err == nil {
			t.Errorf("%d bytes were reserved", size)
		}
	}
	s, err := NewShared(SharedOptions{Size: 1, SmallPages: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Page(); err != nil {
		t.Errorf("the smallest memory has no page: %v", err)
	}
}

func TestSharedArena(t *testing.T) {
	s, err := NewShared(SharedOptions{Size: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, b := NewArena(s), NewArena(s)
	m, err := a.Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	n, err := b.Alloc(4096, 0)
	if err != nil {
		t.Fatal(err)
	}
	if m.IOVA>>21 == n.IOVA>>21 {
		t.Error("two arenas cut the same page")
	}
	if a.Domain() != b.Domain() {
		t.Error("arenas of one source have different domains")
	}
}
