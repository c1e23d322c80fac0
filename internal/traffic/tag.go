package traffic

import "encoding/binary"

// The tag follows the headers of every frame, little-endian:
//
//	0  2  magic "gn"
//	2  1  0xA0 and the flags
//	3  1  variant: which stretch of the pattern follows the tag
//	4  2  stream
//	6  8  sequence number
//	14 4  check word over headers, length and tag
//
// The pattern fills the rest of the frame. It follows the variant instead of the sequence number so
// that a buffer rendered once needs only 12 new bytes per frame.
const (
	tagLen     = 18
	tagVariant = 3
	tagSeq     = 6
	tagCheck   = 14

	magic     = 'g' | 'n'<<8 | 0xA0<<16
	magicMask = 0xFCFFFF

	flagSeq     = 1 << 16 // the sequence number counts
	flagHeaders = 1 << 17 // the check word covers the headers
)

// variants is a prime, so that the old content of a ring or pool slot (their sizes are powers of
// two) differs from the new one.
const variants = 251

// The check word is a sum of 64-bit words, each times its own odd constant, then mixed. Being linear
// before the mix, the part of a frame that never changes is summed once per template.
const (
	k0 = 0x9E3779B97F4A7C15
	k1 = 0xBF58476D1CE4E5B9
	k2 = 0x94D049BB133111EB
	k3 = 0xD6E8FEB86659FD93
	k4 = 0xA0761D6478BD642F
	k5 = 0xE7037ED1A0B428DB
	k6 = 0x8EBC6AF09C88C6E3
	k7 = 0x589965CC75374CC3

	kHead   = 0xC2B2AE3D27D4EB4F
	kLength = 0x165667B19E3779F9
	kSeq    = 0xFF51AFD7ED558CCD
	kMix    = 0xC4CEB9FE1A85EC53
)

func mix(sum uint64) uint32 {
	sum ^= sum >> 32
	sum *= kMix
	return uint32(sum >> 32)
}

// Byte 1 of a frame is left out of the check: forwarding with --touch increments it.
const untouched = ^uint64(0xff00)

// sumHeaders sums the n bytes before the tag, where n is a layout's tag offset and f has at least as
// many. It leaves out byte 1 and a checksum over the tag, which cannot be part of its own check.
func sumHeaders(f []byte, n int) uint64 {
	le := binary.LittleEndian
	switch n {
	case 42:
		f = f[:42]
		return le.Uint64(f)&untouched*k0 + le.Uint64(f[8:])*k1 + le.Uint64(f[16:])*k2 +
			le.Uint64(f[24:])*k3 + le.Uint64(f[32:])*k4 + le.Uint64(f[34:])*k5
	case 54:
		f = f[:54]
		return le.Uint64(f)&untouched*k0 + le.Uint64(f[8:])*k1 + le.Uint64(f[16:])*k2 +
			le.Uint64(f[24:])*k3 + le.Uint64(f[32:])*k4 + le.Uint64(f[40:])*k5 +
			le.Uint64(f[46:])&^(0xffff<<32)*k6
	case 62:
		f = f[:62]
		return le.Uint64(f)&untouched*k0 + le.Uint64(f[8:])*k1 + le.Uint64(f[16:])*k2 +
			le.Uint64(f[24:])*k3 + le.Uint64(f[32:])*k4 + le.Uint64(f[40:])*k5 +
			le.Uint64(f[48:])*k6 + le.Uint64(f[54:])&^(0xffff<<48)*k7
	}
	f = f[:14]
	return le.Uint64(f)&untouched*k0 + le.Uint64(f[6:])*k1
}

// pattern is what frames are filled up with: a frame of variant v has pattern[v:] after its tag.
var pattern = func() (p [MaxSize + variants]byte) {
	x := uint64(k0)
	for i := range p {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		p[i] = byte(x >> 56)
	}
	return p
}()
