package ixgbe

import (
	"encoding/binary"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

// Receive side coalescing (7.11): the card puts segments of TCP over IPv4 that follow each other together, in a chain of
// buffers behind the headers of the first. The chains of several connections lie mixed in the ring, so each buffer names the
// descriptor of the next. Ports that are asked for nic.RxSegment have it switched on, and a loop of their own.

const (
	// rscInterval is how long the card gathers at most, in units of 2 µs (8.2.3.5.12): at full rate 60 KB arrive meanwhile.
	rscInterval = 25
	// rscDelay is how long after that it writes back, in units of 4 µs, less one: 4 to 8 µs should do (4.6.7.2).
	rscDelay = 1
	// rscHeaders is the room for headers, in units of 64 bytes: more than those of any frame that is coalesced (7.11.1).
	rscHeaders = 2

	longestIP = 65535 // bytes with its header (RFC 791, 3.1)
)

// startCoalescing has receive queue i coalesce (4.6.7.2), before it is enabled.
func (d *Device) startCoalescing(i int) {
	r := d.regs
	// A large frame must not be longer than IP allows (8.2.3.8.13).
	most := chip.RscctlMAXDESC1
	for _, m := range []struct{ buffers, bits uint32 }{{4, chip.RscctlMAXDESC4}, {8, chip.RscctlMAXDESC8}, {16, chip.RscctlMAXDESC16}} {
		if m.buffers*uint32(d.rx[i].room) <= longestIP {
			most = m.bits
		}
	}
	if i == 0 {
		r.Set(chip.RFCTL, chip.RfctlNFSWDIS|chip.RfctlNFSRDIS) // else the card looks for NFS, which it does not coalesce (7.11.1)
		r.Write32(chip.PSRTYPE(0), chip.PsrtypePSRTYPE4)
		r.Write32(chip.GPIE, d.coalescing())
	}
	// The time is that of an interrupt, whether it is let through or not.
	shift := uint32(i % 2 * 16)
	r.Write32(chip.EITR(i), rscInterval<<chip.EitrITRIntervalShift)
	r.Write32(chip.IVAR(i/2), r.Read32(chip.IVAR(i/2))&^(0xff<<shift)|(chip.IvarAllocVal|uint32(i))<<shift)
	r.Set(chip.SRRCTL(i), rscHeaders<<chip.SrrctlBSIZEHEADERShift)
	r.Write32(chip.RSCCTL(i), chip.RscctlRSCEN|most)
}

// coalesces tells whether the port is asked for it.
func (d *Device) coalesces() bool { return d.cfg.Offloads&nic.RxSegment != 0 }

// coalescing is what GPIE has of it.
func (d *Device) coalescing() uint32 {
	if !d.coalesces() {
		return 0
	}
	return rscDelay << chip.GpieRSCDelayShift
}

// chain is a frame so far. It is kept under the descriptor in whose buffer it goes on.
type chain struct {
	head, last *packet.Buf
	total      int  // bytes
	packets    int  // that the card has put together; 0 where it has not
	open       bool // there is one
	broken     bool // nothing is left of it but what is to come, to be dropped
}

// restCoalesced is rest for a queue whose card coalesces. Descriptors are taken in the order of the ring, so that those that
// the card is given again are always the oldest.
func (q *rxQueue) restCoalesced(batch []*packet.Buf, got int) int {
	// A card that lies without end is believed for one turn of the ring.
	for range q.size {
		if q.next == q.end {
			q.turn()
		}
		if got == len(batch) || q.next == q.end {
			break
		}
		if q.open == 0 {
			if n := q.runWhole(batch[got:]); n > 0 {
				got += n
				continue
			}
		}
		b, more := q.link()
		if !more {
			break
		}
		if b != nil {
			batch[got] = b
			got++
		}
	}
	return got
}

// runWhole receives frames of one packet in one buffer, while no frame is open.
func (q *rxQueue) runWhole(batch []*packet.Buf) int {
	n := q.runAlike(batch)
	for n < len(batch) && q.next < q.end && q.single() && q.other(&batch[n]) {
		n++
		n += q.runAlike(batch[n:])
	}
	return n
}

// single tells whether the next descriptor is done and holds at most one packet, by what the card counts.
func (q *rxQueue) single() bool {
	const two = 3 << chip.RxRSCCntShift // and one more
	d := q.desc(q.next)
	return d.done()&chip.RxDD != 0 && d.w0&chip.RxRSCCntMask < two
}

// link takes one descriptor. It returns the frame that it completes, and whether there was a descriptor.
func (q *rxQueue) link() (frame *packet.Buf, more bool) {
	d, at := q.desc(q.next), q.next
	w1 := d.done()
	if w1&chip.RxDD == 0 {
		return nil, false
	}
	w0 := d.w0
	b := q.buf(at).Buf()
	q.next++
	c := q.chains[at]
	if c.open {
		q.chains[at] = chain{}
		q.open--
	}

	size, count := w1>>chip.RxLenShift&0xffff, int(w0&chip.RxRSCCntMask>>chip.RxRSCCntShift)
	if count > 0 {
		c.packets += count - 1
	}
	c.total += int(size)
	longest := q.max
	if c.packets > 1 {
		longest = longestIP + header
	}
	// The span of a broken frame only has to be valid.
	b.SetSpan(q.span + packet.SpanLen(min(size-1, q.room-1)))
	if c.head == nil {
		c.head = b
	} else {
		c.last.SetNext(b)
	}
	c.last, c.open = b, true
	if size-1 >= q.room || w1&chip.RxRXE != 0 || c.total > longest {
		q.breakOff(&c)
	}
	if w1&chip.RxEOP != 0 {
		if c.broken || c.packets > 1 && !large(&c, w1) {
			q.breakOff(&c)
			return nil, true
		}
		q.tell(c.head, w0, w1)
		return c.head, true
	}
	next := q.next % q.size
	if count > 0 {
		next = int(w1 & chip.RxNextMask >> chip.RxNextShift)
		if !q.ahead(next) {
			q.breakOff(&c)
			return nil, true
		}
	}
	if q.chains[next].open { // the card says that two go on there
		q.breakOff(&c)
		return nil, true
	}
	q.chains[next] = c
	q.open++
	return nil, true
}

// breakOff drops what there is of a frame, and counts it once.
func (q *rxQueue) breakOff(c *chain) {
	if !c.broken {
		q.dropped.Add(1)
	}
	if c.broken = true; c.head != nil {
		packet.Free([]*packet.Buf{c.head})
		c.head, c.last = nil, nil
	}
}

// ahead tells whether the card has a descriptor that is still to be taken.
func (q *rxQueue) ahead(i int) bool {
	from := q.next % q.size
	return i < q.size && (i+q.size-from)%q.size < (int(q.limit())+q.size-from)%q.size
}

// leastSegment is the smallest payload that is cut again (packet.Buf.Headers): more than some packets had is no harm.
const leastSegment = 28

// large makes what the card has put together a frame that is to be cut (packet.NeedsSegment), by the average length of its
// packets, for that of the first is not told. It reports false where the frame is not what the card may put together, or has
// a wrong checksum, which would come out right.
func large(c *chain, w1 uint64) bool {
	const good = chip.RxL4I | chip.RxIPCS
	b, be := c.head, binary.BigEndian
	data, ip := b.Bytes(), ethernet
	if w1&(good|chip.RxL4E|chip.RxIPE) != good || len(data) < ethernet+4+20+20 {
		return false
	}
	if be.Uint16(data[ip-2:]) == tagType {
		ip += 4
	}
	const l3, tcp = 20, 6 // RFC 791, 3.1
	l4 := ip + l3
	if int(be.Uint16(data[ip+2:])) != c.total-ip {
		return false
	}
	payload := c.total - l4 - int(data[l4+12]>>4)*4
	// The sum of the pseudo header, not inverted (RFC 9293, 3.1).
	sum := uint32(tcp) + uint32(c.total-l4)
	for at := ip + 12; at < l4; at += 2 {
		sum += uint32(be.Uint16(data[at:]))
	}
	sum = sum>>16 + sum&0xffff
	be.PutUint16(data[l4+tcpSum:], uint16(sum>>16+sum))
	b.SetChecksum(l4, tcpSum)
	b.SetSegmentSize(max((payload+c.packets-1)/c.packets, leastSegment))
	_, ok := b.Headers() // without options of IP, and no fragment
	return ok
}

// releaseChains gives back what is left of frames that have no end.
func (q *rxQueue) releaseChains() {
	for i := range q.chains {
		if c := &q.chains[i]; c.head != nil {
			packet.Free([]*packet.Buf{c.head})
		}
		q.chains[i] = chain{}
	}
}
