package afxdp

import (
	"golang.org/x/sys/unix"

	"glassnic/nic/soft"
	"glassnic/packet"
)

// refill is how many buffers are worth a look at the fill ring.
const refill = 32

// rxQueue receives by a socket.
type rxQueue struct {
	*soft.Rx
	*socket
	wait  int          // what WaitFD returns
	span  packet.Span  // of an empty frame at the start of its buffer
	out   []packet.Ref // buffers that the kernel has, by their chunks
	given int          // how many
	size  int          // of the rings
	next  uint32       // entry of the receive ring that is read next
	put   uint32       // entry of the fill ring that is written next
	first *packet.Buf  // of a frame in several buffers of which the end is missing
	last  *packet.Buf
	busy  bool
	told  bool // there is metadata
	meta  metadata
	mem   []byte // UMEM
}

func (q *rxQueue) init(m *memory, port uint8, size int) {
	q.span = packet.MakeSpan(0, 0, m.pool.Flags()|packet.PortFlags(port))
	q.size = size
	q.out = make([]packet.Ref, len(m.mem)>>chunkShift)
	q.fillUp()
}

// Receive implements nic.RxQueue (af_xdp.rst, RX Ring).
func (q *rxQueue) Receive(batch []*packet.Buf) int {
	ready := int(q.rx.produced() - q.next)
	if ready == 0 {
		q.poll()
		return 0
	}
	n, bytes := q.run(batch, ready)
	q.rx.consume(q.next)
	if q.size-q.given >= refill {
		q.fillUp()
	}
	q.Count(n, bytes)
	return n
}

// run takes up to some entries of the receive ring.
func (q *rxQueue) run(batch []*packet.Buf, ready int) (n, bytes int) {
	out, next := q.out, q.next
	for n < len(batch) && ready > 0 {
		d := q.rx.desc(next)
		next++
		ready--
		addr, size, options := d.addr, uint64(d.len), d.options
		at := addr >> chunkShift
		if at >= uint64(len(out)) || out[at] == 0 {
			q.Dropped.Add(1)
			continue
		}
		b, off := out[at].Buf(), addr&(chunkSize-1)
		out[at] = 0
		q.given--
		if off+size > chunkSize {
			q.Dropped.Add(1)
			q.Put(b)
			continue
		}
		b.SetSpan(q.span + packet.SpanOffset(off) + packet.SpanLen(size))
		if q.told && q.first == nil {
			q.meta.read(b, q.mem[at<<chunkShift:][:off])
			size = uint64(b.Len()) // with the tag that was put back
		}
		if options&unix.XDP_PKT_CONTD != 0 || q.first != nil || size > uint64(q.Longest()) {
			if b = q.join(b, options&unix.XDP_PKT_CONTD == 0); b == nil {
				continue
			}
			size = uint64(b.TotalLen())
		}
		batch[n] = b
		n++
		bytes += int(size)
	}
	q.next = next
	return n, bytes
}

// join adds a buffer to the frame that was begun. It returns the frame with its last buffer, unless that is too long.
func (q *rxQueue) join(b *packet.Buf, end bool) *packet.Buf {
	if q.first == nil {
		q.first = b
	} else {
		q.last.SetNext(b)
	}
	q.last = b
	if !end {
		return nil
	}
	b = q.first
	q.first, q.last = nil, nil
	if b.TotalLen() > q.Longest() {
		q.Errors.Add(1)
		packet.Free([]*packet.Buf{b})
		return nil
	}
	return b
}

// fillUp gives the kernel empty buffers (af_xdp.rst, UMEM Fill Ring).
func (q *rxQueue) fillUp() {
	put := q.put
	for q.given < q.size {
		got := q.TakeSome(q.size - q.given)
		if len(got) == 0 {
			break
		}
		for _, b := range got {
			addr := b.IOVA()
			*q.fill.addr(put) = addr
			q.out[addr>>chunkShift].Set(b)
			put++
		}
		q.given += len(got)
	}
	if put != q.put {
		q.put = put
		q.fill.produce(put)
	}
}

// poll is for when there is no frame.
func (q *rxQueue) poll() {
	if q.given < q.size {
		q.fillUp() // the pool may have been empty
	}
	if q.busy || q.fill.needsWakeup() {
		_ = kickRx(q.fd) // an interface that is down or gone shows elsewhere
	}
}

// release gives back what the kernel had.
func (q *rxQueue) release() {
	for i := range q.out {
		if b := q.out[i].Buf(); b != nil {
			q.out[i] = 0
			q.Put(b)
		}
	}
	q.given = 0
	if q.first != nil {
		packet.Free([]*packet.Buf{q.first})
		q.first, q.last = nil, nil
	}
}

// WaitFD implements nic.Waiter: the socket is readable while there are frames.
func (q *rxQueue) WaitFD() int { return q.wait }

// Arm implements nic.Waiter.
func (q *rxQueue) Arm() bool {
	if q.wait < 0 {
		return false
	}
	q.poll()
	return q.rx.produced() == q.next
}

// Disarm implements nic.Waiter.
func (*rxQueue) Disarm() {}
