package traffic

import (
	"bytes"
	"encoding/binary"
)

// Verdict says what a checker thinks of a frame.
type Verdict uint8

// The verdicts. Each frame gets one.
const (
	OK        Verdict = iota // intact and, in a numbered stream, the one expected
	Gap                      // intact, and frames before it are missing
	Reordered                // intact, and counted as lost when a later one came first
	Duplicate                // seen before
	Stale                    // older than the window of 65,472 frames: late or duplicate
	Corrupt                  // made by Templates, and changed since
	Foreign                  // not made by Templates
)

var verdicts = [...]string{"ok", "gap", "reordered", "duplicate", "stale", "corrupt", "foreign"}

// String returns the verdict in lower case.
func (v Verdict) String() string {
	if int(v) < len(verdicts) {
		return verdicts[v]
	}
	return "unknown"
}

// Totals counts frames by verdict. A frame with the verdict Gap counts as OK.
//
// For one stream, frames sent up to the highest number seen = OK + Reordered + Lost.
type Totals struct {
	OK, Reordered, Duplicate, Stale, Corrupt, Foreign uint64
	// Lost is the number of frames that have not come although later ones have. A frame that comes
	// late leaves it again.
	Lost uint64
}

// Frames returns how many frames were checked.
func (t Totals) Frames() uint64 {
	return t.OK + t.Reordered + t.Duplicate + t.Stale + t.Corrupt + t.Foreign
}

const (
	windowWords = 1024
	window      = windowWords*64 - 64 // one word is being reused
	maxStreams  = 1024                // 8 KiB each; frames of further streams are Foreign
)

// stream remembers which of the last numbers came: bit seq%64 of seen[seq/64%windowWords].
type stream struct {
	next uint64
	seen [windowWords]uint64
}

// Checker gives verdicts on frames of any number of streams, up to 1024, whose numbering starts
// at 0. The zero Checker is ready. It must not be used concurrently.
type Checker struct {
	totals  Totals
	last    *stream // the last frame's
	lastID  uint16
	streams [256]*[256]*stream
	count   int
}

// Totals returns the counts so far.
func (c *Checker) Totals() Totals { return c.totals }

// Reset forgets all streams and counts.
func (c *Checker) Reset() { *c = Checker{} }

// Check counts a frame and returns the verdict on it. It keeps no reference to the frame.
func (c *Checker) Check(f []byte) Verdict {
	n := tagOffset(f)
	if len(f) < n+tagLen || n == 0 {
		return c.reject(f)
	}
	sum := sumHeaders(f, n)
	tag := f[n : n+tagLen]
	head := headOf(tag)
	number := binary.LittleEndian.Uint64(tag[tagSeq:])
	if head&flagHeaders == 0 {
		sum = 0
	}
	sum += head*kHead + uint64(len(f))*kLength + number*kSeq
	if head&magicMask != magic || mix(sum) != binary.LittleEndian.Uint32(tag[tagCheck:]) {
		return c.reject(f)
	}
	if len(f) > n+tagLen && !samePattern(f[n+tagLen:], int(tag[tagVariant])) || n > 42 && !rightChecksum(f, n) {
		c.totals.Corrupt++
		return Corrupt
	}
	if head&flagSeq == 0 {
		c.totals.OK++
		return OK
	}
	s := c.last
	if id := uint16(head >> 32); s == nil || c.lastID != id {
		if s = c.stream(id); s == nil {
			c.totals.Foreign++
			return Foreign
		}
		c.last, c.lastID = s, id
	}
	if number != s.next {
		return c.outOfOrder(s, number)
	}
	w := &s.seen[number/64%windowWords]
	if number%64 == 0 {
		*w = 0
	}
	*w |= 1 << (number % 64)
	s.next++
	c.totals.OK++
	return OK
}

// headOf loads what stands before the sequence number, in two pieces that do not overlap it: a load
// across bytes just stored waits for the store.
func headOf(tag []byte) uint64 {
	le := binary.LittleEndian
	return uint64(le.Uint32(tag)) | uint64(le.Uint16(tag[4:]))<<32
}

// tagOffset finds the tag by the headers; 0 means that no template has such headers.
func tagOffset(f []byte) int {
	if len(f) < MinSize {
		return 0
	}
	switch binary.BigEndian.Uint16(f[12:]) {
	case etherIPv4:
		switch f[23] {
		case protoUDP:
			return 42
		case protoTCP:
			return 54
		}
	case etherIPv6:
		return 62
	case etherARP:
		return 42
	case etherRaw:
		return 14
	}
	return 0
}

func checkWord(f []byte, n int, head, number uint64) uint32 {
	sum := head*kHead + uint64(len(f))*kLength + number*kSeq
	if head&flagHeaders != 0 {
		sum += sumHeaders(f, n)
	}
	return mix(sum)
}

func samePattern(rest []byte, variant int) bool {
	return variant < variants && variant+len(rest) <= len(pattern) && bytes.Equal(rest, pattern[variant:variant+len(rest)])
}

// rightChecksum verifies the one field that the check word leaves out besides byte 1.
func rightChecksum(f []byte, n int) bool {
	for i := range layouts {
		if l := &layouts[i]; l.tag == n && l.checksum != 0 {
			return fold(sumL4(f, l)) == 0xffff
		}
	}
	return true
}

// reject tells Corrupt from Foreign. A frame is ours if it has the magic where a template has it, or
// if only the magic is wrong.
func (c *Checker) reject(f []byte) Verdict {
	for i := range layouts {
		if ours(f, layouts[i].tag) {
			c.totals.Corrupt++
			return Corrupt
		}
	}
	c.totals.Foreign++
	return Foreign
}

func ours(f []byte, n int) bool {
	le := binary.LittleEndian
	if len(f) >= n+4 && le.Uint32(f[n:])&magicMask == magic {
		return true
	}
	if len(f) < n+tagLen {
		return false
	}
	tag := f[n : n+tagLen]
	head := headOf(tag)&^0xffffff | magic
	for flags := uint64(0); flags <= flagSeq|flagHeaders; flags += flagSeq {
		if checkWord(f, n, head|flags, le.Uint64(tag[tagSeq:])) == le.Uint32(tag[tagCheck:]) {
			return true
		}
	}
	return false
}

func (c *Checker) outOfOrder(s *stream, number uint64) Verdict {
	word, bit := number/64%windowWords, uint64(1)<<(number%64)
	if number > s.next {
		s.clear(s.next, number)
		s.seen[word] |= bit
		c.totals.Lost += number - s.next
		c.totals.OK++
		s.next = number + 1
		return Gap
	}
	switch {
	case s.next-number > window:
		c.totals.Stale++
		return Stale
	case s.seen[word]&bit != 0:
		c.totals.Duplicate++
		return Duplicate
	}
	s.seen[word] |= bit
	c.totals.Reordered++
	c.totals.Lost--
	return Reordered
}

// clear empties the words that numbers above from up to and including to enter anew.
func (s *stream) clear(from, to uint64) {
	first, last := (from+63)/64, to/64
	if last-first >= windowWords && last >= first {
		s.seen = [windowWords]uint64{}
		return
	}
	for w := first; w <= last; w++ {
		s.seen[w%windowWords] = 0
	}
}

func (c *Checker) stream(id uint16) *stream {
	group := c.streams[id>>8]
	if group != nil && group[id&255] != nil {
		return group[id&255]
	}
	return c.addStream(id)
}

func (c *Checker) addStream(id uint16) *stream {
	if c.count == maxStreams {
		return nil
	}
	if c.streams[id>>8] == nil {
		c.streams[id>>8] = new([256]*stream)
	}
	c.count++
	s := new(stream)
	c.streams[id>>8][id&255] = s
	return s
}
