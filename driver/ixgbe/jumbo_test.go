package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

func TestReceiveJumbo(t *testing.T) {
	for _, mtu := range []int{1501, 9000, 9710} {
		for _, room := range []int{1024, 1600, 2048, 4096, 16384} {
			t.Run(fmt.Sprintf("MTU %d in %d", mtu, room), func(t *testing.T) {
				// SRRCTL counts in KiB, so the card uses whole ones of a buffer.
				whole := room / 1024 * 1024
				r := open(t, nic.Config{RxRing: 64, MTU: mtu, Room: room, Buffers: 256})
				var want [][]byte
				for _, n := range []int{
					60, whole - 1, whole, whole + 1, 2 * whole, 2*whole + 1, 5*whole - 1, mtu, mtu + 13, mtu + 14, 61,
				} {
					if n <= mtu+14 {
						want = append(want, frame(n, byte(n)))
					}
				}
				tagged := frame(mtu+18, 3)
				copy(tagged[12:], []byte{0x81, 0})
				sizes := want
				for range 9 { // several times round the ring
					want = append(append(want, tagged), sizes...)
				}
				batch := make([]*packet.Buf, 4)
				var got [][]byte
				for len(got) < len(want) {
					// A frame for which the ring has too few descriptors would be dropped.
					for _, f := range want[len(got):min(len(got)+len(batch), len(want))] {
						r.wire.put(f)
					}
					r.step()
					n := r.dev.RxQueue(0).Receive(batch)
					if n == 0 {
						break
					}
					for _, b := range batch[:n] {
						f := b.AppendTo(nil)
						got = append(got, f)
						if segments := (len(f) + whole - 1) / whole; b.Segments() != segments || b.TotalLen() != len(f) {
							t.Errorf("%d bytes in %d buffers, want %d", len(f), b.Segments(), segments)
						}
					}
					packet.Free(batch[:n])
				}
				same(t, "received", got, want)
				if s := r.stats(); s.RxDropped != 0 || s.RxErrors != 0 || s.RxPackets != uint64(len(want)) {
					t.Errorf("stats %s", brief(s))
				}
			})
		}
	}
}

// What is longer than the MTU allows stays outside and is counted.
func TestReceiveTooLong(t *testing.T) {
	for _, c := range []struct {
		mtu, size int
		tag, ok   bool
	}{
		{1500, 1514, false, true},
		{1500, 1515, false, false},
		{1500, 1518, true, true},
		{1500, 1519, true, false},
		{9000, 9014, false, true},
		{9000, 9018, false, true}, // the tag's bytes count, tag or not
		{9000, 9019, false, false},
		{9000, 9022, true, true},
		{9000, 9023, true, false},
	} {
		r := open(t, nic.Config{RxRing: 64, MTU: c.mtu, Room: 1024, Buffers: 128})
		f := frame(c.size, 1)
		if c.tag {
			copy(f[12:], []byte{0x81, 0})
		}
		r.wire.put(f)
		r.step()
		got := len(r.receive()) == 1
		if s := r.stats(); got != c.ok || s.RxDropped != 0 || (s.RxErrors == 1) == c.ok {
			t.Errorf("%+v: received %v, %d errors, %d dropped", c, got, s.RxErrors, s.RxDropped)
		}
	}
}

// A burst of long frames that needs more descriptors than there are: what is lost is lost whole and
// counted, also while the pool is empty.
func TestReceiveJumboMissed(t *testing.T) {
	r := open(t, nic.Config{RxRing: 64, Buffers: 128, MTU: 9000, Room: 1024})
	sent, next, got := 0, 0, 0
	batch := make([]*packet.Buf, 8)
	var held []*packet.Buf
	for round := range 200 {
		for range round % 9 {
			f := frame(60+sent*997%8900, byte(sent))
			binary.BigEndian.PutUint32(f[14:], uint32(sent))
			r.wire.put(f)
			sent++
		}
		r.step()
		n := r.dev.RxQueue(0).Receive(batch)
		for _, b := range batch[:n] {
			f := b.AppendTo(nil)
			at := int(binary.BigEndian.Uint32(f[14:]))
			want := frame(60+at*997%8900, byte(at))
			if binary.BigEndian.PutUint32(want[14:], uint32(at)); at < next || !bytes.Equal(f, want) {
				t.Fatalf("frame %d after %d, %d bytes, want %d", at, next, len(f), len(want))
			}
			next = at + 1
			got++
		}
		if held = append(held, batch[:n]...); round%5 == 4 {
			packet.Free(held)
			held = held[:0]
		}
	}
	packet.Free(held)
	got += len(r.receive())
	if s := r.stats(); s.RxMissed == 0 || s.RxNoBuffer == 0 || got+int(s.RxMissed) != sent || s.RxDropped+s.RxErrors != 0 {
		t.Errorf("%d frames, %d received: %s", sent, got, brief(s))
	}
}

// A frame of which the card has written only a part waits for the rest, over as many calls as that takes.
func TestReceiveParts(t *testing.T) {
	b := newBlank()
	d, err := ixgbe.Prepare(b, nic.Config{RxRing: 64, TxRing: 64, MTU: 9000, Room: 1024})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	ring := d.RingMemory(0)
	at := 0
	done := func(size int, end uint64) {
		binary.LittleEndian.PutUint64(ring[at*16+8:], 1|end<<1|uint64(size)<<32)
		at = (at + 1) % 64
	}
	batch := make([]*packet.Buf, 8)
	for round := range 200 {
		parts := 1 + round%9
		for part := range parts {
			end := uint64(0)
			if part == parts-1 {
				end = 1
			}
			done(100+part, end)
			n := d.RxQueue(0).Receive(batch)
			if n != int(end) {
				t.Fatalf("round %d: %d frames after part %d of %d", round, n, part+1, parts)
			}
		}
		if n := batch[0].Segments(); n != parts || batch[0].TotalLen() != 100*parts+parts*(parts-1)/2 {
			t.Fatalf("round %d: %d parts, %d bytes, want %d parts", round, n, batch[0].TotalLen(), parts)
		}
		packet.Free(batch[:1])
	}
}
