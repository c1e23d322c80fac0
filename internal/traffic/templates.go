package traffic

import "encoding/binary"

// Templates holds the frames of one Spec, prepared so that a new frame costs a few stores. It does
// not change after New; concurrent use is safe.
type Templates struct {
	layout   layout
	needed   int // bytes up to the end of the tag
	size     []sizeTemplate
	flows    uint64
	port     uint16
	portSum  uint64 // what a source port, as a little-endian number, adds to the check sum per unit
	stream   uint16
	numbered uint64 // all ones if frames are numbered
	perFrame bool   // whether frames of one size differ at all
}

type sizeTemplate struct {
	bytes  int
	prefix []byte // headers and tag, with port, variant, sequence number and check word 0
	sum    uint64 // its check sum
}

// New prepares the frames of a spec. The error says what of the spec is out of range.
func New(spec Spec) (*Templates, error) {
	s, l, err := spec.resolve()
	if err != nil {
		return nil, err
	}
	t := &Templates{layout: *l, needed: l.tag + tagLen, flows: uint64(s.Flows), port: s.SrcPort, stream: s.Stream}
	t.perFrame = s.Seq || s.Flows > 1
	head := uint64(magic) | uint64(s.Stream)<<32
	if s.Seq {
		t.numbered = ^uint64(0)
		head |= flagSeq
	}
	if !s.Routed {
		head |= flagHeaders
	}
	for _, n := range s.Sizes {
		f := make([]byte, n)
		putHeaders(f, &s, l)
		binary.LittleEndian.PutUint64(f[l.tag:], head)
		sum := head*kHead + uint64(n)*kLength
		if !s.Routed {
			plain := sumHeaders(f, l.tag)
			sum += plain
			if l.port != 0 {
				f[l.port] = 1
				t.portSum = sumHeaders(f, l.tag) - plain
				f[l.port] = 0
			}
		}
		t.size = append(t.size, sizeTemplate{bytes: n, prefix: f[: l.tag+tagLen : l.tag+tagLen], sum: sum})
	}
	return t, nil
}

// Stream returns the stream's id.
func (t *Templates) Stream() uint16 { return t.stream }

// Period is the number of sizes used in turn: frames whose sequence numbers differ by a multiple of
// it have the same size.
func (t *Templates) Period() int { return len(t.size) }

// Size returns the length in bytes, without FCS, of the frame with a sequence number.
func (t *Templates) Size(seq uint64) int { return t.of(seq).bytes }

func (t *Templates) of(seq uint64) *sizeTemplate {
	if len(t.size) == 1 {
		return &t.size[0]
	}
	return &t.size[seq%uint64(len(t.size))]
}

// Render writes the whole frame with a sequence number and returns its length, or 0 if dst is too
// short for it. With udp6 and tcp4 it sums the payload for the checksum; Fill does not.
func (t *Templates) Render(dst []byte, seq uint64) int {
	st, l := t.of(seq), t.layout
	if len(dst) < st.bytes {
		return 0
	}
	dst = dst[:st.bytes]
	copy(dst, st.prefix)
	variant := int(seq % variants)
	dst[l.tag+tagVariant] = byte(variant)
	copy(dst[l.tag+tagLen:], pattern[variant:])
	if l.checksum != 0 {
		binary.LittleEndian.PutUint16(dst[l.checksum:], ^fold(sumL4(dst, &l)))
	}
	t.stamp(dst, st.sum, seq)
	return st.bytes
}

// Fill turns a frame that t rendered earlier, for a sequence number of the same Size, into the one
// with number seq: it writes source port, sequence number, check word and checksum where they are
// used. What t did not render comes out as garbage; a dst too short for a tag is left alone.
func (t *Templates) Fill(dst []byte, seq uint64) {
	if t.perFrame {
		t.stamp(dst, t.of(seq).sum, seq)
	}
}

func (t *Templates) stamp(dst []byte, sum, seq uint64) {
	if len(dst) < t.needed {
		return
	}
	le := binary.LittleEndian
	tag := (*[tagLen]byte)(dst[t.layout.tag:])
	number := seq & t.numbered
	sum += variantSum(tag) + number*kSeq
	if t.layout.port != 0 {
		port := t.port
		if t.flows > 1 {
			port += uint16(seq % t.flows)
		}
		port = port<<8 | port>>8
		sum += uint64(port) * t.portSum
		if t.layout.checksum != 0 {
			t.updateChecksum(dst, port, number, mix(sum))
		}
		le.PutUint16(dst[t.layout.port:], port)
	}
	le.PutUint64(tag[tagSeq:], number)
	le.PutUint32(tag[tagCheck:], mix(sum))
}

// variantSum is what a frame's variant adds to its check sum.
func variantSum(tag *[tagLen]byte) uint64 {
	return uint64(tag[tagVariant]) << (8 * tagVariant) * kHead
}

// updateChecksum makes up for new values of the fields that differ from frame to frame (RFC 1624,
// equation 3). It reads the old values and must run before they are overwritten.
func (t *Templates) updateChecksum(dst []byte, port uint16, number uint64, check uint32) {
	l, le := t.layout, binary.LittleEndian
	tag := dst[l.tag : l.tag+tagLen]
	sum := uint64(^le.Uint16(dst[l.checksum:])) + uint64(^le.Uint16(dst[l.port:])) + uint64(port) +
		uint64(^le.Uint32(tag[tagCheck:])) + uint64(check)
	sum = add16(sum, ^le.Uint64(tag[tagSeq:]))
	sum = ^add16(sum, number)
	// ^ of an unfolded sum is the sum's one's complement negative, as ^ of the folded one is.
	c := fold(sum)
	if c == 0xffff && !l.zeroIsAll || c == 0 && l.zeroIsAll {
		c = ^c
	}
	le.PutUint16(dst[l.checksum:], c)
}
