package forward

import (
	"bytes"
	"testing"

	"glassnic/nic/nictest"
	"glassnic/packet"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestCopyBetweenDomains(t *testing.T) {
	a := port(t, nictest.Config{Name: "a", Room: 2048, Buffers: 128, Port: 9})
	b := port(t, nictest.Config{Name: "b", Room: 256, Buffers: 128})
	w := one(t, Config{A: a, B: b})
	sizes := []int{0, 1, 60, 255, 256, 257, 512, 2048, 2049, 9000}
	for _, n := range sizes {
		a.Arrive(0, pattern(n))
	}
	w.step(0)
	var got []int
	b.Sent(0, 100, func(f *packet.Buf) {
		if packet.PoolOf(f) != b.Info().Pool {
			t.Error("a buffer of port a went out of port b")
		}
		if f.Port() != 9 {
			t.Errorf("port of reception became %d", f.Port())
		}
		data := f.AppendTo(nil)
		if !bytes.Equal(data, pattern(len(data))) {
			t.Errorf("%d bytes were copied wrongly", len(data))
		}
		got = append(got, len(data))
	})
	if len(got) != len(sizes) {
		t.Fatalf("sizes %v", got)
	}
	for i := range sizes {
		if got[i] != sizes[i] {
			t.Errorf("frame of %d bytes became %d", sizes[i], got[i])
		}
	}
	w.finish()
	for _, p := range []*nictest.Port{a, b} {
		if pool := p.Info().Pool; pool.Available() != pool.Len() {
			t.Errorf("%d of %d buffers are back", pool.Available(), pool.Len())
		}
	}
}

func TestCopyMetadata(t *testing.T) {
	a, b := pair(t, nictest.Config{Buffers: 64}, false)
	w := one(t, Config{A: a, B: b})
	a.Arrive(0, pattern(60))
	var in [1]*packet.Buf
	a.RxQueue(0).Receive(in[:])
	in[0].SetVLAN(0x1234)
	in[0].SetHash(0xabcdef)
	in[0].SetTimestamp(77)
	in[0].SetFlags(packet.L4ChecksumGood)
	in[0].TrimFront(3)
	in[0].SetChecksum(34, 16)
	in[0].SetSegmentSize(1460)
	out := w.dirs[0].copier.copy(in[:])
	tci, ok1 := out[0].VLAN()
	ns, ok2 := out[0].Timestamp()
	if !ok1 || !ok2 || tci != 0x1234 || ns != 77 || out[0].Hash() != 0xabcdef || out[0].Flags()&packet.L4ChecksumGood == 0 {
		t.Errorf("flags %#x, tag %#x, hash %#x, time %d", out[0].Flags(), tci, out[0].Hash(), ns)
	}
	if start, offset, ok := out[0].Checksum(); !ok || start != 34 || offset != 16 {
		t.Errorf("checksum from %d at %d, %v", start, offset, ok)
	}
	if n, ok := out[0].SegmentSize(); !ok || n != 1460 {
		t.Errorf("segments of %d bytes, %v", n, ok)
	}
	packet.Free(out)
}

// TestNoBuffer: a long frame that there are no buffers for is dropped alone, and all is counted.
func TestNoBuffer(t *testing.T) {
	a := port(t, nictest.Config{Name: "a", Room: 4096, Buffers: 128})
	b := port(t, nictest.Config{Name: "b", Room: 64, Buffers: 64})
	w := one(t, Config{A: a, B: b, Patience: -1})
	a.Arrive(0, pattern(60), pattern(60), pattern(64*64), pattern(60), pattern(128))
	w.step(0)
	var sizes []int
	b.Sent(0, 100, func(f *packet.Buf) { sizes = append(sizes, f.TotalLen()) })
	if c := w.dirs[0].c; c.noBuffer != 1 || c.rxPackets != 5 || c.txPackets != 4 || len(sizes) != 4 || sizes[3] != 128 {
		t.Errorf("sizes %v, %+v", sizes, c)
	}

	// With the pool in other hands nothing comes through, and nothing is lost uncounted.
	w.finish()
	all := make([]*packet.Buf, 64)
	if n := b.Info().Pool.Alloc(all); n != 64 {
		t.Fatalf("%d of 64 buffers are back", n)
	}
	a.Arrive(0, pattern(60), pattern(60))
	w.step(0)
	if c := w.dirs[0].c; c.noBuffer != 3 || c.rxPackets != 7 || c.txPackets != 4 {
		t.Errorf("%+v", c)
	}
	packet.Free(all)
}

// TestDropsOfAllKinds: chains and frames of other pools find their way back when they are dropped.
func TestDropsOfAllKinds(t *testing.T) {
	mem := nictest.NewMemory()
	a := port(t, nictest.Config{Name: "a", Ring: 64, Room: 64, Buffers: 128, Memory: mem})
	other := port(t, nictest.Config{Name: "other", Room: 64, Buffers: 64, Memory: mem})
	c := a.Info().Pool.NewCache()
	var frames []*packet.Buf
	for i := range 8 {
		from := a
		if i%3 == 2 {
			from = other
		}
		from.Arrive(0, pattern(40+i%4*64))
		var b [1]*packet.Buf
		from.RxQueue(0).Receive(b[:])
		frames = append(frames, b[0])
	}
	// A chain across pools.
	frames[0].SetNext(frames[2])
	frames = append(frames[:2], frames[3:]...)
	free(c, frames)
	c.Flush()
	for _, p := range []*nictest.Port{a, other} {
		if pool := p.Info().Pool; pool.Available() != pool.Len() {
			t.Errorf("%s: %d of %d buffers are back", p.Info().Address, pool.Available(), pool.Len())
		}
	}
}
