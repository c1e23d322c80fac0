package forward

import "glassnic/packet"

// releaser frees frames into a worker's cache of one pool; those of other pools are freed without one.
type releaser struct {
	cache *packet.Cache
	pool  uint32
}

func newReleaser(p *packet.Pool) *releaser { return &releaser{cache: p.NewCache(), pool: p.ID()} }

// free frees frames with all their buffers.
func (r *releaser) free(frames []*packet.Buf) {
	for len(frames) > 0 {
		n := 0
		for n < len(frames) && frames[n].PoolID() == r.pool && frames[n].Flags()&packet.Chained == 0 {
			n++
		}
		if n == 0 {
			packet.Free(frames[:1])
			n = 1
		} else {
			r.cache.Put(frames[:n])
		}
		frames = frames[n:]
	}
}

// copier copies frames into buffers that the other port's card can reach.
type copier struct {
	out    *packet.Cache
	in     *releaser
	copies []*packet.Buf
}

func newCopier(out *packet.Pool, batch int, in *releaser) *copier {
	return &copier{out: out.NewCache(), in: in, copies: make([]*packet.Buf, batch)}
}

func (c *copier) flush() {
	c.out.Flush()
	c.in.cache.Flush()
}

// copy returns copies of those frames for which there are buffers, in order, and frees all of frames.
// There are no more copies than frames; they are valid until the next call.
func (c *copier) copy(frames []*packet.Buf) []*packet.Buf {
	got := copy(c.copies, c.out.Take(len(frames)))
	n := 0
	for _, b := range frames {
		if n == got {
			break
		}
		if c.fill(c.copies[n], b) {
			n++
		}
	}
	c.out.Put(c.copies[n:got])
	c.in.free(frames)
	return c.copies[:n]
}

// fill makes dst a copy of a frame, with further buffers where it is longer than one. It tells whether
// there were enough; if not, dst is empty.
func (c *copier) fill(dst, src *packet.Buf) bool {
	dst.Reset()
	if src.Flags()&packet.Chained == 0 && dst.SetBytes(src.Bytes()) {
		describe(dst, src)
		return true
	}
	last := dst
	for s := src; s != nil; s = s.Next() {
		for data := s.Bytes(); len(data) > 0; {
			free := c.out.Pool().Room() - last.Len()
			if free == 0 {
				next := c.out.Take(1)
				if len(next) == 0 {
					packet.Free([]*packet.Buf{dst.Next()})
					dst.Reset()
					return false
				}
				next[0].Reset()
				last.SetNext(next[0])
				last = next[0]
				continue
			}
			k := min(free, len(data))
			copy(last.Append(k), data)
			data = data[k:]
		}
	}
	describe(dst, src)
	return true
}

// describe copies what is known of a frame besides its bytes.
func describe(dst, src *packet.Buf) {
	dst.SetFlags(src.Flags() &^ packet.Chained)
	if src.Flags()&packet.HasHash != 0 {
		dst.SetHash(src.Hash())
	}
	if tci, ok := src.VLAN(); ok {
		dst.SetVLAN(tci)
	}
	if ns, ok := src.Timestamp(); ok {
		dst.SetTimestamp(ns)
	}
}
