package afxdp

import (
	"golang.org/x/sys/unix"

	"glassnic/nic/soft"
	"glassnic/packet"
)

const (
	// maxBatch is how many frames one call of Send takes at most.
	maxBatch = 256
	// kickPart is how many frames one system call sends where the kernel copies (net/xdp/xsk.c: TX_BATCH_SIZE).
	kickPart = 32
	// sendBuffer is how many bytes of copies may be on their way through the kernel.
	sendBuffer = 4 << 20
	// minTx is the shortest frame, an Ethernet header.
	minTx = 14
	// sizeMask takes from a span the length and those flags that are zero in a frame of one buffer
	// of the right pool.
	sizeMask = 0xffff | uint64(packet.TxMask)<<16
)

// txQueue sends by a socket.
type txQueue struct {
	*soft.Tx
	*socket
	region *region
	pool   *packet.Pool // for copies
	most   int          // descriptors of a frame
	top    uint64       // bytes of the longest frame in one buffer, less minTx
	plain  packet.Span  // the number of the pool whose frames come, as spans of its buffers have it
	out    []packet.Ref // buffers that the kernel has, by their chunks
	used   int          // how many
	size   int          // of the rings
	next   uint32       // entry of the transmit ring that is written next
	clean  uint32       // entry of the completion ring that is read next
	down   bool         // the interface was, when last asked
	done   [64]*packet.Buf
}

func (q *txQueue) init(m *memory, size, most int) {
	q.region, q.pool, q.size, q.most = m.region, m.pool, size, most
	q.top = uint64(min(q.Longest(), chunkSize) - minTx)
	q.plain = packet.MakeSpan(0, 0, m.pool.Flags())
	q.out = make([]packet.Ref, len(m.mem)>>chunkShift)
}

// Send implements nic.TxQueue (af_xdp.rst, TX Ring). While the interface is down or gone, frames are dropped and
// counted; those that the kernel has by then are sent when it is up again.
func (q *txQueue) Send(batch []*packet.Buf) int {
	q.reclaim()
	batch = batch[:min(len(batch), maxBatch)]
	if q.down {
		if q.kick(); q.down {
			q.Dropped.Add(uint64(len(batch)))
			q.Done(batch)
			return len(batch)
		}
	}
	from := q.next
	n, sent, bytes := q.run(batch)
	for n < len(batch) {
		taken, size := q.special(batch[n])
		if !taken {
			break
		}
		if n++; size > 0 {
			sent++
			bytes += size
		}
		k, s, b := q.run(batch[n:])
		n, sent, bytes = n+k, sent+s, bytes+b
	}
	if q.next != from {
		q.tx.produce(q.next)
		q.Count(sent, bytes)
	}
	if q.tx.consumed() != q.next {
		q.kick()
	}
	return n
}

// run sends frames of one buffer each.
func (q *txQueue) run(batch []*packet.Buf) (n, sent, bytes int) {
	out, next, plain, top := q.out, q.next, q.plain, q.top
	batch = batch[:min(len(batch), q.size-q.used)]
	for _, b := range batch {
		s := b.Span() ^ plain
		// One comparison for all: any flag that is not as it should be makes the length huge.
		size := uint64(s) & sizeMask
		addr := b.IOVA()
		at := addr >> chunkShift
		if size-minTx > top || at >= uint64(len(out)) {
			break
		}
		d := q.tx.desc(next)
		d.addr, d.len, d.options = addr+s.Offset(), uint32(size), 0
		out[at].Set(b)
		next++
		n++
		bytes += int(size)
	}
	q.next = next
	q.used += n
	return n, n, bytes
}

// special sends a frame that run does not take: one in several buffers, or of another pool than the one before, or one
// that is not complete, or one that cannot be sent. It reports whether the frame was taken, and its length where it is
// sent.
func (q *txQueue) special(b *packet.Buf) (taken bool, size int) {
	if q.used == q.size {
		return false, 0
	}
	if !q.Fit(b) {
		q.drop(b)
		return true, 0
	}
	size = b.TotalLen()
	parts, inside := q.look(b)
	if !inside || parts > q.most {
		c := q.copy(b)
		if c == nil {
			return false, 0 // until buffers come back
		}
		// The copy has the fewest parts.
		if parts, inside = q.look(c); !inside || parts > q.most || parts > q.size-q.used {
			packet.Free([]*packet.Buf{c})
			if !inside || parts > q.most {
				q.drop(b)
				return true, 0
			}
			return false, 0
		}
		packet.Free([]*packet.Buf{b})
		b = c
	}
	if parts > q.size-q.used {
		return false, 0
	}
	q.plain = packet.MakeSpan(0, 0, packet.PoolOf(b).Flags())
	q.post(b, parts)
	return true, size
}

// look counts the buffers of a frame that hold something and tells whether all can be described to the kernel.
func (q *txQueue) look(b *packet.Buf) (parts int, inside bool) {
	inside = true
	for s := b; s != nil; s = s.Next() {
		if s.Len() > 0 {
			parts++
			inside = inside && packet.PoolOf(s).Domain() == any(q.region)
		}
	}
	return parts, inside
}

// copy copies a frame into buffers of the port's pool. It returns nil where there are none.
func (q *txQueue) copy(b *packet.Buf) *packet.Buf {
	var first, last *packet.Buf
	room := q.pool.Room()
	for s := b; s != nil; s = s.Next() {
		for data := s.Bytes(); len(data) > 0; {
			if last == nil || last.Len() == room {
				var one [1]*packet.Buf
				if q.pool.Alloc(one[:]) == 0 {
					packet.Free([]*packet.Buf{first})
					return nil
				}
				if last == nil {
					first = one[0]
				} else {
					last.SetNext(one[0])
				}
				last = one[0]
			}
			k := min(room-last.Len(), len(data))
			copy(last.Append(k), data)
			data = data[k:]
		}
	}
	return first
}

// post gives the kernel a frame in some buffers that hold something, and takes it apart.
func (q *txQueue) post(b *packet.Buf, parts int) {
	for s := b; s != nil; {
		next := s.Next()
		s.SetNext(nil)
		if s.Len() == 0 {
			q.give(s)
			s = next
			continue
		}
		parts--
		d := q.tx.desc(q.next)
		d.addr, d.len, d.options = s.IOVA()+s.Span().Offset(), uint32(s.Len()), 0
		if parts > 0 {
			d.options = unix.XDP_PKT_CONTD
		}
		q.out[s.IOVA()>>chunkShift].Set(s)
		q.next++
		q.used++
		s = next
	}
}

func (q *txQueue) drop(b *packet.Buf) {
	q.Dropped.Add(1)
	packet.Free([]*packet.Buf{b})
}

func (q *txQueue) give(b *packet.Buf) {
	one := [1]*packet.Buf{b}
	q.Done(one[:])
}

// kick has the kernel send what is in the ring, where it does not do so by itself. Where it copies, a call sends a part, and
// says EAGAIN. Linux before 6.17 may show only at a later call what it has taken from the ring; so calls that
// show nothing are made for as many frames as a batch has.
func (q *txQueue) kick() {
	for unseen := 0; q.tx.needsWakeup(); {
		before := q.tx.consumed()
		e := kickTx(q.fd)
		if q.down = e == unix.ENETDOWN || e == unix.ENXIO; q.down {
			return
		}
		switch now := q.tx.consumed(); {
		case now == q.next:
			return
		case now == before && e != unix.EINTR:
			if unseen++; e != unix.EAGAIN || unseen > maxBatch/kickPart {
				return // it has no room: later
			}
		}
	}
}

// reclaim gives buffers back that have been sent (af_xdp.rst, UMEM Completion Ring).
func (q *txQueue) reclaim() {
	end := q.completion.produced()
	if end == q.clean {
		return
	}
	n := 0
	for ; q.clean != end; q.clean++ {
		at := *q.completion.addr(q.clean) >> chunkShift
		if at >= uint64(len(q.out)) {
			continue
		}
		b := q.out[at].Buf()
		if b == nil {
			continue
		}
		q.out[at] = 0
		q.used--
		q.done[n] = b
		if n++; n == len(q.done) {
			q.Done(q.done[:])
			n = 0
		}
	}
	q.Done(q.done[:n])
	q.completion.consume(q.clean)
}

// release gives back what the kernel had.
func (q *txQueue) release() {
	for i := range q.out {
		if b := q.out[i].Buf(); b != nil {
			q.out[i] = 0
			q.give(b)
		}
	}
	q.used = 0
}

// UseCache implements nic.CacheUser.
func (q *txQueue) UseCache(c *packet.Cache) bool {
	if c != nil && c.Pool().Domain() != any(q.region) {
		return false
	}
	if !q.Tx.UseCache(c) {
		return false
	}
	if c != nil {
		q.plain = packet.MakeSpan(0, 0, c.Pool().Flags())
	}
	return true
}
