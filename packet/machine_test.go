package packet

import (
	"testing"

	"pgregory.net/rapid"
)

// TestPoolMachine drives a pool and three caches through random sequences: no buffer is in two hands, and
// none is lost.
func TestPoolMachine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 700).Draw(t, "buffers")
		mem := newMemory(rapid.IntRange(384, 1<<16).Draw(t, "piece"), 1<<30)
		p, err := NewPool(mem, PoolConfig{Buffers: n, Room: 64})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if t.Failed() {
				_ = p.release() // its number is needed again
			}
		}()
		caches := []*Cache{p.NewCache(), p.NewCache(), p.NewCache()}
		var out []*Buf // in the test's hands
		held := map[*Buf]bool{}
		hold := func(t *rapid.T, bufs []*Buf) {
			for _, b := range bufs {
				if held[b] {
					t.Fatalf("buffer %#x is in two hands", b.index)
				}
				held[b] = true
				b.SetBytes([]byte{1, 2, 3})
			}
			out = append(out, bufs...)
		}
		release := func(t *rapid.T) []*Buf {
			k := rapid.IntRange(0, len(out)).Draw(t, "give")
			at := rapid.IntRange(0, len(out)-k).Draw(t, "from")
			bufs := append([]*Buf(nil), out[at:at+k]...)
			out = append(out[:at], out[at+k:]...)
			for _, b := range bufs {
				delete(held, b)
			}
			return bufs
		}
		cache := func(t *rapid.T) *Cache { return caches[rapid.IntRange(0, 2).Draw(t, "cache")] }
		inCaches := func() int {
			k := 0
			for _, c := range caches {
				k += c.held()
			}
			return k
		}
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				k, c := rapid.IntRange(0, 600).Draw(t, "n"), cache(t)
				reachable := p.Available() + c.held()
				got := take(c, k)
				if want := min(k, reachable); len(got) != want {
					t.Fatalf("Take(%d) with %d in reach gave %d", k, reachable, len(got))
				}
				hold(t, got)
			},
			"put":   func(t *rapid.T) { cache(t).Put(release(t)) },
			"flush": func(t *rapid.T) { cache(t).Flush() },
			"alloc": func(t *rapid.T) {
				batch := make([]*Buf, rapid.IntRange(0, 700).Draw(t, "n"))
				reachable := p.Available()
				k := p.Alloc(batch)
				if k != min(len(batch), reachable) {
					t.Fatalf("Alloc of %d with %d in reach gave %d", len(batch), reachable, k)
				}
				hold(t, batch[:k])
			},
			"free": func(t *rapid.T) { Free(release(t)) },
			"free a chain": func(t *rapid.T) {
				bufs := release(t)
				for i := range max(len(bufs)-1, 0) {
					bufs[i].SetNext(bufs[i+1])
				}
				Free(bufs[:min(1, len(bufs))])
			},
			"": func(t *rapid.T) {
				if sum := p.Available() + inCaches() + len(out); sum != p.Len() {
					t.Fatalf("%d buffers of %d: %d available, %d in caches, %d out", sum, p.Len(), p.Available(), inCaches(), len(out))
				}
			},
		})
		Free(out)
		for _, c := range caches {
			c.Flush()
		}
		if err := p.Close(); err != nil || len(mem.live) != 0 {
			t.Fatalf("Close: %v, %d pieces left", err, len(mem.live))
		}
	})
}
