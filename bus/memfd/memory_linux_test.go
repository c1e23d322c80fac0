package memfd

import (
	"errors"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/dma"
)

// each has a test run on a memory of the test's own, of each kind of pages where the machine has it.
func each(t *testing.T, do func(t *testing.T, m *Memory)) {
	for name, huge := range map[string]bool{"huge": true, "ordinary": false} {
		t.Run(name, func(t *testing.T) {
			m, err := create(huge)
			if err == nil {
				err = m.grow()
			}
			if huge && err != nil {
				t.Logf("no huge pages here, which is what newMemory finds: %v", err)
				if m != nil {
					_ = m.close()
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			do(t, m)
			if err := errors.Join(m.arena.Close(), m.close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// Another mapping of the file sees what is written at an allocation's IOVA, wherever the memory has grown to.
func TestShared(t *testing.T) {
	each(t, func(t *testing.T, m *Memory) {
		_, r := m.Watch(func(Region) {})
		pages := int(r.Size/pageSize) + 1 // it has to grow
		if !m.huge {
			pages = 3
		}
		for i := range pages {
			got, err := m.arena.Alloc(pageSize, pageSize)
			if errors.Is(err, dma.ErrNoHugePages) {
				t.Logf("no more than %d huge pages", i)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got.Bytes[17] = byte(i + 1)
			other, err := unix.Mmap(int(m.File().Fd()), int64(got.IOVA-Base), pageSize, unix.PROT_READ, unix.MAP_SHARED)
			if err != nil {
				t.Fatal(err)
			}
			if other[17] != byte(i+1) {
				t.Errorf("page %d: the other side reads %d", i, other[17])
			}
			if err := unix.Munmap(other); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Others hear of new memory before it is handed out, and no more once they have stopped.
func TestGrowth(t *testing.T) {
	m, err := create(false)
	if err != nil {
		t.Fatal(err)
	}
	defer m.close()
	var told Region
	calls := 0
	w, r := m.Watch(func(r Region) { told, calls = r, calls+1 })
	if r.Size != 0 || r.IOVA != Base {
		t.Errorf("it begins with %+v", r)
	}
	page := func() dma.Memory {
		t.Helper()
		p, err := m.Page()
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	first := page()
	if calls != 1 || first.IOVA < told.IOVA || first.IOVA+pageSize > told.IOVA+told.Size {
		t.Errorf("page %#x, told %d times: %+v", first.IOVA, calls, told)
	}
	m.used = m.used[:1] // as if all were in use
	second := page()
	if calls != 2 || second.IOVA == first.IOVA || second.IOVA+pageSize > told.IOVA+told.Size {
		t.Errorf("page %#x, told %d times: %+v", second.IOVA, calls, told)
	}
	if err := m.Release(first); err != nil {
		t.Error(err)
	}
	if err := m.Release(first); err == nil {
		t.Error("a page was released twice")
	}
	if p := page(); p.IOVA != first.IOVA {
		t.Errorf("page %#x instead of the one released", p.IOVA)
	}
	w.Stop()
	for i := range m.used {
		m.used[i] = true
	}
	if page(); calls != 2 {
		t.Error("told after the end")
	}
	if err := m.Release(dma.Memory{IOVA: 0}); err == nil {
		t.Error("a page below the first was released")
	}
}

// Whoever has the file cannot make it shorter.
func TestSealed(t *testing.T) {
	each(t, func(t *testing.T, m *Memory) {
		if err := unix.Ftruncate(int(m.File().Fd()), pageSize); !errors.Is(err, unix.EPERM) {
			t.Errorf("the file was cut: %v", err)
		}
	})
}

// All who attach have the same memory, which goes with the last of them.
func TestAttach(t *testing.T) {
	files := func() int {
		d, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(d)
	}
	before := files()
	a, err := Attach()
	if err != nil {
		t.Fatal(err)
	}
	b, err := Attach()
	if err != nil {
		t.Fatal(err)
	}
	if a != b || a.Arena().Domain() != b.Domain() {
		t.Error("two memories")
	}
	if _, err := a.Arena().Alloc(100, 0); err != nil {
		t.Error(err)
	}
	if err := a.Detach(); err != nil {
		t.Error(err)
	}
	if files() == before {
		t.Error("the memory went with the first of two")
	}
	if err := b.Detach(); err != nil {
		t.Error(err)
	}
	if n := files(); n != before {
		t.Errorf("%d files open, %d before", n, before)
	}
}
