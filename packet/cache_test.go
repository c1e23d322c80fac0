package packet

import (
	"encoding/binary"
	"sync"
	"testing"
)

// take takes n buffers, or as many as there are.
func take(c *Cache, n int) []*Buf {
	all := make([]*Buf, n)
	return all[:c.Fill(all)]
}

func TestCacheOrder(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 256})
	c := p.NewCache()
	got := take(c, 40)
	if len(got) != 40 {
		t.Fatalf("took %d", len(got))
	}
	c.Put(got[:8])
	again := take(c, 8)
	for i := range again {
		if again[i] != got[i] {
			t.Fatal("the buffers freed last do not come first")
		}
	}
	c.Put(got[8:])
	c.Put(got[:8])
	c.Flush()
	if n := p.Available(); n != 256 {
		t.Errorf("%d available after Flush", n)
	}
}

func TestCacheTakesWhatThereIs(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 640})
	a, b := p.NewCache(), p.NewCache()
	first := take(a, 500)
	second := take(b, MaxTake)
	if len(first) != 500 || len(second) != 640-500-a.held() {
		t.Fatalf("took %d and %d of 640, %d in a cache", len(first), len(second), a.held())
	}
	first = append(first, take(a, 640)...)
	// Less than a block, freed without a cache, still reaches those with one.
	Free(second[:3])
	three := take(a, 5)
	if len(three) != 3 {
		t.Fatalf("took %d of 3", len(three))
	}
	a.Put(three)
	b.Put(second[3:])
	b.Put(first)
	again := take(a, MaxTake)
	if len(again) < MaxTake {
		t.Fatalf("what one cache gave back reaches another only as far as %d", len(again))
	}
	a.Put(again)
	a.Flush()
	b.Flush()
}

// TestCacheBounds: a cache keeps little, so that others find the rest.
func TestCacheBounds(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 4096})
	c := p.NewCache()
	var out []*Buf
	for len(out) < 4096 {
		out = append(out, take(c, MaxTake)...)
	}
	c.Put(out)
	if n := p.Available(); n < 4096-2*p.store.size {
		t.Errorf("%d of 4096 available: the cache keeps too many", n)
	}
	c.Flush()
}

// TestAcrossWorkers sends buffers round: each worker frees into its own cache what the one before it took
// from its own. A buffer in two hands at once would carry a wrong stamp, and -race would see it.
func TestAcrossWorkers(t *testing.T) {
	const workers, rounds, batch = 4, 1000, 16
	p, _ := newPool(t, PoolConfig{Buffers: 1024, Room: 64})
	var pipes [workers]chan []*Buf
	for i := range pipes {
		pipes[i] = make(chan []*Buf, 4)
	}
	verify := func(bufs []*Buf) {
		for _, b := range bufs {
			if v := binary.LittleEndian.Uint64(b.Bytes()); v != uint64(b.index) || b.Len() != 8 {
				t.Errorf("buffer %#x carries the stamp %#x", b.index, v)
			}
		}
	}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			c := p.NewCache()
			defer c.Flush()
			next := pipes[(w+1)%workers]
			for sent, received := 0, 0; sent < rounds || received < rounds; {
				var out []*Buf
				var to chan []*Buf // nil blocks
				if sent < rounds {
					to, out = next, append(out, c.Take(batch)...)
				}
				for _, b := range out {
					b.Reset()
					binary.LittleEndian.PutUint64(b.Append(8), uint64(b.index))
				}
				select {
				case to <- out:
					sent++
				case got := <-pipes[w]:
					verify(got)
					c.Put(got)
					c.Put(out)
					received++
				}
			}
		})
	}
	wg.Wait()
	if n := p.Available(); n != p.Len() {
		t.Errorf("%d of %d available", n, p.Len())
	}
}

// TestSharedAcrossWorkers does the same for those who have no cache.
func TestSharedAcrossWorkers(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 256, Room: 64})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			c := p.NewCache()
			defer c.Flush()
			var b [70]*Buf
			for i := range 500 {
				n := p.Alloc(b[:1+(i*7+w)%70])
				for _, b := range b[:n] {
					b.SetBytes([]byte{byte(w)})
				}
				for _, b := range b[:n] {
					if b.Bytes()[0] != byte(w) {
						t.Error("somebody else has this buffer too")
					}
				}
				if i%2 == 0 {
					Free(b[:n])
				} else {
					c.Put(b[:n])
				}
			}
		})
	}
	wg.Wait()
	if n := p.Available(); n != p.Len() {
		t.Errorf("%d of %d available", n, p.Len())
	}
}

func TestNoGoAllocations(t *testing.T) {
	if Checking {
		return // remembering call sites allocates
	}
	p, _ := newPool(t, PoolConfig{Buffers: 4096})
	c, d := p.NewCache(), p.NewCache()
	batch := make([]*Buf, 256)
	n := 0
	for name, f := range map[string]func(){
		"Take and Put":         func() { n = copy(batch, c.Take(32)); c.Put(batch[:n]) },
		"through the store":    func() { n = copy(batch, c.Take(256)); d.Put(batch[:n]) },
		"Alloc and Free":       func() { n = p.Alloc(batch[:32]); Free(batch[:n]) },
		"Flush":                func() { n = copy(batch, c.Take(100)); c.Put(batch[:n]); c.Flush() },
		"one buffer at a time": func() { n = copy(batch, c.Take(1)); d.Put(batch[:n]) },
	} {
		if allocs := testing.AllocsPerRun(500, f); allocs != 0 {
			t.Errorf("%s: %v allocations", name, allocs)
		}
	}
	if n < 1 || n > 256 {
		t.Errorf("took %d", n)
	}
	c.Flush()
	d.Flush()
}

func BenchmarkTakePut(b *testing.B) {
	p, _ := newPool(b, PoolConfig{Buffers: 4096})
	c, d := p.NewCache(), p.NewCache()
	batch := make([]*Buf, 32)
	for b.Loop() {
		d.Put(batch[:copy(batch, c.Take(32))])
	}
	c.Flush()
	d.Flush()
}
