package ixgbe_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// large is a frame that is to be cut, in buffers of so many bytes.
func (r *rig) large(v6 bool, payload []byte, size, part int) *packet.Buf {
	b := r.buf(nictest.TCP(v6, payload), part)
	start := nictest.TCPStart4
	if v6 {
		start = nictest.TCPStart6
	}
	b.SetChecksum(start, nictest.TCPSum)
	b.SetSegmentSize(size)
	return b
}

// sendOne sends a frame as soon as the ring has room.
func (r *rig) sendOne(b *packet.Buf) {
	r.t.Helper()
	for range 3 {
		if r.dev.TxQueue(0).Send([]*packet.Buf{b}) == 1 {
			return
		}
		r.step()
	}
	r.t.Fatal("the ring stays full")
}

// The card cuts large frames of all sizes, among others, also where the ring is short (7.2.4).
func TestLarge(t *testing.T) {
	for _, ring := range []int{64, 512} {
		r := open(t, nic.Config{TxRing: ring, Buffers: 2048, Offloads: nic.TxSegment})
		if o := r.dev.Info().Offloads; o&nic.TxSegment == 0 {
			t.Errorf("offloads %v", o)
		}
		q := r.dev.TxQueue(0).(nic.Segmenter)
		for i, n := range []int{1, 28, 1460, 1461, 2920, 9000, 9000, 30000, 65495, 65495} {
			for _, v6 := range []bool{false, true} {
				payload := frame(n+14, byte(i))[14:]
				size, tag := []int{1440, 1400, 536}[i%3], i%2 != 0
				b := r.large(v6, payload, size, 2048)
				if tag {
					b.SetVLAN(5)
				}
				if !q.Segments(b) {
					t.Fatalf("%d bytes in %d buffers are refused", n, b.Segments())
				}
				r.wire.out = nil
				r.sendOne(r.buf(frame(60, 1), 2048))
				r.sendOne(b)
				r.sendOne(r.buf(frame(60, 2), 2048))
				r.step()
				got := r.wire.out
				if !bytes.Equal(got[0], frame(60, 1)) || !bytes.Equal(got[len(got)-1], frame(60, 2)) {
					t.Fatal("the frames before and behind are not what they were")
				}
				for i, f := range got[1 : len(got)-1] {
					if tag && !bytes.Equal(f[12:16], []byte{0x81, 0, 0, 5}) {
						t.Fatalf("segment %d has no tag: % x", i, f[:20])
					}
					if tag {
						got[i+1] = slices.Concat(f[:12], f[16:])
					}
				}
				if p, err := nictest.Payload(v6, size, got[1:len(got)-1]); err != nil || !bytes.Equal(p, payload) {
					t.Fatalf("%d bytes, IPv6 %v: %v, %d bytes came out", n, v6, err, len(p))
				}
			}
		}
		if s := r.stats(); s.TxDropped != 0 {
			t.Errorf("stats %s", brief(s))
		}
		r.idle(4)
	}
}

// Large frames that the card cannot cut are not for it; sent all the same they are dropped and counted.
func TestNotLarge(t *testing.T) {
	asked := open(t, nic.Config{Buffers: 2048, Offloads: nic.TxSegment})
	for name, c := range map[string]struct {
		n, size, part int
		spoil         func(*packet.Buf)
	}{
		"too many buffers":          {5000, 1000, 100, nil},
		"segments beyond the MTU":   {9000, 1500, 2048, nil},
		"no checksum":               {9000, 1000, 2048, func(b *packet.Buf) { b.ClearFlags(packet.NeedsChecksum) }},
		"size 0":                    {9000, 0, 2048, nil},
		"no IP":                     {9000, 1000, 2048, func(b *packet.Buf) { b.Bytes()[12] = 9 }},
		"headers in several":        {9000, 1000, 2048, func(b *packet.Buf) { b.Truncate(40) }},
		"a tag that it cannot skip": {9000, 1000, 2048, func(b *packet.Buf) { tagInside(b) }},
	} {
		b := asked.large(false, make([]byte, c.n), c.size, c.part)
		if c.spoil != nil {
			c.spoil(b)
		}
		if asked.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
			t.Errorf("%s: not refused", name)
		}
		before := asked.stats().TxDropped
		asked.sendOne(b)
		asked.step()
		if after := asked.stats().TxDropped; after != before+1 || len(asked.wire.out) != 0 {
			t.Errorf("%s: %d dropped, %d sent", name, after-before, len(asked.wire.out))
		}
	}
	// A frame for which there is a descriptor too few, with that of the context.
	b := asked.large(false, make([]byte, 37*100-54), 1000, 100)
	if b.Segments() != 37 || asked.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
		t.Errorf("%d buffers: not refused", b.Segments())
	}
	asked.sendOne(b)
	if asked.stats().TxDropped == 0 {
		t.Error("not dropped")
	}
	r := open(t, nic.Config{})
	b = r.large(false, make([]byte, 9000), 1000, 2048)
	if r.dev.Info().Offloads&nic.TxSegment != 0 || r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
		t.Error("nobody asked for segmentation")
	}
	packet.Free([]*packet.Buf{b})
}

// tagInside puts two tags into a frame.
func tagInside(b *packet.Buf) {
	copy(b.Prepend(8), b.Bytes()[8:20])
	copy(b.Bytes()[12:], []byte{0x88, 0xa8, 0, 5, 0x81, 0, 0, 6})
}

// TestLargeJudged: tshark finds all checksums of what leaves the card right, and the streams without a gap.
func TestLargeJudged(t *testing.T) {
	r := open(t, nic.Config{Buffers: 2048, Offloads: nic.TxSegment})
	for _, v6 := range []bool{false, true} {
		r.sendOne(r.large(v6, frame(40014, 1)[14:], 1448, 2048))
	}
	udp := flow(false, 9000, false, false)
	b := r.buf(udp, 2048)
	b.Bytes()[40], b.Bytes()[41] = 0, 0
	pseudo := 17 + 9008 + 0xc612 + 1 + 0xc613 + 1 // of flow's addresses
	b.Bytes()[40], b.Bytes()[41] = byte((pseudo&0xffff+pseudo>>16)>>8), byte(pseudo&0xffff+pseudo>>16)
	b.SetChecksum(34, 6)
	b.SetSegmentSize(1000)
	if !r.dev.TxQueue(0).(nic.Segmenter).Segments(b) {
		t.Fatal("UDP is refused")
	}
	r.sendOne(b)
	r.step()
	got := dissected(t, r.wire.out, "ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "tcp.len", "udp.length", "_ws.expert.message")
	var want []string
	for _, start := range []string{"1\t1\t\t", "\t1\t\t"} {
		for left := 40000; left > 0; left -= 1448 {
			want = append(want, fmt.Sprintf("%s%d\t", start, min(left, 1448)))
		}
	}
	want = append(want, slices.Repeat([]string{"1\t\t1\t\t1008"}, 9)...)
	if len(got) != len(want) {
		t.Fatalf("%d frames, want %d", len(got), len(want))
	}
	for i, line := range got {
		if !strings.HasPrefix(line, want[i]) || strings.Contains(line, "not captured") || strings.Contains(line, "ut-of-") {
			t.Errorf("frame %d: %q, want %q", i, line, want[i])
		}
	}
}
