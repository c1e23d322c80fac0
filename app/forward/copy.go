package forward

import "glassnic/packet"

// free frees frames with all their buffers: into a worker's cache where they are of its pool, otherwise
// without one.
func free(c *packet.Cache, frames []*packet.Buf) {
	pool := c.Pool().ID()
	for len(frames) > 0 {
		n := 0
		for n < len(frames) && frames[n].PoolID() == pool && frames[n].Flags()&packet.Chained == 0 {
			n++
		}
		if n == 0 {
			packet.Free(frames[:1])
			n = 1
		} else {
			c.Put(frames[:n])
		}
		frames = frames[n:]
	}
}

// copier copies frames into buffers that the other port's card can reach.
type copier struct {
	in, out *packet.Cache // of the two ports' pools
	copies  []*packet.Buf
}

// copy returns copies of those frames for which there are buffers, in order, and frees all of frames.
// There are no more copies than frames; they are valid until the next call.
func (c *copier) copy(frames []*packet.Buf) []*packet.Buf {
	got := c.out.Fill(c.copies[:len(frames)])
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
	free(c.in, frames)
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
	if start, offset, ok := src.Checksum(); ok {
		dst.SetChecksum(start, offset)
	}
	if n, ok := src.SegmentSize(); ok {
		dst.SetSegmentSize(n)
	}
	if ns, ok := src.Timestamp(); ok {
		dst.SetTimestamp(ns)
	}
}
