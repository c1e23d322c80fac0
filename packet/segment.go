package packet

import "encoding/binary"

// SegmentSize returns how many bytes of payload each segment of a frame with NeedsSegment gets; the last may get less.
func (b *Buf) SegmentSize() (n int, ok bool) {
	if b.Flags()&NeedsSegment == 0 {
		return 0, false
	}
	return int(b.more().mss), true
}

// SetSegmentSize says that the frame has to be cut into segments of n bytes of payload, up to 65535. SetChecksum says
// where its TCP or UDP header begins. The sum of the pseudo header covers the length of the whole.
func (b *Buf) SetSegmentSize(n int) {
	b.more().mss = uint16(n)
	b.SetFlags(NeedsSegment)
}

// Headers is where the headers of a large frame lie, in bytes from its start. All are in its first buffer.
type Headers struct {
	IP, L4, Payload int
	IPv6, UDP       bool
}

const (
	// leastSegment is the payload of a TCP segment that every network passes, with full headers of IPv4 and TCP: it
	// passes datagrams of 68 bytes (RFC 791 section 3.2).
	leastSegment = 68 - 20 - 20
	// mostHeaders is how many bytes of headers a large frame may have.
	mostHeaders = 256
)

// Headers finds the headers of a frame with NeedsSegment: TCP or UDP over IPv4 or IPv6, behind up to two VLAN tags. It
// reports false where the frame is no such or does not add up; then it cannot be cut.
func (b *Buf) Headers() (h Headers, ok bool) {
	size, large := b.SegmentSize()
	start, offset, partial := b.Checksum()
	data := b.Bytes()
	if !large || !partial || size < leastSegment || start < 0 || start+8 > len(data) {
		return h, false
	}
	be := binary.BigEndian
	h.IP, h.L4 = addresses+2, start
	kind := be.Uint16(data[h.IP-2:])
	for tags := 0; tags < 2 && (kind == tagType || kind == serviceTagType) && h.IP+tagSize <= start; tags++ {
		h.IP += tagSize
		kind = be.Uint16(data[h.IP-2:])
	}
	proto := -1
	switch ip := data[min(h.IP, start):start]; {
	case kind == 0x0800 && len(ip) >= 20 && len(ip) <= 60 && len(ip)%4 == 0 && int(ip[0]) == 0x40+len(ip)/4 && be.Uint16(ip[6:])&0x3fff == 0:
		proto = int(ip[9])
	case kind == 0x86dd && len(ip) >= 40 && ip[0]>>4 == 6:
		h.IPv6 = true
		proto = upper(ip)
	}
	switch {
	case proto == 6 && offset == 16 && start+20 <= len(data) && data[start+12]>>4 >= 5:
		h.Payload = start + int(data[start+12]>>4)*4
	case proto == 17 && offset == 6:
		h.UDP, h.Payload = true, start+8
	default:
		return h, false
	}
	return h, h.Payload <= min(len(data), mostHeaders) && h.Payload < b.TotalLen()
}

// upper is the protocol of what follows the IPv6 header and its extension headers, which make up ip (RFC 8200 section
// 4); -1 where they do not add up. A fragment is not cut.
func upper(ip []byte) int {
	next, rest := ip[6], ip[40:]
	for len(rest) >= 8 && (next == 0 || next == 43 || next == 60) {
		n := 8 + int(rest[1])*8
		if n > len(rest) {
			return -1
		}
		next, rest = rest[0], rest[n:]
	}
	if len(rest) > 0 {
		return -1
	}
	return int(next)
}

// Cut cuts a large frame in software, one segment at a time, so that no more buffers are needed than are at hand. The
// frame stays as it is, and its owner's. The zero value has nothing to cut.
type Cut struct {
	frame  *Buf
	h      Headers
	size   int  // bytes of payload of each segment
	left   int  // bytes of payload to come
	number int  // of segments made
	part   *Buf // the buffer in which the payload goes on
	at     int  // where it does
	head   [mostHeaders]byte
}

// Begin begins with a frame that has NeedsSegment. It reports false for one that cannot be cut.
func (c *Cut) Begin(b *Buf) bool {
	h, ok := b.Headers()
	if !ok {
		return false
	}
	c.frame, c.h, c.left, c.number, c.part, c.at = b, h, b.TotalLen()-h.Payload, 0, b, h.Payload
	c.size, _ = b.SegmentSize()
	return true
}

// Left tells whether there are segments to come.
func (c *Cut) Left() bool { return c.left > 0 }

// Next makes the next segment, in buffers of the cache; nil where there is none, or the cache has too few: then a later
// call goes on. A segment has NeedsChecksum, and the tag, hash and port of the frame.
//
// Lengths, IPv4 header checksum and partial checksum are right for it, and so are its sequence number, and its
// identification for reassembly, which counts up. FIN and PSH go with the last segment, CWR (RFC 3168 section 6.1.2) with
// the first.
func (c *Cut) Next(cache *Cache) *Buf {
	n := min(c.size, c.left)
	first := cache.empty()
	if n == 0 || first == nil {
		if first != nil {
			cache.Put([]*Buf{first})
		}
		return nil
	}
	last := cache.extend(first, c.headers(n))
	part, at := c.part, c.at
	for more := n; more > 0 && last != nil; {
		data := part.Bytes()[at:]
		if len(data) == 0 {
			part, at = part.Next(), 0
			continue
		}
		data = data[:min(more, len(data))]
		last = cache.extend(last, data)
		at += len(data)
		more -= len(data)
	}
	if last == nil {
		Free([]*Buf{first})
		return nil
	}
	c.part, c.at = part, at
	c.left -= n
	c.number++
	first.SetFlags(c.frame.Flags() & (0xff << portShift))
	if c.frame.Flags()&HasHash != 0 {
		first.SetHash(c.frame.Hash())
	}
	if tci, ok := c.frame.VLAN(); ok {
		first.SetVLAN(tci)
	}
	_, offset, _ := c.frame.Checksum()
	first.SetChecksum(c.h.L4, offset)
	return first
}

// headers are those of the next segment, with a payload of n bytes.
func (c *Cut) headers(n int) []byte {
	be, h := binary.BigEndian, c.h
	head := c.head[:h.Payload]
	copy(head, c.frame.Bytes())
	ip, l4 := head[h.IP:h.L4], head[h.L4:]
	length := len(l4) + n
	if h.IPv6 {
		be.PutUint16(ip[4:], uint16(len(ip)-40+length))
	} else {
		be.PutUint16(ip[2:], uint16(len(ip)+length))
		be.PutUint16(ip[4:], be.Uint16(ip[4:])+uint16(c.number))
		ip[10], ip[11] = 0, 0
		binary.LittleEndian.PutUint16(ip[10:], ^add(ip))
	}
	sum := l4[6:]
	if h.UDP {
		be.PutUint16(l4[4:], uint16(length))
	} else {
		sum = l4[16:]
		be.PutUint32(l4[4:], be.Uint32(l4[4:])+uint32(c.number*c.size))
		if c.left > n {
			l4[13] &^= 0x09 // FIN, PSH
		}
		if c.number > 0 {
			l4[13] &^= 0x80 // CWR
		}
	}
	// The length of the whole out of the pseudo header's sum, and that of the segment in (RFC 1624).
	whole := uint16(c.frame.TotalLen() - h.L4)
	be.PutUint16(sum, fold(uint64(be.Uint16(sum))+uint64(^whole)+uint64(length)))
	return head
}

// empty takes an empty buffer, nil where there is none.
func (c *Cache) empty() *Buf {
	got := c.Take(1)
	if len(got) == 0 {
		return nil
	}
	got[0].Reset()
	return got[0]
}

// extend appends data to the frame that ends in last, in further buffers where one is full. It returns the last of them;
// nil where the cache has too few.
func (c *Cache) extend(last *Buf, data []byte) *Buf {
	for len(data) > 0 && last != nil {
		n := min(len(data), c.pool.room-last.Len())
		copy(last.Append(n), data)
		if data = data[n:]; len(data) == 0 {
			break
		}
		next := c.empty()
		if next != nil {
			last.SetNext(next)
		}
		last = next
	}
	return last
}
