package virtio_test

import (
	"errors"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/packet"
)

// What the device does with packed rings (2.8).

func packedCard() *card {
	c := newCard()
	c.offered |= fPacked
	return c
}

func (c *card) nextPacked(q *vq) (id uint16, pieces []piece, ok bool) {
	for n := 0; ; n++ {
		d := c.at("packed ring", q.desc+16*uint64(q.at), 16, false)
		flags := le.Uint16(d[14:])
		avail, used := flags&(1<<7) != 0, flags&(1<<15) != 0
		if avail == q.turn || used != q.turn {
			if n > 0 {
				c.fault("queue %d: half a chain", q.number)
			}
			q.awake = false
			c.wish(q)
			return 0, nil, false
		}
		control := c.has(fCtrl) && q.number == c.control()
		p := piece{le.Uint64(d), int(le.Uint32(d[8:])), flags&2 != 0}
		if flags&^(3|1<<7|1<<15) != 0 || !control && p.write != (q.number%2 == 0) {
			c.fault("queue %d: flags %#x", q.number, flags)
		}
		pieces = append(pieces, p)
		id = le.Uint16(d[12:])
		if q.at++; q.at == q.size {
			q.at, q.turn = 0, !q.turn
		}
		if flags&1 != 0 && n < q.size {
			continue
		}
		if q.held[id] {
			c.fault("queue %d: buffer %d is given twice", q.number, id)
		}
		q.held[id], q.length[uint32(id)] = true, len(pieces)
		return id, pieces, true
	}
}

func (c *card) wishPacked(q *vq) {
	ev := c.at("event suppression", q.dev, 4, true)
	at := uint16(q.at)
	if !q.turn {
		at |= 1 << 15
	}
	switch {
	case c.silent:
		le.PutUint16(ev[2:], 1)
	case c.has(fEventIdx):
		le.PutUint16(ev, at)
		le.PutUint16(ev[2:], 2)
	default:
		le.PutUint16(ev[2:], 0)
	}
}

func (c *card) tellPacked(q *vq, id, n uint32) {
	d := c.at("packed ring", q.desc+16*uint64(q.usedAt), 16, true)
	le.PutUint64(d, ^uint64(0))
	le.PutUint32(d[8:], n)
	le.PutUint16(d[12:], uint16(id))
	flags := uint16(1<<7 | 1<<15)
	if q.usedTurn {
		flags = 0
	}
	if q.number%2 == 0 {
		flags |= 2
	}
	le.PutUint16(d[14:], flags)
	if q.usedAt += max(1, q.length[id]); q.usedAt >= q.size {
		q.usedAt -= q.size
		q.usedTurn = !q.usedTurn
	}
}

// Garbage in the ring stops a queue, or is counted; every call returns, and all buffers come back.
func TestPackedNonsense(t *testing.T) {
	for _, l := range []struct {
		name  string
		queue int
		lie   func(c *card, q *vq)
		want  string // of Trouble; "" where it is counted
	}{
		{"receive, id out of range", 0, func(c *card, q *vq) { c.tell(q, 64, 72) }, "used buffer 64 of 64"},
		{"receive, huge length", 0, func(c *card, q *vq) { c.tell(q, 3, 1<<32-1) }, ""},
		{"transmit, id out of range", 1, func(c *card, q *vq) { c.tell(q, 65535, 0) }, "used buffer 65535"},
		{"transmit, id twice", 1, func(c *card, q *vq) { c.tell(q, 0, 0); c.tell(q, 0, 0) }, "used buffer 0, which it does not have"},
		{"transmit, never had", 1, func(c *card, q *vq) { c.tell(q, 7, 0) }, "used buffer 7, which"},
		{"transmit, all used", 1, func(c *card, q *vq) {
			for i := range 64 {
				c.tell(q, uint32(i), 0)
			}
		}, ""},
	} {
		t.Run(l.name, func(t *testing.T) {
			c := packedCard()
			r := open(t, c, nic.Config{RxRing: 64, TxRing: 64, Buffers: 640})
			for range 3 {
				if r.dev.TxQueue(0).Send([]*packet.Buf{r.buf(frame(60, 0), 2048)}) != 1 {
					t.Fatal("not taken")
				}
			}
			l.lie(c, c.vqs[l.queue])
			for range 3 {
				r.dev.TxQueue(0).Send(nil)
				if got := r.receive(0, 32); len(got) != 0 {
					t.Errorf("%d frames received", len(got))
				}
			}
			err := r.dev.Trouble()
			if l.want == "" && err != nil || l.want != "" && (!errors.Is(err, nic.ErrStalled) || !strings.Contains(err.Error(), l.want)) {
				t.Errorf("%v", err)
			}
		})
	}
}
