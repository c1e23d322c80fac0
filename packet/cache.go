package packet

// MaxTake is the most buffers that one Take hands out.
const MaxTake = 256

// Cache is one owner's stock of free buffers of a pool: a ring's, a worker's. It has two magazines, so
// that one who takes and gives by turns changes between them and leaves the store alone. Buffers that
// were freed last come out first. A Cache is not safe for concurrent use; different caches of a pool are.
type Cache struct {
	pool   *Pool
	loaded magazine
	spare  magazine // full or empty
}

// magazine is a block of the store in the hands of one owner: refs[:n] are free buffers.
type magazine struct {
	refs  []Ref // a block long; nil where there is no block
	n     int
	block uint32
}

func (m *magazine) full() bool { return m.n == len(m.refs) }

// NewCache returns an empty cache of the pool, which may have up to 500 at a time. The owner flushes it
// at the end.
func (p *Pool) NewCache() *Cache { return &Cache{pool: p} }

// Pool returns the pool whose buffers the cache holds.
func (c *Cache) Pool() *Pool { return c.pool }

// Take hands out up to n buffers: fewer where a magazine ends, none where the pool has no more. The
// slice belongs to the cache and is valid until the caller uses the cache again. The buffers' spans are
// what the last owner left.
func (c *Cache) Take(n int) []*Buf {
	if c.loaded.n == 0 && !c.load() {
		return nil
	}
	m := &c.loaded
	out := bufs(m.refs[max(m.n-n, 0):m.n])
	m.n -= len(out)
	checkTake(out)
	return out
}

// Fill takes buffers for all of batch and returns how many it got, fewer only where the pool has no
// more.
func (c *Cache) Fill(batch []*Buf) int {
	n := 0
	for n < len(batch) {
		got := c.Take(len(batch) - n)
		if len(got) == 0 {
			break
		}
		n += copy(batch[n:], got)
	}
	return n
}

// load replaces an empty magazine by one with buffers. It reports whether there is one.
func (c *Cache) load() bool {
	c.loaded, c.spare = c.spare, c.loaded
	if c.loaded.n > 0 {
		return true
	}
	s := &c.pool.store
	m, ok := s.pop(&s.full)
	if !ok {
		return c.pool.lend(c)
	}
	m.n = len(m.refs)
	s.push(&s.empty, c.loaded)
	c.loaded = m
	return true
}

// Put takes buffers back that are of this pool, each a whole frame of one buffer or a part of a
// frame that has been taken apart.
func (c *Cache) Put(bufs []*Buf) {
	checkPut(c.pool, bufs)
	c.add(Refs(bufs))
}

func (c *Cache) add(refs []Ref) {
	for len(refs) > 0 {
		if c.loaded.full() && !c.unload() {
			return
		}
		k := copy(c.loaded.refs[c.loaded.n:], refs)
		c.loaded.n += k
		refs = refs[k:]
	}
}

// unload replaces a full magazine by one with room. There is one unless too many caches live or buffers
// were freed twice; Close reports what is lost then.
func (c *Cache) unload() bool {
	c.loaded, c.spare = c.spare, c.loaded
	if !c.loaded.full() {
		return true
	}
	s := &c.pool.store
	s.push(&s.full, c.loaded)
	var ok bool
	c.loaded, ok = s.pop(&s.empty)
	return ok
}

// held is the number of buffers in the cache.
func (c *Cache) held() int { return c.loaded.n + c.spare.n }

// settle puts full magazines back into the store, where the other caches find them.
func (c *Cache) settle() {
	s := &c.pool.store
	for _, m := range []*magazine{&c.loaded, &c.spare} {
		if m.full() {
			s.push(&s.full, *m)
			*m = magazine{}
		}
	}
}

// Flush gives all buffers back to the pool. The cache may be used again.
func (c *Cache) Flush() {
	c.settle()
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range []*magazine{&c.loaded, &c.spare} {
		p.shared.add(m.refs[:m.n])
		p.shared.settle()
		p.store.push(&p.store.empty, *m)
		*m = magazine{}
	}
}
