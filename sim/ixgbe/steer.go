package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
)

// steering is what chooses a frame's queue before the hash does (7.1.2.1): EtherType, SYN and five-tuple filters, and
// flow director.
type steering struct {
	on bool // anything is, or RSS

	etypes   []etypeFilter
	tuples   []tupleFilter // by falling priority
	synQueue int           // -1: no filter
	synFirst bool          // before the tuples
	fdir     flowDirector
}

type etypeFilter struct {
	etype, up uint16
	byUP      bool
	index     uint64
	queue     int // -1: matches are marked, and no more
}

// tupleFilter compares what its masks leave, in the byte order of the wire.
type tupleFilter struct {
	addrs, addrMask uint64 // source in the lower half, destination above
	ports, portMask uint32
	protocol        uint32
	byProtocol      bool
	priority        uint32
	queue           int
}

// load reads the registers.
func (s *steering) load(c *Card) {
	s.etypes, s.tuples, s.synQueue = s.etypes[:0], s.tuples[:0], -1
	for i := range chip.EtherTypeFilters {
		f := c.get(chip.ETQF(i))
		if f&chip.EtqfFILTEREN == 0 {
			continue
		}
		e := etypeFilter{
			etype: uint16(f & chip.EtqfETYPE), up: uint16(f & chip.EtqfUP >> chip.EtqfUPShift), byUP: f&chip.EtqfUPEN != 0,
			index: uint64(i), queue: -1,
		}
		if q := c.get(chip.ETQS(i)); q&chip.EtqsQUEUEEN != 0 {
			e.queue = int(q & chip.EtqsRXQ >> chip.EtqsRXQShift)
		}
		s.etypes = append(s.etypes, e)
	}
	if v := c.get(chip.SYNQF); v&chip.SynqfQUEUEEN != 0 {
		s.synQueue, s.synFirst = int(v&chip.SynqfRXQ>>chip.SynqfRXQShift), v&chip.SynqfSYNQFP != 0
	}
	for i := range chip.TupleFilters {
		if c.get(chip.FTQF(i))&chip.FtqfQUEUEEN != 0 {
			s.addTuple(c, i)
		}
	}
	s.fdir.load(c)
	s.on = c.rss.on || len(s.etypes)+len(s.tuples) > 0 || s.synQueue >= 0 || s.fdir.on()
}

// addTuple puts a filter behind those of its priority and above (7.1.2.5: the highest wins, and of those the first).
func (s *steering) addTuple(c *Card, i int) {
	v := c.get(chip.FTQF(i))
	f := tupleFilter{
		addrs: uint64(c.get(chip.SAQF(i))) | uint64(c.get(chip.DAQF(i)))<<32, addrMask: ^uint64(0),
		ports: c.get(chip.SDPQF(i)), portMask: ^uint32(0),
		protocol: v & chip.FtqfPROTOCOL, byProtocol: v&chip.FtqfMASKProtocol == 0,
		priority: v & chip.FtqfPRIORITY, queue: int(c.get(chip.L34TIMIR(i)) & chip.L34timirRXQ >> chip.L34timirRXQShift),
	}
	if v&chip.FtqfMASKSource != 0 {
		f.addrMask &^= 0xFFFFFFFF
	}
	if v&chip.FtqfMASKDest != 0 {
		f.addrMask &= 0xFFFFFFFF
	}
	if v&chip.FtqfMASKSPort != 0 {
		f.portMask &^= 0xFFFF
	}
	if v&chip.FtqfMASKDPort != 0 {
		f.portMask &= 0xFFFF
	}
	f.addrs &= f.addrMask
	f.ports &= f.portMask
	at := len(s.tuples)
	for at > 0 && s.tuples[at-1].priority < f.priority {
		at--
	}
	s.tuples = append(s.tuples, tupleFilter{})
	copy(s.tuples[at+1:], s.tuples[at:])
	s.tuples[at] = f
}

// byType returns the queue of the first EtherType filter that matches, -1 for none, and marks the frame in write-back
// word 0 (7.1.6.2, packet type).
func (s *steering) byType(b []byte, w0 *uint64) int {
	etype, tag, tagged := binary.BigEndian.Uint16(b[12:]), uint16(0), false
	if etype == etherVLAN {
		etype, tag, tagged = binary.BigEndian.Uint16(b[16:]), binary.BigEndian.Uint16(b[14:]), true
	}
	for _, f := range s.etypes {
		if f.etype == etype && (!f.byUP || tagged && tag>>13 == f.up) {
			*w0 |= chip.RxPktL2 | f.index<<chip.RxPktTypeShift
			return f.queue
		}
	}
	return -1
}

// bySYN returns the queue of a TCP segment that has SYN set, -1 for others.
func (s *steering) bySYN(b []byte, h *headers) int {
	const flags, syn = 13, 2 // RFC 9293, 3.1
	if h.types&chip.RxPktTCP != 0 && b[h.l4+flags]&syn != 0 {
		return s.synQueue
	}
	return -1
}

// byTuple returns the queue of an IPv4 packet that a filter matches, -1 for others. Fragments have no ports and match
// filters only that do not ask for them, or for the protocol.
func (s *steering) byTuple(b []byte, h *headers) int {
	if h.types&chip.RxPktIPv4 == 0 || len(s.tuples) == 0 {
		return -1
	}
	addrs, ports, protocol := le64(b[h.l3+12:]), uint32(0), uint32(chip.TupleOther)
	switch {
	case h.types&chip.RxPktTCP != 0:
		protocol = chip.TupleTCP
	case h.types&chip.RxPktUDP != 0:
		protocol = chip.TupleUDP
	case h.types&chip.RxPktSCTP != 0:
		protocol = chip.TupleSCTP
	}
	if h.l4 != 0 {
		ports = binary.LittleEndian.Uint32(b[h.l4:])
	}
	for i := range s.tuples {
		f := &s.tuples[i]
		if addrs&f.addrMask == f.addrs && (f.portMask == 0 || h.l4 != 0 && ports&f.portMask == f.ports) && (!f.byProtocol || protocol == f.protocol) {
			return f.queue
		}
	}
	return -1
}

// queue returns the queue that a filter chooses for a frame, -1 where none does, and what they tell in the write-back.
func (s *steering) queue(c *Card, b []byte, w0, w1 *uint64) int {
	if len(s.etypes) > 0 {
		if q := s.byType(b, w0); q >= 0 {
			return q
		}
	}
	if s.synQueue < 0 && len(s.tuples) == 0 && !s.fdir.on() {
		return -1
	}
	var h headers
	h.parse(b)
	if s.synFirst {
		if q := s.bySYN(b, &h); q >= 0 {
			return q
		}
	}
	if q := s.byTuple(b, &h); q >= 0 {
		return q
	}
	if q := s.bySYN(b, &h); q >= 0 {
		return q
	}
	if s.fdir.on() {
		return s.fdir.queue(c, b, &h, w0, w1)
	}
	return -1
}

// steer returns the queue of a frame: that of a filter, else of the hash, else queue 0. It adds what there is to say to
// the write-back. It returns nil, having counted the frame, where the queue does not run.
func (c *Card) steer(b []byte, w0, w1 *uint64) *rxQueue {
	q := &c.rxq[0]
	if len(b) >= minFrame {
		if c.rss.on {
			if kind, hash := c.rss.of(b); kind != 0 {
				*w0 |= kind | uint64(hash)<<chip.RxHashShift
				q = &c.rxq[c.rss.reta[hash&c.rss.mask]]
			}
		}
		f := &c.steering.fdir
		f.counter = 0
		if n := c.steering.queue(c, b, w0, w1); n >= 0 {
			q = &c.rxq[n]
		}
		if f.counter != 0 && (q.left > 0 || q.drop || !q.on) { // one that waits comes again
			c.put(f.counter, c.get(f.counter)+1)
		}
	}
	if !q.on {
		c.noDescriptor(q)
		return nil
	}
	return q
}
