package ladder

import "context"

// mmsgBatch is how many frames a system call moves at most.
const mmsgBatch = 64

// openMmsg is the same with many frames a system call.
func openMmsg(_ context.Context, b *bed) (runner, error) {
	m := newMessages(mmsgBatch)
	return openSockets(b, func(s *sockets, w *watch, c *counts) { recvmmsgSendmmsg(m, s, w, c) })
}

func recvmmsgSendmmsg(m *messages, s *sockets, w *watch, c *counts) {
	for !w.over(c) {
		c.calls++
		n := m.receive(s.rx)
		if n == 0 {
			w.idle()
			continue
		}
		c.received += uint64(n)
		for i := range n {
			m.data[i][touched]++
		}
		for first := 0; first < n; {
			c.calls++
			k := m.send(s.tx, first, n)
			if k == 0 {
				c.dropped++
				first++
				continue
			}
			c.sent += uint64(k)
			first += k
		}
	}
}
