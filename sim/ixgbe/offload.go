package ixgbe

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	chip "glassnic/chip/ixgbe"
	"glassnic/sim/wire"
)

// txOffloads are the bits of a frame's first descriptor that need a context (7.2.3.3).
const txOffloads = chip.TxPOPTSIXSM | chip.TxPOPTSTXSM | chip.TxDCMDVLE | chip.TxDCMDTSE

// txContext is what a context descriptor says (7.2.3.2.3).
type txContext struct{ lo, hi uint64 }

func (x txContext) macLen() int { return int(x.lo >> chip.TxCtxMACLenShift & 0x7f) }
func (x txContext) ipLen() int  { return int(x.lo >> chip.TxCtxIPLenShift & 0x1ff) }
func (x txContext) l4Len() int  { return int(x.hi >> chip.TxCtxL4LenShift & 0xff) }
func (x txContext) mss() int    { return int(x.hi >> chip.TxCtxMSSShift & 0xffff) }
func (x txContext) ipv4() bool  { return x.hi&chip.TxCtxIPv4 != 0 }

// context keeps a context descriptor in the slot that it names.
func (q *txQueue) context(d *descriptor) {
	i, x := d.hi>>chip.TxIDXShift&1, txContext{d.lo, d.hi}
	q.contexts[i], q.journal.contexts[i] = x, x
}

// insertTag inserts the VLAN tag of a context where the first descriptor says so (7.4.1), in place: there is room behind
// the frame.
func (c *Card) insertTag(f []byte, first uint64, x txContext) []byte {
	if first&chip.TxDCMDVLE == 0 || len(f) < shortest {
		return f
	}
	n, at := len(f), c.insertAt(f)
	f = append(f, 0, 0, 0, 0)
	copy(f[at+4:], f[at:n])
	binary.BigEndian.PutUint16(f[at:], uint16(c.get(chip.DMATXCTL)>>chip.DmatxctlVTShift))
	binary.BigEndian.PutUint16(f[at+2:], uint16(x.lo>>chip.TxCtxVLANShift))
	return f
}

// insertChecksums inserts those that the first descriptor asks for (7.2.5). What software put into the place of a TCP or
// UDP checksum, the sum of the pseudo header, is part of it. It reports false where they do not lie within the frame.
func insertChecksums(f []byte, first uint64, x txContext) bool {
	ip, l4 := x.macLen(), x.macLen()+x.ipLen()
	if first&chip.TxPOPTSIXSM != 0 && x.ipv4() {
		if x.ipLen() < 20 || l4 > len(f) {
			return false
		}
		f[ip+10], f[ip+11] = 0, 0
		binary.LittleEndian.PutUint16(f[ip+10:], ^uint16(fold(sum(f[ip:l4]))))
	}
	if first&chip.TxPOPTSTXSM == 0 {
		return true
	}
	at := map[uint64]int{chip.TxCtxTCP: 16, chip.TxCtxUDP: 6, chip.TxCtxSCTP: 8}[x.hi&chip.TxCtxL4TMask]
	if at == 0 || l4+at+4 > len(f) {
		return false
	}
	field := f[l4+at:]
	if x.hi&chip.TxCtxL4TMask == chip.TxCtxSCTP { // RFC 9260, appendix A
		copy(field, zero4[:])
		binary.LittleEndian.PutUint32(field, crc32.Checksum(f[l4:], castagnoli))
		return true
	}
	v := ^uint16(fold(sum(f[l4:])))
	if v == 0 {
		v = 0xffff
	}
	binary.LittleEndian.PutUint16(field, v)
	return true
}

// segment is TCP segmentation (7.2.4): it makes frames of a context's headers and payload out of one, and returns
// them; nil for what cannot be. Nothing else has to be done for them.
func (c *Card) segment(whole []byte, first uint64, x txContext) (frames [][]byte) {
	ip, l4 := x.macLen(), x.macLen()+x.ipLen()
	headers := l4 + x.l4Len()
	payload := int(first >> chip.TxPaylenShift)
	tcp := x.hi&chip.TxCtxL4TMask == chip.TxCtxTCP
	ipLeast, l4Least := 40, 8
	if x.ipv4() {
		ipLeast = 20
	}
	if tcp {
		l4Least = 20
	}
	if x.mss() == 0 || x.ipLen() < ipLeast || x.l4Len() < l4Least || ip < shortest || payload == 0 || len(whole) != headers+payload ||
		headers+x.mss() > wire.MaxFrame-4 || x.hi&chip.TxCtxL4TMask == chip.TxCtxSCTP ||
		c.insertAt(whole) == 0 {
		return nil
	}
	need := (payload + x.mss() - 1) / x.mss() * (headers + x.mss() + 4)
	if cap(c.txSegments) < need {
		c.txSegments = make([]byte, 0, need)
	}
	out := c.txSegments[:0]
	for i, at := 0, 0; at < payload; i, at = i+1, at+x.mss() {
		n := min(x.mss(), payload-at)
		start := len(out)
		out = append(append(out, whole[:headers]...), whole[headers+at:headers+at+n]...)
		f := out[start:]
		length := x.ipLen() + x.l4Len() + n
		if x.ipv4() { // 7.2.4.6
			binary.BigEndian.PutUint16(f[ip+2:], uint16(length))
			binary.BigEndian.PutUint16(f[ip+4:], binary.BigEndian.Uint16(f[ip+4:])+uint16(i))
		} else {
			binary.BigEndian.PutUint16(f[ip+4:], uint16(length-40))
		}
		field := f[l4+6:]
		if tcp {
			field = f[l4+16:]
			binary.BigEndian.PutUint32(f[l4+4:], binary.BigEndian.Uint32(f[l4+4:])+uint32(at))
			if at+n < payload {
				f[l4+13] &^= 0x09 // FIN and PSH go with the last
			}
			if i > 0 {
				f[l4+13] &^= 0x80 // CWR with the first (RFC 3168, 6.1.2)
			}
		} else {
			binary.BigEndian.PutUint16(f[l4+4:], uint16(x.l4Len()+n))
		}
		// Software left the length out of the pseudo header's sum (7.2.4.4).
		partial := uint64(binary.LittleEndian.Uint16(field)) + uint64(bits.ReverseBytes16(uint16(x.l4Len()+n)))
		binary.LittleEndian.PutUint16(field, uint16(fold(partial)))
		insertChecksums(f, first|chip.TxPOPTSTXSM|chip.TxPOPTSIXSM, x)
		f = c.insertTag(f, first, x)
		out = out[:start+len(f)]
		frames = append(frames, f)
	}
	return frames
}

// sendSegments puts the segments of one frame on the wire, from where the last call came to. It reports whether all are
// gone.
func (q *txQueue) sendSegments(c *Card, frames [][]byte) bool {
	for q.segment < len(frames) {
		n := min(batch, len(frames)-q.segment)
		for i, f := range frames[q.segment:][:n] {
			c.txBuf[i] = wire.Frame{Data: f}
		}
		sent := q.transmit(c, n)
		q.segment += sent
		if sent < n {
			return false
		}
	}
	q.segment = 0
	return true
}
