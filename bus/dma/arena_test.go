package dma

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// fake is a source of few pages of heap memory.
type fake struct {
	size int
	left int
	next uint64
	out  map[uint64]bool
}

func newFake(size, pages int) *fake {
	return &fake{size: size, left: pages, next: 1 << 30, out: map[uint64]bool{}}
}

func (f *fake) Page() (Memory, error) {
	if f.left == 0 {
		return Memory{}, fmt.Errorf("fake: %w", ErrNoMemory)
	}
	f.left--
	b := make([]byte, f.size)
	for i := range b {
		b[i] = 0xaa
	}
	m := Memory{Bytes: b, IOVA: f.next}
	f.next += uint64(2 * f.size)
	f.out[m.IOVA] = true
	return m, nil
}

func (f *fake) Release(m Memory) error {
	if !f.out[m.IOVA] {
		return errors.New("released twice")
	}
	delete(f.out, m.IOVA)
	f.left++
	return nil
}

func (f *fake) PageSize() int { return f.size }
func (f *fake) Domain() any   { return f }

func TestArenaProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		src := newFake(8192, 3)
		a := NewArena(src)
		var held []Memory
		total := func() (n int) {
			for _, m := range held {
				n += len(m.Bytes)
			}
			return n
		}
		free := func(i int) {
			m := held[i]
			for j := range m.Bytes {
				if m.Bytes[j] != byte(m.IOVA>>7) {
					t.Fatalf("memory at %#x was written by another owner", m.IOVA)
				}
			}
			a.Free(m)
			held = append(held[:i], held[i+1:]...)
		}
		t.Repeat(map[string]func(*rapid.T){
			"alloc": func(t *rapid.T) {
				size := rapid.IntRange(1, 5000).Draw(t, "size")
				align := 1 << rapid.IntRange(0, 13).Draw(t, "align")
				if align == 1 {
					align = 0
				}
				m, err := a.Alloc(size, align)
				if err != nil {
					if !errors.Is(err, ErrNoMemory) || total() == 0 {
						t.Fatalf("with %d bytes in use: %v", total(), err)
					}
					return
				}
				if len(m.Bytes) < size || len(m.Bytes) >= size+Align || m.IOVA%uint64(max(align, 1)) != 0 || align == 0 && m.IOVA%Align != 0 {
					t.Fatalf("%d bytes aligned to %d: got %d at %#x", size, align, len(m.Bytes), m.IOVA)
				}
				for i, v := range m.Bytes {
					if v != 0 {
						t.Fatalf("byte %d is not zero", i)
					}
					m.Bytes[i] = byte(m.IOVA >> 7)
				}
				if m.IOVA&^0x3fff != (m.IOVA+uint64(len(m.Bytes))-1)&^0x3fff {
					t.Fatalf("memory at %#x straddles pages", m.IOVA)
				}
				for _, o := range held {
					if m.IOVA < o.IOVA+uint64(len(o.Bytes)) && o.IOVA < m.IOVA+uint64(len(m.Bytes)) {
						t.Fatalf("%#x overlaps %#x", m.IOVA, o.IOVA)
					}
				}
				held = append(held, m)
			},
			"free": func(t *rapid.T) {
				if len(held) == 0 {
					t.Skip("nothing to free")
				}
				free(rapid.IntRange(0, len(held)-1).Draw(t, "which"))
			},
			"foreign": func(t *rapid.T) {
				a.Free(Memory{Bytes: make([]byte, 128), IOVA: rapid.Uint64Range(0, 1<<30-1).Draw(t, "iova")})
			},
			"": func(t *rapid.T) {
				if a.Held() != len(src.out) || a.Held() > len(held) {
					t.Fatalf("%d pages held, %d taken, %d allocations", a.Held(), len(src.out), len(held))
				}
			},
		})
		for len(held) > 0 {
			free(len(held) - 1)
		}
		if a.Held() != 0 || len(src.out) != 0 {
			t.Fatalf("empty arena holds %d pages", a.Held())
		}
	})
}

func TestArenaMergesNeighbours(t *testing.T) {
	for _, order := range [][3]int{{0, 1, 2}, {2, 1, 0}, {0, 2, 1}, {1, 0, 2}} {
		a := NewArena(newFake(4096, 1))
		var m [4]Memory
		for i := range m {
			m[i], _ = a.Alloc(1024, 0)
		}
		for _, i := range order {
			a.Free(m[i])
		}
		if _, err := a.Alloc(3072, 0); err != nil {
			t.Errorf("after freeing %v: %v", order, err)
		}
	}
}

func TestArenaDoubleFree(t *testing.T) {
	a := NewArena(newFake(4096, 1))
	keep, _ := a.Alloc(1024, 0)
	m, _ := a.Alloc(1024, 0)
	a.Free(m)
	a.Free(m)
	a.Free(Memory{Bytes: make([]byte, 4096), IOVA: keep.IOVA + 1024})
	a.Free(Memory{Bytes: make([]byte, 128), IOVA: keep.IOVA + 1})
	x, err := a.Alloc(3072, 0)
	if err != nil || x.IOVA != keep.IOVA+1024 {
		t.Errorf("got %#x, %v", x.IOVA, err)
	}
	if _, err := a.Alloc(128, 0); !errors.Is(err, ErrNoMemory) {
		t.Errorf("a free of free memory made room: %v", err)
	}
}

func TestArenaRefuses(t *testing.T) {
	src := newFake(4096, 1)
	a := NewArena(src)
	for _, c := range [][2]int{{0, 0}, {-1, 0}, {1, 3}, {1, -128}, {1, math.MinInt}} {
		if _, err := a.Alloc(c[0], c[1]); err == nil {
			t.Errorf("Alloc(%d, %d) worked", c[0], c[1])
		}
	}
	for _, c := range [][2]int{{4097, 0}, {math.MaxInt, 0}, {1, 8192}} {
		if _, err := a.Alloc(c[0], c[1]); !errors.Is(err, ErrNoMemory) {
			t.Errorf("Alloc(%d, %d): %v", c[0], c[1], err)
		}
	}
	if a.Held() != 0 || src.left != 1 {
		t.Error("a refused allocation keeps a page")
	}
	src.next += 128 // a page that is not aligned to its size
	if _, err := a.Alloc(4096, 4096); !errors.Is(err, ErrNoMemory) || a.Held() != 0 || src.left != 1 {
		t.Errorf("misaligned page: %v, %d pages held", err, a.Held())
	}
}

func TestArenaClose(t *testing.T) {
	src := newFake(4096, 2)
	a := NewArena(src)
	m, _ := a.Alloc(4096, 0)
	_, _ = a.Alloc(128, 0)
	if err := a.Close(); err != nil || len(src.out) != 0 || a.Held() != 0 {
		t.Errorf("closed: %v, %d pages out", err, len(src.out))
	}
	a.Free(m) // too late, and harmless
	if a.MaxAlloc() != 4096 || a.Domain() != any(src) {
		t.Error("MaxAlloc or Domain is not the source's")
	}
}
