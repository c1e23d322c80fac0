package packet

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"glassnic/bus/dma"
)

// TestGeometry fills every byte of every buffer with the buffer's number and looks for it where the card
// would: no two buffers overlap, and none reaches beyond its piece.
func TestGeometry(t *testing.T) {
	for _, room := range []int{64, 65, 128, 1500, 2000, 2048, 4096, 9216, MaxRoom} {
		p, mem := newPool(t, PoolConfig{Buffers: 300, Room: room})
		if p.Len() != 320 {
			t.Fatalf("room %d: %d buffers, want 300 rounded up to 320", room, p.Len())
		}
		if p.Room() < room || p.Room() >= room+64 || p.Room()%64 != 0 {
			t.Errorf("room %d: Room() = %d", room, p.Room())
		}
		batch := make([]*Buf, p.Len())
		if n := p.Alloc(batch); n != len(batch) {
			t.Fatalf("room %d: got %d of %d", room, n, len(batch))
		}
		for i, b := range batch {
			if n := len(b.room()); n%128 != 0 || n/128%2 != 1 || n < Headroom+room {
				t.Fatalf("room %d: stride %d is no odd number of 128-byte lines that holds headroom and room", room, n)
			}
			if b.IOVA()%128 != 0 {
				t.Fatalf("room %d: IOVA %#x is not aligned", room, b.IOVA())
			}
			if b.Span() != MakeSpan(Headroom, 0, p.Flags()) {
				t.Fatalf("room %d: fresh buffer has span %#x", room, b.Span())
			}
			fill(b.room(), i)
		}
		want := make([]byte, len(batch[0].room()))
		for i, b := range batch {
			fill(want, i)
			seen := mem.at(b.IOVA())
			if len(seen) < len(want) {
				t.Fatalf("room %d: buffer %d at %#x straddles the end of its piece", room, i, b.IOVA())
			}
			if !bytes.Equal(seen[:len(want)], want) {
				t.Fatalf("room %d: buffer %d was overwritten, or is not where IOVA %#x says", room, i, b.IOVA())
			}
		}
		Free(batch)
	}
}

// TestAlign: buffers begin where they are told to.
func TestAlign(t *testing.T) {
	for _, c := range []struct{ room, align, stride int }{{1920, 2048, 2048}, {3968, 4096, 4096}, {1984, 2048, 4096}, {64, 128, 256}} {
		p, err := NewPool(dma.NewHeap(), PoolConfig{Buffers: 3000, Room: c.room, Align: c.align})
		if err != nil {
			t.Fatal(err)
		}
		batch := make([]*Buf, p.Len())
		if n := p.Alloc(batch); n != len(batch) {
			t.Fatalf("%+v: got %d of %d", c, n, len(batch))
		}
		for i, b := range batch {
			if b.IOVA()%uint64(c.align) != 0 || len(b.room()) != c.stride {
				t.Fatalf("%+v: buffer %d lies at %#x and has %d bytes", c, i, b.IOVA(), len(b.room()))
			}
		}
		Free(batch)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, align := range []int{-2048, 64, 3000} {
		if _, err := NewPool(dma.NewHeap(), PoolConfig{Buffers: 64, Align: align}); err == nil {
			t.Errorf("buffers aligned to %d", align)
		}
	}
}

func fill(b []byte, i int) {
	for ; len(b) >= 4; b = b[4:] {
		binary.LittleEndian.PutUint32(b, uint32(i)*2654435761+uint32(len(b)))
	}
}

// TestRecords checks that the two records of each buffer are its own.
func TestRecords(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 5 * groupSize})
	batch := make([]*Buf, p.Len())
	p.Alloc(batch)
	seen := map[*Buf]bool{}
	for i, b := range batch {
		if seen[b] {
			t.Fatal("buffer handed out twice")
		}
		seen[b] = true
		if PoolOf(b) != p || b.PoolID() != p.ID() {
			t.Fatal("buffer of another pool")
		}
		b.SetHash(uint32(i))
		b.SetVLAN(uint16(i))
		b.SetTimestamp(int64(i) << 14)
		b.SetNext(batch[(i+1)%len(batch)])
	}
	runtime.GC() // must not take a time for a pointer
	for i, b := range batch {
		vlan, ok := b.VLAN()
		ns, ok2 := b.Timestamp()
		if !ok || !ok2 || int(b.Hash()) != i || int(vlan) != i || ns != int64(i)<<14 || b.Next() != batch[(i+1)%len(batch)] {
			t.Fatalf("buffer %d: hash %d, VLAN %d, time %d", i, b.Hash(), vlan, ns)
		}
	}
	for _, b := range batch {
		b.SetNext(nil)
	}
	Free(batch)
}

func TestSpan(t *testing.T) {
	s := MakeSpan(130, 1514, HasHash|PortFlags(7))
	if s.Offset() != 130 || s.Len() != 1514 || s.Flags() != HasHash|PortFlags(7) {
		t.Errorf("span %#x: offset %d, length %d, flags %#x", uint64(s), s.Offset(), s.Len(), s.Flags())
	}
	if got := MakeSpan(128, 0, L4ChecksumGood) + SpanLen(9018); got != MakeSpan(128, 9018, L4ChecksumGood) {
		t.Errorf("adding a length gives %#x", uint64(got))
	}
	if MakeSpan(0, 0, Chained) != ChainedSpan {
		t.Error("ChainedSpan is not the flag Chained")
	}
	if s := MakeSpan(0xffff, 0xffff, ^Flags(0)); s != ^Span(0) {
		t.Errorf("the largest span is %#x", uint64(s))
	}
}
