package packet

// MaxTake is the most buffers that one Take hands out.
const MaxTake = 512

// Cache is one owner's stock of free buffers of a pool: a ring's, a worker's. Buffers that it frees
// last come out first. A Cache is not safe for concurrent use; different caches of a pool are.
type Cache struct {
	pool *Pool
	bufs []*Buf // bufs[:n] are free
	n    int
}

// NewCache returns an empty cache of the pool. The owner flushes it at the end.
func (p *Pool) NewCache() *Cache {
	return &Cache{pool: p, bufs: make([]*Buf, MaxTake+3*blockSize)}
}

// Pool returns the pool whose buffers the cache holds.
func (c *Cache) Pool() *Pool { return c.pool }

// Take hands out up to n buffers, at most MaxTake, fewer where the pool has no more. The slice
// belongs to the cache: the caller copies what it needs before it calls the cache again. The
// buffers' spans are what the last owner left.
func (c *Cache) Take(n int) []*Buf {
	out := c.Offer(n)
	checkTake(out)
	c.n -= len(out)
	return out
}

// Offer shows up to n buffers as Take would hand them out, but leaves them in the cache until
// Accept: for rings that know only afterwards how many they need.
func (c *Cache) Offer(n int) []*Buf {
	n = min(n, MaxTake)
	if c.n < n {
		c.refill(n)
		n = min(n, c.n)
	}
	return c.bufs[c.n-n : c.n]
}

// Accept takes the first k buffers of what Offer just showed. The slice that Offer returned changes:
// the caller has copied them.
func (c *Cache) Accept(offer []*Buf, k int) {
	checkTake(offer[:k])
	if k < len(offer) {
		copy(offer, offer[k:])
	}
	c.n -= k
}

// refill gets blocks from the store until there are n buffers or no more blocks.
func (c *Cache) refill(n int) {
	for c.n < n {
		if !c.pool.store.take(c.bufs[c.n : c.n+blockSize]) {
			c.pool.lend(c, n)
			return
		}
		c.n += blockSize
	}
}

// lend moves what those without a cache have freed, less than a block, to c.
func (p *Pool) lend(c *Cache, n int) {
	if c == &p.shared {
		return
	}
	p.mu.Lock()
	k := min(n-c.n, p.shared.n)
	copy(c.bufs[c.n:], p.shared.bufs[p.shared.n-k:p.shared.n])
	p.shared.n -= k
	p.mu.Unlock()
	c.n += k
}

// Put takes buffers back that are of this pool, each a whole frame of one buffer or a part of a
// frame that has been taken apart.
func (c *Cache) Put(bufs []*Buf) {
	checkPut(bufs)
	for len(bufs) > 0 {
		k := copy(c.bufs[c.n:], bufs)
		c.n += k
		bufs = bufs[k:]
		c.spill(2 * blockSize)
	}
}

// put takes one buffer back.
func (c *Cache) put(b *Buf) { c.Put([]*Buf{b}) }

// spill gives whole blocks to the store until at most keep buffers are left.
func (c *Cache) spill(keep int) {
	for c.n > keep && c.n >= blockSize {
		c.pool.store.give(c.bufs[c.n-blockSize : c.n])
		c.n -= blockSize
	}
}

// settle keeps less than a block, so that the other caches find the rest.
func (c *Cache) settle() { c.spill(blockSize - 1) }

// Flush gives all buffers back to the pool. The cache may be used again.
func (c *Cache) Flush() {
	c.spill(0)
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shared.n += copy(p.shared.bufs[p.shared.n:], c.bufs[:c.n])
	c.n = 0
	p.shared.settle()
}
