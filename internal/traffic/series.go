package traffic

import "encoding/binary"

// seriesFrames is how many frames a Series keeps at least: a prime, see variants.
const seriesFrames = 67

// Series is a stream of frames in memory of its own, for senders that copy a frame, or pass it on by
// reference, before its memory comes round again. It has one owner.
type Series struct {
	t      *Templates
	frames []seriesFrame // used in turn
	at     int
	next   uint64 // sequence number
	plain  bool   // only sequence number and check word change
}

type seriesFrame struct {
	data []byte
	tag  *[tagLen]byte // in data
	sum  uint64        // check sum without the sequence number, for plain series
}

// NewSeries renders the first frames of t's stream.
func NewSeries(t *Templates) *Series {
	s := &Series{t: t, plain: t.flows == 1 && t.layout.checksum == 0}
	// A multiple of the period, so that memory always holds frames of one size, and no power of two.
	n := (seriesFrames + t.Period() - 1) / t.Period() * t.Period()
	for n&(n-1) == 0 {
		n += t.Period()
	}
	for i := range uint64(n) {
		// Each starts on a cache line: the next 64 bytes after the one before.
		data := make([]byte, t.Size(i), (t.Size(i)+63)&^63)
		t.Render(data, i)
		f := seriesFrame{data: data[:len(data):len(data)], tag: (*[tagLen]byte)(data[t.layout.tag:])}
		f.sum = t.of(i).sum + variantSum(f.tag) + uint64(t.port<<8|t.port>>8)*t.portSum
		s.frames = append(s.frames, f)
	}
	return s
}

// Len is the number of frames that are valid at the same time, at least 67.
func (s *Series) Len() int { return len(s.frames) }

// Sent is the number of frames that Next has returned.
func (s *Series) Sent() uint64 { return s.next }

// Next returns the next frame of the stream. It stays valid until Next was called Len times more.
func (s *Series) Next() []byte {
	f := &s.frames[s.at]
	if s.at++; s.at == len(s.frames) {
		s.at = 0
	}
	seq := s.next
	s.next++
	if !s.plain {
		s.t.Fill(f.data, seq)
		return f.data
	}
	number := seq & s.t.numbered
	binary.LittleEndian.PutUint64(f.tag[tagSeq:], number)
	binary.LittleEndian.PutUint32(f.tag[tagCheck:], mix(f.sum+number*kSeq))
	return f.data
}
