//go:build linux

package vhost

import (
	"bytes"
	"encoding/binary"
	"testing"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/packet"
)

// Exactly what is asked for is copied.
func TestMove(t *testing.T) {
	src := make([]byte, 256)
	for i := range src {
		src[i] = byte(i + 1)
	}
	for n := range 200 {
		dst, want := bytes.Repeat([]byte{0xee}, 256), bytes.Repeat([]byte{0xee}, 256)
		copy(want[20:], src[3:3+n])
		move(first(dst[20:]), first(src[3:]), uint64(n))
		if !bytes.Equal(dst, want) {
			t.Fatalf("%d bytes: % x", n, dst)
		}
	}
}

// mixed are the frames of a batch: what a row takes stands between what it does not.
var mixed = []struct {
	size int
	cut  uint32 // bytes of the first of two descriptors; 0 where there is one
	asks bool   // its checksum is partial
}{{size: 60}, {size: 64}, {size: 65, cut: 12}, {size: 14}, {size: 1500}, {size: 60, asks: true}, {size: 33}, {size: 60}}

// Frames of all kinds in one batch come in order, and each buffer comes back, at every place of the ring.
func TestMixedBatch(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{Offloads: nic.RxPartial})
		g := connect(t, path, f|chip.NetCSum, 1)
		r, batch := g.rings[1], make([]*packet.Buf, 32)
		for range 3 * ringSize {
			var want [][]byte
			for i, m := range mixed {
				frame := g.frame(i, m.size)
				if m.asks {
					h := g.at(data(i))
					h[chip.HdrFlags] = chip.HdrNeedsCSum
					binary.LittleEndian.PutUint16(h[chip.HdrCSumStart:], 34)
					binary.LittleEndian.PutUint16(h[chip.HdrCSumOffset:], 6)
				}
				want = append(want, bytes.Clone(frame))
				if all := uint32(m.size + chip.HdrSize); m.cut == 0 {
					r.offer(part{data(i), all, false})
				} else {
					r.offer(part{data(i), m.cut, false}, part{data(i) + uint64(m.cut), all - m.cut, false})
				}
			}
			n := 0
			for range len(mixed) { // a packed ring may end in the middle
				n += d.RxQueue(0).Receive(batch[n:])
			}
			if n != len(mixed) {
				t.Fatalf("%d frames of %d", n, len(mixed))
			}
			for i, b := range batch[:n] {
				if !bytes.Equal(b.Bytes(), want[i]) || (b.Flags()&packet.NeedsChecksum != 0) != mixed[i].asks {
					t.Fatalf("frame %d: flags %v, %d bytes % .20x, want %d % .20x", i, b.Flags(), b.Len(), b.Bytes(), len(want[i]), want[i])
				}
				descs := 1
				if mixed[i].cut != 0 {
					descs = 2
				}
				if _, ok := r.comesBack(descs); !ok {
					t.Fatalf("buffer %d did not come back", i)
				}
			}
			packet.Free(batch[:n])
		}
	})
}

// Frames that are sent in one batch come in order, each behind its header whatever stood there before, and nothing else is
// written; one that needs several buffers stands between those that do not.
func TestMixedSend(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{})
		g := connect(t, path, f, 1)
		r, batch := g.rings[0], make([]*packet.Buf, 5)
		sizes := []int{60, 64, 700, 14, 500}
		for round := range 3 * ringSize {
			for i := range 6 {
				b := g.at(data(i))[:1024]
				for k := range b {
					b[k] = 0xee
				}
				if round%2 == 1 {
					copy(b, []byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0})
				}
				r.offer(part{data(i), 512, true})
			}
			if d.pool.Alloc(batch) != len(batch) {
				t.Fatal("no buffers")
			}
			for i, b := range batch {
				b.SetBytes(bytes.Repeat([]byte{byte(i + 1)}, sizes[i]))
			}
			if n := d.TxQueue(0).Send(batch); n != len(batch) {
				t.Fatalf("%d frames were taken", n)
			}
			at := 0
			for i, size := range sizes {
				buffers := (size + chip.HdrSize + 511) / 512
				want := append(make([]byte, 10), byte(buffers), 0)
				want = append(want, bytes.Repeat([]byte{byte(i + 1)}, size)...)
				for ; buffers > 0; buffers-- {
					k := min(len(want), 512)
					if wrote, ok := r.comesBack(1); !ok || wrote != k || !bytes.Equal(g.at(data(at))[:k], want[:k]) {
						t.Fatalf("frame %d of %d bytes: buffer %d came back: %v, %d bytes % .20x", i, size, at, ok, wrote, g.at(data(at))[:20])
					}
					if g.at(data(at))[k] != 0xee {
						t.Fatalf("frame %d of %d bytes: written behind %d bytes", i, size, k)
					}
					want = want[k:]
					at++
				}
			}
		}
	})
}
