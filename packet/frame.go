package packet

// SetOffsetLen places the frame at off bytes from the start of the buffer, headroom included, with
// length n. It reports whether that fits and changes nothing if not.
func (b *Buf) SetOffsetLen(off, n int) bool {
	if off < 0 || n < 0 || off > len(b.room())-n {
		return false
	}
	b.span = MakeSpan(off, n, b.span.Flags())
	return true
}

// Reset makes the buffer an empty frame behind the usual headroom, with no metadata.
func (b *Buf) Reset() {
	check(b)
	b.span = MakeSpan(Headroom, 0, b.poolFlags())
}

// SetBytes makes the buffer a frame with a copy of data, behind the usual headroom. It reports
// whether data fits.
func (b *Buf) SetBytes(data []byte) bool {
	b.Reset()
	if !b.SetOffsetLen(Headroom, len(data)) {
		return false
	}
	copy(b.Bytes(), data)
	return true
}

// Prepend makes the frame n bytes longer at its front and returns those bytes; nil where the
// headroom is too small.
func (b *Buf) Prepend(n int) []byte {
	if n < 0 || !b.SetOffsetLen(int(b.span.Offset())-n, b.Len()+n) {
		return nil
	}
	return b.Bytes()[:n]
}

// Append makes the frame n bytes longer at its end and returns those bytes; nil where there is no
// room behind it.
func (b *Buf) Append(n int) []byte {
	if n < 0 || !b.SetOffsetLen(int(b.span.Offset()), b.Len()+n) {
		return nil
	}
	return b.Bytes()[b.Len()-n:]
}

// TrimFront takes n bytes off the front. It reports whether the frame has that many in this buffer.
func (b *Buf) TrimFront(n int) bool {
	return n >= 0 && n <= b.Len() && b.SetOffsetLen(int(b.span.Offset())+n, b.Len()-n)
}

// Truncate cuts the frame to n bytes in this buffer. It reports whether it has that many.
func (b *Buf) Truncate(n int) bool {
	return n >= 0 && n <= b.Len() && b.SetOffsetLen(int(b.span.Offset()), n)
}

// Next returns the buffer in which the frame goes on, or nil.
func (b *Buf) Next() *Buf {
	if b.Flags()&Chained == 0 {
		return nil
	}
	return b.more().next
}

// SetNext makes the frame go on in next, which then belongs to b's owner as part of b; nil ends the
// frame with b.
func (b *Buf) SetNext(next *Buf) {
	if next == nil {
		b.ClearFlags(Chained)
		return
	}
	b.more().next = next
	b.SetFlags(Chained)
}

// TotalLen returns the number of bytes of a frame in all its buffers.
func (b *Buf) TotalLen() int {
	n := 0
	for s := b; s != nil; s = s.Next() {
		n += s.Len()
	}
	return n
}

// Segments returns the number of buffers of a frame.
func (b *Buf) Segments() int {
	n := 0
	for s := b; s != nil; s = s.Next() {
		n++
	}
	return n
}

// AppendTo appends the bytes of a frame, of all its buffers, to dst and returns the result.
func (b *Buf) AppendTo(dst []byte) []byte {
	for s := b; s != nil; s = s.Next() {
		dst = append(dst, s.Bytes()...)
	}
	return dst
}

// Timestamp returns when the frame arrived, in nanoseconds of the clock of the card, or the kernel.
func (b *Buf) Timestamp() (ns int64, ok bool) {
	if b.Flags()&HasTimestamp == 0 {
		return 0, false
	}
	return b.more().timestamp, true
}

// SetTimestamp stores a time of arrival.
func (b *Buf) SetTimestamp(ns int64) {
	b.more().timestamp = ns
	b.SetFlags(HasTimestamp)
}
