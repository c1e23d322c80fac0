package afpacket

import (
	"fmt"

	"golang.org/x/sys/unix"

	"glassnic/nic/soft"
	"glassnic/packet"
)

const (
	// maxBatch is how many frames one system call sends.
	maxBatch = 256
	// sendBuffer is how many bytes of frames may be on their way through the kernel.
	sendBuffer = 4 << 20
)

// txQueue sends by a socket of its own.
type txQueue struct {
	*soft.Tx
	fd   int
	msgs *messages
	fit  [maxBatch]bool
}

func (q *txQueue) open(index int) (err error) {
	if q.fd, err = socket(); err != nil {
		return err
	}
	// Past the queueing discipline, which would drop where the driver would have us wait.
	if err := unix.SetsockoptInt(q.fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return fmt.Errorf("PACKET_QDISC_BYPASS: %w", err)
	}
	if unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, sendBuffer) != nil { // needs CAP_NET_ADMIN
		_ = unix.SetsockoptInt(q.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, sendBuffer)
	}
	// Without a protocol it receives nothing.
	if err := unix.Bind(q.fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	return nil
}

// Send implements nic.TxQueue. Frames that the kernel refuses are dropped and counted, such as those that are longer
// than its MTU allows, and all while the interface is down. When it has no room, fewer are taken.
func (q *txQueue) Send(batch []*packet.Buf) int {
	n := q.fill(batch[:min(len(batch), maxBatch)])
	sent, dropped, bytes := 0, 0, 0
	next := 0 // message
	i := 0
	for i < n {
		if !q.fit[i] {
			dropped++
			i++
			continue
		}
		k, err := q.msgs.send(q.fd, next)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN || err == unix.ENOBUFS || err == unix.ENOMEM {
			break
		}
		if err != 0 || k == 0 {
			dropped++
			next++
			i++
			continue
		}
		next += k
		for ; k > 0; i++ {
			if q.fit[i] {
				k--
				sent++
				bytes += batch[i].TotalLen()
			} else {
				dropped++
			}
		}
	}
	q.Count(sent, bytes)
	if dropped > 0 {
		q.Dropped.Add(uint64(dropped))
	}
	q.Done(batch[:i])
	return i
}

// fill makes messages of frames and returns for how many of them there was room; fit says which can be sent.
func (q *txQueue) fill(batch []*packet.Buf) int {
	m := q.msgs
	m.n, m.used = 0, 0
	for i, b := range batch {
		if q.fit[i] = q.Fit(b); !q.fit[i] {
			continue
		}
		if b.Flags()&packet.Chained == 0 {
			if m.used == len(m.iovs) {
				return i
			}
			m.begin()
			m.add(b.Bytes())
			continue
		}
		parts := b.Segments()
		if parts > len(m.iovs) {
			q.fit[i] = false
			continue
		}
		if m.used+parts > len(m.iovs) {
			return i
		}
		m.begin()
		for s := b; s != nil; s = s.Next() {
			if s.Len() > 0 {
				m.add(s.Bytes())
			}
		}
	}
	return len(batch)
}
