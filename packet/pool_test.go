package packet

import (
	"errors"
	"strings"
	"testing"

	"glassnic/bus/dma"
)

func TestAllocAndFree(t *testing.T) {
	p, mem := newPool(t, PoolConfig{Buffers: 1000})
	if p.Len() != 1024 || p.Room() != DefaultRoom || p.Domain() != any(mem) {
		t.Fatalf("%d buffers of %d bytes", p.Len(), p.Room())
	}
	batch := make([]*Buf, 2000)
	out := 0
	for _, n := range []int{0, 1, 63, 64, 65, 300, 513} {
		if got := p.Alloc(batch[out : out+n]); got != n {
			t.Fatalf("Alloc of %d returned %d", n, got)
		}
		out += n
		if free := p.Available(); free != p.Len()-out {
			t.Fatalf("%d available, want %d", free, p.Len()-out)
		}
	}
	if got := p.Alloc(batch[out:]); got != 1024-out {
		t.Fatalf("the rest is %d, want %d", got, 1024-out)
	}
	if got := p.Alloc(batch[1024:]); got != 0 || p.Available() != 0 {
		t.Fatalf("an exhausted pool gave %d", got)
	}
	if got := len(p.NewCache().Take(1)); got != 0 {
		t.Fatalf("an exhausted pool gave a cache %d", got)
	}
	for n := 1024; n > 0; n -= 128 {
		Free(batch[n-128 : n])
		if free := p.Available(); free != 1024-n+128 {
			t.Fatalf("%d available, want %d", free, 1024-n+128)
		}
	}
}

func TestAllocResets(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	var b [64]*Buf
	for range 2 {
		if p.Alloc(b[:]) != 64 {
			t.Fatal("not all buffers")
		}
		for _, b := range b {
			if b.Span() != MakeSpan(Headroom, 0, p.Flags()) {
				t.Fatalf("span %#x", uint64(b.Span()))
			}
			b.SetBytes([]byte("something"))
			b.SetHash(1)
		}
		Free(b[:])
	}
}

func TestPoolLimits(t *testing.T) {
	mem := newMemory(2<<20, 1<<30)
	for _, c := range []struct {
		cfg  PoolConfig
		want string
	}{
		{PoolConfig{Buffers: -1}, "-1 buffers"},
		{PoolConfig{Buffers: 1 << 24}, "16777216 buffers"},
		{PoolConfig{Room: -1}, "-1 bytes"},
		{PoolConfig{Room: 63}, "63 bytes"},
		{PoolConfig{Room: MaxRoom + 1}, "16385 bytes"},
	} {
		if _, err := NewPool(mem, c.cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}

func TestTinyAllocators(t *testing.T) {
	const stride = 2176 // of the default room
	for _, c := range []struct {
		most, budget int
		ok           bool
	}{
		{stride, 64 * stride, true}, // a piece for each buffer
		{3*stride - 1, 64 * stride, true},
		{1 << 30, 64 * stride, true},
		{stride - 1, 1 << 30, false},
		{0, 1 << 30, false},
		{stride, 64*stride - 1, false}, // the last buffer does not fit
		{1 << 30, 0, false},
	} {
		mem := newMemory(c.most, c.budget)
		p, err := NewPool(mem, PoolConfig{Buffers: 64})
		if (err == nil) != c.ok {
			t.Errorf("pieces of %d, %d in all: %v", c.most, c.budget, err)
		}
		if err != nil {
			if !errors.Is(err, dma.ErrNoMemory) {
				t.Errorf("%v does not wrap ErrNoMemory", err)
			}
			if len(mem.live) != 0 || mem.budget != c.budget {
				t.Errorf("pieces of %d: %d pieces left behind", c.most, len(mem.live))
			}
			continue
		}
		batch := make([]*Buf, 65)
		if n := p.Alloc(batch); n != 64 {
			t.Errorf("pieces of %d: %d buffers", c.most, n)
		}
		Free(batch)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestClose(t *testing.T) {
	mem := newMemory(2<<20, 1<<30)
	p, err := NewPool(mem, PoolConfig{Buffers: 64})
	if err != nil {
		t.Fatal(err)
	}
	var b [1]*Buf
	p.Alloc(b[:])
	c := p.NewCache()
	c.Put(append([]*Buf(nil), c.Take(5)...)) // the cache holds a block of 32
	err = p.Close()
	if !errors.Is(err, ErrLeaked) || !strings.Contains(err.Error(), "33 of 64") {
		t.Errorf("Close with one buffer out and the others in a cache: %v", err)
	}
	c.Flush()
	if err = p.Close(); !errors.Is(err, ErrLeaked) || !strings.Contains(err.Error(), "1 of 64") {
		t.Errorf("Close with one buffer out: %v", err)
	}
	if len(mem.live) == 0 || !b[0].SetBytes([]byte("still usable")) {
		t.Error("the memory of a buffer that is out was given back")
	}
	Free(b[:])
	if err := p.Close(); err != nil || len(mem.live) != 0 {
		t.Errorf("Close: %v, %d pieces left", err, len(mem.live))
	}

	// A second Close must not hit the pool that has the number now.
	q, _ := newPool(t, PoolConfig{Buffers: 64})
	if err := p.Close(); err == nil {
		t.Error("closed twice without an error")
	}
	if PoolOf(one(t, q)) != q {
		t.Error("a second Close took another pool's number away")
	}
}

func TestManyPools(t *testing.T) {
	mem := newMemory(2<<20, 1<<30)
	var all []*Pool
	ids := map[uint32]bool{}
	for {
		p, err := NewPool(mem, PoolConfig{Buffers: 64, Room: 64})
		if err != nil {
			if !strings.Contains(err.Error(), "255 pools") {
				t.Error(err)
			}
			break
		}
		all = append(all, p)
		ids[p.ID()] = true
	}
	if len(all) != 255 || len(ids) != 255 {
		t.Errorf("%d pools with %d numbers, want 255", len(all), len(ids))
	}
	pieces := len(mem.live)
	// One Free takes buffers of all of them.
	var batch []*Buf
	for _, p := range all {
		var b [1]*Buf
		if p.Alloc(b[:]) != 1 || PoolOf(b[0]) != p || b[0].PoolID() != p.ID() {
			t.Fatal("buffer of the wrong pool")
		}
		batch = append(batch, b[0])
	}
	Free(batch)
	if err := all[100].Close(); err != nil {
		t.Error(err)
	}
	again, err := NewPool(mem, PoolConfig{Buffers: 64, Room: 64})
	if err != nil || again.ID() != all[100].ID() {
		t.Fatalf("the number of a closed pool is not used again: %v", err)
	}
	all[100] = again
	if len(mem.live) != pieces {
		t.Errorf("%d pieces, want %d", len(mem.live), pieces)
	}
	for _, p := range all {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
