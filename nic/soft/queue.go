package soft

import (
	"sync/atomic"

	"glassnic/packet"
)

// Rx is the part of a receive queue that has to do with buffers. It belongs to the queue's worker, except the counters.
type Rx struct {
	pool    *packet.Pool
	cache   *packet.Cache
	span    packet.Span // of an empty buffer
	longest int

	packets, bytes, noBuffer atomic.Uint64
	// Errors counts frames that were longer than the port allows, and others that were damaged; Dropped those that
	// made no sense.
	Errors, Dropped atomic.Uint64
}

func newRx(pool *packet.Pool, port uint8, longest int) *Rx {
	return &Rx{pool: pool, cache: pool.NewCache(), span: packet.MakeSpan(packet.Headroom, 0, pool.Flags()|packet.PortFlags(port)), longest: longest}
}

// Longest is how many bytes a frame may have.
func (q *Rx) Longest() int { return q.longest }

// Take hands out an empty buffer; nil, and counted, where the pool has none. What is not delivered is given back with
// Put.
func (q *Rx) Take() *packet.Buf {
	got := q.cache.Take(1)
	if len(got) == 0 {
		q.noBuffer.Add(1)
		return nil
	}
	got[0].SetSpan(q.span)
	return got[0]
}

// TakeSome hands out up to n buffers, whose spans are what the last owner left, as packet.Cache.Take does; none, and
// counted, where the pool has none. The slice is valid until the queue's next call.
func (q *Rx) TakeSome(n int) []*packet.Buf {
	got := q.cache.Take(n)
	if len(got) == 0 {
		q.noBuffer.Add(1)
	}
	return got
}

// Put takes a buffer back.
func (q *Rx) Put(b *packet.Buf) {
	one := [1]*packet.Buf{b}
	q.cache.Put(one[:])
}

// Copy makes a frame of the bytes of its parts, in as many buffers as it takes; nil, and counted, where the pool does
// not have them.
func (q *Rx) Copy(parts ...[]byte) *packet.Buf {
	first := q.Take()
	last := first
	for _, data := range parts {
		for len(data) > 0 && first != nil {
			room := q.pool.Room() - last.Len()
			if room == 0 {
				next := q.Take()
				if next == nil {
					packet.Free([]*packet.Buf{first})
					return nil
				}
				last.SetNext(next)
				last = next
				continue
			}
			k := min(room, len(data))
			copy(last.Append(k), data)
			data = data[k:]
		}
	}
	return first
}

// Count counts frames that were received.
func (q *Rx) Count(packets, bytes int) {
	if packets > 0 {
		q.packets.Add(uint64(packets))
		q.bytes.Add(uint64(bytes))
	}
}

// UseCache implements nic.CacheUser.
func (q *Rx) UseCache(c *packet.Cache) bool {
	if c != nil && c.Pool() != q.pool {
		return false
	}
	q.cache.Flush()
	if q.cache = c; c == nil {
		q.cache = q.pool.NewCache()
	}
	return true
}

// Tx is the part of a transmit queue that has to do with buffers. It belongs to the queue's worker, except the counters.
type Tx struct {
	pool    *packet.Pool
	cache   *packet.Cache
	longest int

	packets, bytes atomic.Uint64
	// Dropped counts frames that were taken and not fit to be sent.
	Dropped atomic.Uint64
}

func newTx(pool *packet.Pool, longest int) *Tx {
	return &Tx{pool: pool, cache: pool.NewCache(), longest: longest}
}

// Longest is how many bytes a frame may have.
func (q *Tx) Longest() int { return q.longest }

// Fit makes a frame complete, as no card does, and tells whether it can be sent.
func (q *Tx) Fit(b *packet.Buf) bool {
	if b.Flags()&packet.TxMask != 0 && !b.Complete(packet.TxMask) {
		return false
	}
	n := b.Len()
	if b.Flags()&packet.Chained != 0 {
		n = b.TotalLen()
	}
	return n >= 14 && n <= q.longest
}

// Done gives frames back that are sent or dropped.
func (q *Tx) Done(frames []*packet.Buf) {
	pool := q.cache.Pool().ID()
	for len(frames) > 0 {
		n := 0
		for n < len(frames) && frames[n].PoolID() == pool && frames[n].Flags()&packet.Chained == 0 {
			n++
		}
		if n == 0 {
			packet.Free(frames[:1])
			n = 1
		} else {
			q.cache.Put(frames[:n])
		}
		frames = frames[n:]
	}
}

// Count counts frames that were sent.
func (q *Tx) Count(packets, bytes int) {
	if packets > 0 {
		q.packets.Add(uint64(packets))
		q.bytes.Add(uint64(bytes))
	}
}

// UseCache implements nic.CacheUser.
func (q *Tx) UseCache(c *packet.Cache) bool {
	q.cache.Flush()
	if q.cache = c; c == nil {
		q.cache = q.pool.NewCache()
	}
	return true
}
