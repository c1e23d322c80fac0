// Package packet holds the buffers that frames live in: memory that cards reach by DMA, cut into
// pieces of one size, and a small record about each piece.
//
// A buffer has one owner at a time, and it travels in a circle: pool → receive ring → worker →
// transmit ring → pool. Only the owner may touch the record or the bytes. Pools hand out and take
// back buffers in bulk through a Cache, one for each owner, over a store that needs no lock.
package packet

import "errors"

const (
	// Headroom is the number of free bytes in front of a frame as a card writes it, for headers
	// that are put before it.
	Headroom = 128
	// DefaultRoom is the number of bytes behind the headroom in a buffer of a default pool: a
	// frame of the standard MTU with room to spare, and the 82599's buffer size unless told
	// otherwise (datasheet 8.2.3.8.7, SRRCTL.BSIZEPACKET).
	DefaultRoom = 2048
	// MaxRoom is the largest room that a pool may be given: what one descriptor can describe.
	MaxRoom = 16 << 10
)

// Flags say which of a buffer's metadata hold something. Bits 16–23 are the number of the buffer's
// pool, bits 24–31 that of the port that received the frame.
type Flags uint32

// The flags of a buffer.
const (
	// Chained means that the frame goes on in another buffer, Next.
	Chained Flags = 1 << iota
	// HasHash means that the card computed Hash.
	HasHash
	// HasVLAN means that VLAN holds a tag which was taken out of the frame.
	HasVLAN
	// HasTimestamp means that Timestamp is the time of reception, by the card or the kernel.
	HasTimestamp
	// IPChecksumGood and IPChecksumBad: the card verified the IPv4 header checksum.
	IPChecksumGood
	IPChecksumBad
	// L4ChecksumGood and L4ChecksumBad: the card verified the TCP, UDP or SCTP checksum.
	L4ChecksumGood
	L4ChecksumBad
	// NeedsChecksum means that a TCP or UDP checksum is partial, at the place that Checksum returns.
	NeedsChecksum
	// NeedsSegment means that the frame holds several segments of a TCP connection, or datagrams of a UDP flow, behind
	// one set of headers, up to 64 KB, and has to be cut before it goes to a wire: into those of SegmentSize. It comes
	// with NeedsChecksum.
	NeedsSegment
	// NeedsTimestamp asks for the time at which the frame leaves, of ports that have nic.Timestamps; others pass over it.
	NeedsTimestamp

	// PoolMask are the bits of the pool's number.
	PoolMask Flags = 0xff << poolShift

	// TxMask are the flags that a transmit queue has to heed: what it sends without a closer look has none of
	// them but the number of the pool.
	TxMask = Chained | HasVLAN | NeedsChecksum | NeedsSegment | NeedsTimestamp | PoolMask

	poolShift = 16
	portShift = 24
)

// ErrLeaked is what Pool.Close wraps when buffers are still out.
var ErrLeaked = errors.New("buffers not returned")
