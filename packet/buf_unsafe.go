package packet

import "unsafe"

// Buf is the record of one buffer: where it lies, and what the frame in it is. Records lie outside
// the Go heap and outside the memory that cards reach, 32 bytes each, two to a cache line; what few
// frames need lies in a second record at a fixed distance (more).
//
// A Buf is always handled by pointer, and only its pool makes one.
type Buf struct {
	iova  uint64
	base  unsafe.Pointer
	span  Span
	hash  uint32
	index uint32 // pool number in the upper 8 bits, number within the pool in the lower 24
}

// more is the part of the metadata that the plain path of a packet does not touch. Its pointer lies
// where that of Buf does, since a garbage collector that scans records takes all for Buf.
type more struct {
	timestamp int64 // nanoseconds of the card's clock
	next      *Buf
	vlan      uint16
	sumStart  uint16 // from the start of the buffer
	sumOffset uint16
	mss       uint16
	_         [8]byte
}

// Records come in groups: 128 Buf, then 128 more. The odd line between them keeps a buffer's two
// records from having the same address modulo 4 KiB, which processors mistake for the same place.
const (
	groupSize  = 128
	bufSize    = unsafe.Sizeof(Buf{})
	moreDelta  = groupSize*bufSize + 64
	groupBytes = 2*groupSize*bufSize + 128
)

// Both records must have the same size for moreDelta to be right, and the same place for the pointer.
var (
	_ [unsafe.Sizeof(more{}) - bufSize]struct{}                            = [bufSize - unsafe.Sizeof(more{})]struct{}{}
	_ [unsafe.Offsetof(more{}.next) - unsafe.Offsetof(Buf{}.base)]struct{} = [unsafe.Offsetof(Buf{}.base) - unsafe.Offsetof(more{}.next)]struct{}{}
)

// Span is where a frame lies in its buffer and what is known of it, in one word that is written at
// once: length in bits 0–15, Flags in 16–47, offset of the first byte in 48–63. So each is had by one instruction, and a
// transmit queue that masks the offset away compares length and flags at once.
type Span uint64

const (
	flagsShift  = 16
	offsetShift = 48
)

// MakeSpan packs a span. A card's receive queue makes one with length 0 beforehand and adds
// SpanLen(n) for each frame.
func MakeSpan(off, length int, f Flags) Span {
	return Span(uint16(length)) | Span(f)<<flagsShift | Span(off)<<offsetShift
}

// SpanLen is a span of length n and nothing else.
func SpanLen(n uint64) Span { return Span(n) }

// SpanOffset is a span at an offset and nothing else.
func SpanOffset(off uint64) Span { return Span(off << offsetShift) }

// Offset returns the distance in bytes from the start of the buffer to the first byte of the frame.
func (s Span) Offset() uint64 { return uint64(s >> offsetShift) }

// Len returns the number of bytes of the frame in this buffer.
func (s Span) Len() uint64 { return uint64(uint16(s)) }

// Flags returns the flags.
func (s Span) Flags() Flags { return Flags(s >> flagsShift) }

// ChainedSpan is the bit that Chained sets in a Span.
const ChainedSpan = Span(Chained) << flagsShift

// HashSpan is the bit that HasHash sets in a Span.
const HashSpan = Span(HasHash) << flagsShift

// PortFlags returns the flags of a frame that came in at a port.
func PortFlags(port uint8) Flags { return Flags(port) << portShift }

// Span returns the buffer's span, for drivers.
func (b *Buf) Span() Span {
	check(b)
	return b.span
}

// SetSpan replaces the buffer's span, for drivers. The caller guarantees that offset and length lie
// within the buffer; SetOffsetLen checks it.
func (b *Buf) SetSpan(s Span) { b.span = s }

// IOVA returns where the card finds the first byte of the buffer, headroom included.
func (b *Buf) IOVA() uint64 { return b.iova }

// PoolID returns the number of the buffer's pool, in the upper 8 bits of the result.
func (b *Buf) PoolID() uint32 { return b.index &^ (1<<24 - 1) }

// poolFlags returns the number of the buffer's pool where Flags have it.
func (b *Buf) poolFlags() Flags { return Flags(b.index>>24) << poolShift }

// Bytes returns the frame's bytes in this buffer. The slice is the owner's to change and is valid
// until ownership goes.
func (b *Buf) Bytes() []byte {
	check(b)
	s := b.span
	// An array is cheaper to slice than unsafe.Slice, which looks out for the end of the address space.
	return (*[1 << 16]byte)(unsafe.Add(b.base, s.Offset()))[:s.Len():s.Len()]
}

// Front returns the bytes of the buffer before the frame: headroom, which is the owner's to write to as well.
func (b *Buf) Front() []byte {
	check(b)
	n := b.span.Offset()
	return (*[1 << 16]byte)(b.base)[:n:n]
}

// Len returns the number of bytes of the frame in this buffer; TotalLen counts a whole chain.
func (b *Buf) Len() int { return int(b.span.Len()) }

// Flags returns the buffer's flags without the number of its pool.
func (b *Buf) Flags() Flags { return b.span.Flags() &^ PoolMask }

// SetFlags sets flags and leaves the others, and the pool's number.
func (b *Buf) SetFlags(f Flags) { b.span |= Span(f&^PoolMask) << flagsShift }

// ClearFlags clears flags and leaves the others.
func (b *Buf) ClearFlags(f Flags) { b.span &^= Span(f&^PoolMask) << flagsShift }

// Port returns the number of the port that received the frame.
func (b *Buf) Port() uint8 { return uint8(b.span >> (flagsShift + portShift)) }

// Hash returns the hash that the card computed; it means something with HasHash.
func (b *Buf) Hash() uint32 { return b.hash }

// SetSpanHash replaces the buffer's span, as SetSpan does, and its hash, which means something where the span's flags
// say so.
func (b *Buf) SetSpanHash(s Span, h uint32) { b.span, b.hash = s, h }

// SetHash stores a hash and sets HasHash.
func (b *Buf) SetHash(h uint32) {
	b.hash = h
	b.SetFlags(HasHash)
}

func (b *Buf) more() *more { return (*more)(unsafe.Add(unsafe.Pointer(b), moreDelta)) }

// room returns all bytes of the buffer, headroom included.
func (b *Buf) room() []byte {
	check(b)
	return unsafe.Slice((*byte)(b.base), b.pool().stride)
}

// place gives a record of a new pool its buffer.
func (b *Buf) place(mem []byte, iova uint64, index uint32) {
	b.base, b.iova, b.index = unsafe.Pointer(unsafe.SliceData(mem)), iova, index
	b.span = MakeSpan(Headroom, 0, b.poolFlags())
}

// Ref is a *Buf where the garbage collector does not look, so that storing one is a plain store: rings and
// pools hold thousands. The buffer's pool keeps its record.
type Ref uintptr

// Set makes the Ref refer to b.
func (r *Ref) Set(b *Buf) { *r = Ref(uintptr(unsafe.Pointer(b))) }

// Buf returns the buffer that was set, nil for the zero Ref.
func (r *Ref) Buf() *Buf { return *(**Buf)(unsafe.Pointer(r)) }

// Refs views buffers as Refs, for rings.
func Refs(bufs []*Buf) []Ref { return *(*[]Ref)(unsafe.Pointer(&bufs)) }

// bufs views Refs as buffers.
func bufs(refs []Ref) []*Buf { return *(*[]*Buf)(unsafe.Pointer(&refs)) }

// records is the memory of a pool's records.
type records struct {
	base unsafe.Pointer
	keep any // what keeps the memory
}

// at returns record i, which the caller guarantees to be within the pool.
func (r records) at(i uint32) *Buf {
	return (*Buf)(unsafe.Add(r.base, uintptr(i/groupSize)*groupBytes+uintptr(i%groupSize)*bufSize))
}

// recordBytes is the size of the records of n buffers.
func recordBytes(n int) int { return (n + groupSize - 1) / groupSize * int(groupBytes) }
