package packet

import (
	"bytes"
	"math"
	"testing"
)

func TestGrowAndShrink(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64, Room: 256})
	b := one(t, p)
	end := len(b.room())
	if !b.SetBytes([]byte("frame")) || string(b.Bytes()) != "frame" || b.Span().Offset() != Headroom {
		t.Fatalf("SetBytes: %q at %d", b.Bytes(), b.Span().Offset())
	}
	b.SetFlags(IPChecksumGood)
	copy(b.Prepend(3), "the")
	copy(b.Append(4), "ends")
	if string(b.Bytes()) != "theframeends" {
		t.Fatalf("%q", b.Bytes())
	}
	if !b.TrimFront(3) || !b.Truncate(5) || string(b.Bytes()) != "frame" {
		t.Fatalf("trimmed to %q", b.Bytes())
	}
	if b.Flags() != IPChecksumGood {
		t.Errorf("flags became %#x", b.Flags())
	}

	// Up to the limits, and not beyond.
	if b.Prepend(Headroom+1) != nil || b.Prepend(-1) != nil || len(b.Prepend(Headroom)) != Headroom || b.Prepend(1) != nil {
		t.Error("Prepend does not end at the start of the buffer")
	}
	left := end - b.Len()
	if b.Append(left+1) != nil || b.Append(-1) != nil || len(b.Append(left)) != left || b.Append(1) != nil {
		t.Error("Append does not end at the end of the buffer")
	}
	if b.Len() != end || len(b.Bytes()) != end {
		t.Errorf("%d bytes of %d", b.Len(), end)
	}
	if b.Append(0) == nil || b.Prepend(0) == nil {
		t.Error("nothing does not fit a full buffer")
	}
	if b.TrimFront(end+1) || b.TrimFront(-1) || b.Truncate(end+1) || b.Truncate(-1) || b.Len() != end {
		t.Error("a refused cut changed the frame, or was not refused")
	}
	if !b.TrimFront(end) || b.Len() != 0 || b.TrimFront(1) || !b.Truncate(0) {
		t.Error("the whole frame cannot be cut off")
	}
	for _, bad := range [][2]int{{0, end + 1}, {1, end}, {end + 1, 0}, {-1, 1}, {0, -1}, {math.MaxInt, 1}, {1, math.MaxInt}, {math.MaxInt, math.MaxInt}} {
		before := b.Span()
		if b.SetOffsetLen(bad[0], bad[1]) || b.Span() != before {
			t.Errorf("offset %d with length %d was accepted", bad[0], bad[1])
		}
	}
	if b.Append(math.MaxInt) != nil || b.Prepend(math.MaxInt) != nil {
		t.Error("a huge frame was accepted")
	}
	if b.SetBytes(make([]byte, end-Headroom+1)) || !b.SetBytes(make([]byte, end-Headroom)) {
		t.Error("SetBytes does not take exactly what fits")
	}
}

func TestChain(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	var parts [3]*Buf
	if p.Alloc(parts[:]) != 3 {
		t.Fatal("no buffers")
	}
	a, b, c := parts[0], parts[1], parts[2]
	a.SetBytes([]byte("one "))
	b.SetBytes([]byte("frame, "))
	c.SetBytes([]byte("three buffers"))
	a.SetNext(b)
	b.SetNext(c)
	if a.Segments() != 3 || a.TotalLen() != 24 || a.Len() != 4 || c.Next() != nil || a.Next() != b {
		t.Errorf("%d segments, %d bytes", a.Segments(), a.TotalLen())
	}
	if got := a.AppendTo([]byte("> ")); string(got) != "> one frame, three buffers" {
		t.Errorf("%q", got)
	}
	if a.Span()&ChainedSpan == 0 || c.Span()&ChainedSpan != 0 {
		t.Error("the span does not say whether the frame goes on")
	}
	Free([]*Buf{a})
	if n := p.Available(); n != p.Len() {
		t.Errorf("Free of a chain returned %d of 3 buffers", n-p.Len()+3)
	}

	// A frame cut after its first buffer leaves the rest to the caller.
	p.Alloc(parts[:2])
	a, b = parts[0], parts[1]
	a.SetNext(b)
	a.SetNext(nil)
	Free([]*Buf{nil, a, nil})
	if n := p.Available(); n != p.Len()-1 {
		t.Errorf("%d buffers are out, want 1", p.Len()-n)
	}
	Free([]*Buf{b})
}

func TestMetadata(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	b := one(t, p)
	_, vlan := b.VLAN()
	_, ts := b.Timestamp()
	if vlan || ts || b.Flags() != 0 || b.Port() != 0 || b.Next() != nil {
		t.Error("a fresh buffer has metadata")
	}
	b.SetBytes(bytes.Repeat([]byte{0xff}, 100))
	b.SetFlags(PortFlags(255))
	b.SetHash(0xdeadbeef)
	b.SetVLAN(0xffff)
	b.SetTimestamp(-5)
	b.SetFlags(L4ChecksumBad)
	tci, _ := b.VLAN()
	ns, _ := b.Timestamp()
	if b.Port() != 255 || b.Hash() != 0xdeadbeef || tci != 0xffff || ns != -5 || b.Len() != 100 {
		t.Errorf("port %d, hash %#x, tag %#x, time %d, length %d", b.Port(), b.Hash(), tci, ns, b.Len())
	}
	b.ClearFlags(HasVLAN | L4ChecksumBad)
	if _, ok := b.VLAN(); ok || b.Flags() != HasHash|HasTimestamp|PortFlags(255) {
		t.Errorf("flags %#x", b.Flags())
	}
	b.Reset()
	if b.Flags() != 0 || b.Len() != 0 {
		t.Error("Reset left metadata")
	}
}
