package virtio_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// What the device does with its queues.

var le = binary.LittleEndian

// piece is one part of a buffer.
type piece struct {
	addr  uint64
	n     int
	write bool
}

func (c *card) at(who string, addr uint64, n int, write bool) []byte {
	b, ok := c.space.At(who, addr, n, write)
	if !ok {
		return make([]byte, n) // the fault is on record
	}
	return b
}

// hdr is how many bytes the header has (5.1.6).
func (c *card) hdr() int {
	if c.has(fVersion1) || c.has(fMrg) {
		return 12
	}
	return 10
}

// next takes the next buffer of a queue (2.7.13), as pieces.
func (c *card) next(q *vq) (head uint16, pieces []piece, ok bool) {
	if c.has(fPacked) {
		return c.nextPacked(q)
	}
	idx := le.Uint16(c.at("available ring", q.driver+2, 2, false))
	if idx == q.seen {
		q.awake = false
		c.wish(q)
		return 0, nil, false
	}
	if n := idx - q.seen; int(n) > q.size {
		c.fault("queue %d: %d buffers in a ring of %d", q.number, n, q.size)
		return 0, nil, false
	}
	head = le.Uint16(c.at("available ring", q.driver+4+2*uint64(int(q.seen)%q.size), 2, false))
	if c.has(fInOrder) && int(head) != q.place.next {
		c.fault("queue %d: buffer %d where %d is in order", q.number, head, q.place.next)
	}
	q.seen++
	if q.held[head] {
		c.fault("queue %d: buffer %d is given twice", q.number, head)
	}
	q.held[head] = true
	for id, n := head, 0; ; n++ {
		if int(id) >= q.size || n == q.size {
			c.fault("queue %d: a chain of %d, to %d", q.number, n, id)
			return head, pieces, true
		}
		d := c.at("descriptor table", q.desc+16*uint64(id), 16, false)
		flags := le.Uint16(d[12:])
		p := piece{le.Uint64(d), int(le.Uint32(d[8:])), flags&2 != 0}
		control := c.has(fCtrl) && q.number == c.control()
		if flags&^3 != 0 || !control && p.write != (q.number%2 == 0) {
			c.fault("queue %d: flags %#x", q.number, flags)
		}
		pieces = append(pieces, p)
		q.place.next = (int(id) + 1) % q.size
		if flags&1 == 0 {
			return head, pieces, true
		}
		if id = le.Uint16(d[14:]); c.has(fInOrder) && int(id) != q.place.next {
			c.fault("queue %d: descriptor %d where %d is in order", q.number, id, q.place.next)
		}
	}
}

// wish says what notifications the device wants (2.7.10, 2.8.14).
func (c *card) wish(q *vq) {
	if c.has(fPacked) {
		c.wishPacked(q)
		return
	}
	flags, event := uint16(0), q.seen
	if c.silent {
		flags, event = 1, q.seen-1
	}
	if c.has(fEventIdx) {
		le.PutUint16(c.at("used ring", q.dev+4+8*uint64(q.size), 2, true), event)
	} else {
		le.PutUint16(c.at("used ring", q.dev, 2, true), flags)
	}
}

// done gives a buffer back (2.7.8).
func (c *card) done(q *vq, id, n uint32) {
	delete(q.held, uint16(id))
	if c.lie != nil {
		id, n = c.lie(q, id, n)
	}
	if (c.late || c.batches && q.number%2 == 1) && q.number < 2*c.active {
		q.back = append(q.back, [2]uint32{id, n})
		return
	}
	c.tell(q, id, n)
	c.interrupt(q)
}

func (c *card) tell(q *vq, id, n uint32) {
	if c.has(fPacked) {
		c.tellPacked(q, id, n)
		return
	}
	e := c.at("used ring", q.dev+4+8*uint64(int(q.used)%q.size), 8, true)
	le.PutUint32(e, id)
	le.PutUint32(e[4:], n)
	q.used++
	le.PutUint16(c.at("used ring", q.dev+2, 2, true), q.used)
}

// tellBatch tells of several buffers by the entry of the last one, in the place of the first (2.7.9, 2.8.8).
func (c *card) tellBatch(q *vq, all [][2]uint32) {
	last := all[len(all)-1]
	if !c.has(fPacked) {
		q.used += uint16(len(all)) - 1
		at := int(q.used) - len(all) + 1
		e := c.at("used ring", q.dev+4+8*uint64((at+q.size)%q.size), 8, true)
		le.PutUint32(e, last[0])
		le.PutUint32(e[4:], last[1])
		q.used++
		le.PutUint16(c.at("used ring", q.dev+2, 2, true), q.used)
		return
	}
	total := 0
	for _, b := range all {
		total += q.length[b[0]]
	}
	of := q.length[last[0]]
	q.length[last[0]] = total
	c.tellPacked(q, last[0], last[1])
	q.length[last[0]] = of
}

// step moves everything that can be moved. It returns the number of frames.
func (c *card) step() (moved int) {
	if c.pulled || c.status&4 == 0 || c.status&64 != 0 {
		return 0
	}
	for _, q := range c.vqs[:2*c.active] {
		for q.enabled && q.number%2 == 1 && q.awake && c.send(q) {
			moved++
		}
	}
	for len(c.in) > 0 && c.receive(c.vqs[c.steer(c.in[0])], c.in[0]) {
		c.in = c.in[1:]
		moved++
	}
	for _, q := range c.vqs {
		for c.batches && len(q.back) > 0 {
			n := max(min(8, len(q.back)), len(q.back)*3/4)
			c.tellBatch(q, q.back[:n])
			c.interrupt(q)
			q.back = q.back[n:]
		}
		for i := len(q.back) - 1; i >= 0; i-- {
			c.tell(q, q.back[i][0], q.back[i][1])
			c.interrupt(q)
		}
		q.back = nil
	}
	return moved
}

// steer is the queue that a frame is for.
func (c *card) steer(f []byte) int {
	if c.queue == nil {
		return 0
	}
	return 2 * (c.queue(f) % c.active)
}

// command takes a command from the control queue (5.1.6.5).
func (c *card) command(q *vq) bool {
	head, pieces, ok := c.next(q)
	if !ok {
		return false
	}
	var cmd, answer []byte
	for i, p := range pieces {
		b := c.at("control queue", p.addr, p.n, p.write)
		if p.write {
			answer = b
		} else {
			cmd = append(cmd, b...)
		}
		if i == 0 && c.accepted&(fVersion1|fAnyLayout) == 0 && p.n != 2 {
			c.fault("the begin of a command has %d bytes", p.n)
		}
	}
	if len(cmd) < 2 || len(answer) != 1 {
		c.fault("a command of %d bytes, for an answer of %d", len(cmd), len(answer))
		return true
	}
	c.commands = append(c.commands, fmt.Sprintf("%d/%d % x", cmd[0], cmd[1], cmd[2:]))
	need := map[byte]uint64{0: fCtrlRx, 1: fCtrlRx, 2: fCtrlVLAN, 4: fMQ}[cmd[0]]
	if cmd[0] == 1 && cmd[1] == 1 {
		need = fCtrlMAC
	}
	if need == 0 || !c.has(need) {
		c.fault("command %d/%d without its feature", cmd[0], cmd[1])
	}
	if cmd[0] == 4 && c.answer == 0 {
		c.active = int(le.Uint16(cmd[2:]))
	}
	answer[0] = c.answer
	c.done(q, uint32(head), 1)
	return true
}

func (c *card) send(q *vq) bool {
	head, pieces, ok := c.next(q)
	if !ok {
		return false
	}
	var f []byte
	for i, p := range pieces {
		if i == 0 && c.accepted&(fVersion1|fAnyLayout) == 0 && p.n != c.hdr() {
			c.fault("a header of %d bytes", p.n)
		}
		f = append(f, c.at("transmit", p.addr, p.n, false)...)
	}
	if len(f) < c.hdr() {
		c.fault("a frame of %d bytes", len(f))
		return true
	}
	data := append([]byte(nil), f[c.hdr():]...)
	c.complete(f[:10], data)
	c.out = append(c.out, data)
	c.done(q, uint32(head), 0)
	return true
}

// complete does for a frame what its header asks for (5.1.6.2).
func (c *card) complete(header, data []byte) {
	start, offset := int(le.Uint16(header[6:])), int(le.Uint16(header[8:]))
	if c.has(fCSum) && header[0] == 1 && header[1] == 0 && start+offset+2 <= len(data) {
		sum := checksum(data[start:])
		binary.BigEndian.PutUint16(data[start+offset:], sum)
		copy(header, make([]byte, 1))
		copy(header[6:], make([]byte, 4))
	}
	if c.has(fHostTSO) && header[1] != 0 {
		c.large = append(c.large, bytes.Clone(header))
		return // what is cut from the frame the test looks at
	}
	if !bytes.Equal(header, make([]byte, 10)) {
		c.fault("header % x", header)
	}
}

// checksum is that of RFC 1071, with zero in its other form.
func checksum(data []byte) uint16 {
	sum := 0
	for i, b := range data {
		sum += int(b) << (8 - i%2*8)
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	if sum == 0xffff {
		sum = 0
	}
	return ^uint16(sum)
}

// receive gives a frame to the driver (5.1.6.4).
func (c *card) receive(q *vq, f []byte) bool {
	if !q.enabled {
		return true
	}
	type buffer struct {
		head  uint16
		parts []piece
		room  int
	}
	var list []buffer
	was := q.place
	room := 0
	need := len(f) + c.hdr()
	for room < need || len(list) < min(c.buffers, len(f)/16) && c.has(fMrg) {
		if len(list) > 0 && !c.has(fMrg) {
			c.fault("a frame of %d bytes for a buffer of %d", len(f), room)
			return true
		}
		head, pieces, ok := c.next(q)
		if !ok {
			q.place = was
			for _, b := range list {
				delete(q.held, b.head)
			}
			return false
		}
		b := buffer{head, pieces, 0}
		for _, p := range pieces {
			b.room += p.n
		}
		list = append(list, b)
		room += b.room
	}
	h := make([]byte, c.hdr())
	h[0] = 2 // a verified checksum does no harm where nobody asked for it
	if p := c.partial; p != nil {
		h[0] = 1
		le.PutUint16(h[6:], p[0])
		le.PutUint16(h[8:], p[1])
	}
	copy(h, c.header)
	if len(h) == 12 {
		le.PutUint16(h[10:], uint16(len(list)))
		if c.pieces >= 0 {
			le.PutUint16(h[10:], uint16(c.pieces))
		}
	}
	data := append(h, f...)
	var used [][2]uint32
	for i, b := range list {
		n := min(len(data), b.room)
		if room -= b.room; i < len(list)-1 {
			n = min(n, max(len(h)+1, len(f)/len(list)+1, len(data)-room)) // some in each
		}
		rest := data[:n]
		if c.accepted&(fVersion1|fAnyLayout) == 0 && b.parts[0].n != c.hdr() {
			c.fault("a header of %d bytes", b.parts[0].n)
		}
		for _, p := range b.parts {
			k := copy(c.at("receive", p.addr, p.n, true), rest)
			rest = rest[k:]
		}
		data = data[n:]
		used = append(used, [2]uint32{uint32(b.head), uint32(n)})
	}
	for _, u := range used {
		c.done(q, u[0], u[1])
	}
	return true
}
