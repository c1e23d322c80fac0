package ixgbe_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	chip "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	"glassnic/packet"
)

const liarRing = 64

// liar is a card that writes descriptors as a test says, in the order of the ring.
type liar struct {
	t    tb
	d    *ixgbe.Device
	data []byte // a segment
	at   int    // in the ring
}

// part is one descriptor's write-back.
type part struct {
	data  []byte
	count uint64 // RSCCNT
	next  int    // descriptors on
	flags uint64 // besides DD
}

const wellChecked = chip.RxL4I | chip.RxIPCS

// write writes descriptors back, with their data.
func (l *liar) write(parts ...part) {
	l.t.Helper()
	mem := l.d.RingMemory(0)
	pool := l.d.Info().Pool
	for _, p := range parts {
		at := mem[l.at%liarRing*chip.DescSize:]
		iova := binary.LittleEndian.Uint64(at)
		if buf := l.d.Memory(iova, min(len(p.data), pool.Room())); buf != nil {
			copy(buf, p.data)
		}
		w1 := chip.RxDD | p.flags | uint64(len(p.data))<<chip.RxLenShift
		if p.flags&chip.RxEOP == 0 && p.count > 0 {
			w1 |= uint64((l.at+p.next)%liarRing) << chip.RxNextShift
		}
		binary.LittleEndian.PutUint64(at, p.count<<chip.RxRSCCntShift)
		binary.LittleEndian.PutUint64(at[8:], w1)
		l.at++
	}
}

// honest is a large frame of two packets in two buffers.
func (l *liar) honest() {
	l.write(part{l.data[:2048], 3, 1, 0}, part{l.data[2048:], 1, 0, chip.RxEOP | wellChecked})
}

// A card may say what it likes of what it has put together: it is dropped and counted, what comes afterwards is received, and
// all buffers are there at the end.
func TestCoalescedLies(t *testing.T) {
	data := (&stream{port: 1, sequence: 1000}).segment(t, 3000, false)
	spoilt := func(at int, v byte) []byte {
		b := bytes.Clone(data)
		b[at] = v
		return b
	}
	end := chip.RxEOP | wellChecked
	for _, c := range []struct {
		what    string
		parts   []part
		frames  int
		dropped uint64
	}{
		{"nothing", nil, 0, 0},
		{"two packets in one buffer", []part{{data[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 1, 0},
		{"mixed", []part{{data[:2048], 3, 2, 0}, {data[:2048], 3, 2, 0}, {data[2048:], 1, 0, end}, {data[2048:], 1, 0, end}}, 2, 0},
		{"one packet", []part{{data[:1024], 2, 0, end}}, 1, 0},
		{"next is itself", []part{{data[:2048], 3, 0, 0}, {data[2048:], 1, 0, end}}, 1, 1},
		{"next is behind", []part{{data[:1000], 0, 0, end}, {data[:2048], 3, -1, 0}, {data[2048:], 1, 0, end}}, 2, 1},
		{"next is beyond the tail", []part{{data[:2048], 3, liarRing - 1, 0}, {data[2048:], 1, 0, end}}, 1, 1},
		{"next is beyond the ring", []part{{data[:2048], 3, 0, 0xffff << chip.RxNextShift}, {data[2048:], 1, 0, end}}, 1, 1},
		{"two go on in one", []part{{data[:2048], 3, 2, 0}, {data[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 1, 1},
		{"wrong checksum of TCP", []part{{data[:2048], 3, 1, 0}, {data[2048:], 1, 0, end | chip.RxL4E}}, 0, 1},
		{"wrong checksum of IP", []part{{data[:2048], 3, 1, 0}, {data[2048:], 1, 0, end | chip.RxIPE}}, 0, 1},
		{"nothing checked", []part{{data[:2048], 3, 1, 0}, {data[2048:], 1, 0, chip.RxEOP}}, 0, 1},
		{"CRC", []part{{data[:2048], 3, 1, 0}, {data[2048:], 1, 0, end | chip.RxRXE}}, 0, 1},
		{"longer than IP says", []part{{data[:2048], 3, 1, 0}, {append(data[2048:len(data):len(data)], 0), 1, 0, end}}, 0, 1},
		{"not IPv4", []part{{spoilt(12, 0x86)[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"IP options", []part{{spoilt(14, 0x46)[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"UDP", []part{{spoilt(23, 17)[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"a fragment", []part{{spoilt(21, 1)[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"TCP header too short", []part{{spoilt(46, 0x40)[:2048], 3, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"TCP header beyond the frame", []part{{spoilt(46, 0xf0)[:70], 3, 1, 0}, {data[2048:2050], 1, 0, end}}, 0, 1},
		{"headers in two buffers", []part{{data[:40], 3, 1, 0}, {data[40:2000], 1, 1, 0}, {data[2000:], 1, 0, end}}, 0, 1},
		{"many packets", []part{{data[:2048], 15, 1, 0}, {data[2048:], 15, 0, end}}, 1, 0},
		{"no packets", []part{{data[:2048], 1, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1}, // longer than the MTU
		{"empty buffer", []part{{data[:2048], 3, 1, 0}, {nil, 1, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"buffer too long", []part{{data[:2048], 3, 1, 0}, {make([]byte, 2049), 1, 1, 0}, {data[2048:], 1, 0, end}}, 0, 1},
		{"broken and lost", []part{{make([]byte, 2049), 3, liarRing - 1, 0}, {data[2048:], 1, 0, end}}, 1, 1},
		{"no end", append(bytesOf(data[:2048], 60), part{data[2048:], 1, 0, end}), 0, 1},
		{"goes on although it does not", []part{{data[:2048], 3, 1, 0}, {data[:1000], 0, 0, end}}, 0, 1},
	} {
		d, err := ixgbe.Prepare(newBlank(), nic.Config{Offloads: nic.RxSegment, RxRing: liarRing, TxRing: 64})
		if err != nil {
			t.Fatal(err)
		}
		l := &liar{t: t, d: d, data: data}
		l.write(c.parts...)
		batch := make([]*packet.Buf, 16)
		n := d.RxQueue(0).Receive(batch)
		if s, _ := d.Stats(); n != c.frames || s.RxDropped != c.dropped {
			t.Errorf("%s: %d frames, %d dropped, want %d, %d", c.what, n, s.RxDropped, c.frames, c.dropped)
		}
		packet.Free(batch[:n])
		for range 3 * liarRing / 2 { // and a lap around the ring
			l.honest()
			n = d.RxQueue(0).Receive(batch)
			if n != 1 || batch[0].TotalLen() != len(data) || batch[0].Flags()&packet.NeedsSegment == 0 {
				t.Fatalf("%s: %d frames afterwards", c.what, n)
			}
			packet.Free(batch[:n])
		}
		// A frame that has no end is given back with all others.
		l.write(part{data[:2048], 3, 1, 0})
		if n := d.RxQueue(0).Receive(batch); n != 0 {
			t.Errorf("%s: %d frames without end", c.what, n)
		}
		if err := d.Close(); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

// bytesOf is n buffers of a frame, each of which goes on in the next.
func bytesOf(data []byte, n int) (parts []part) {
	for range n {
		parts = append(parts, part{data, 3, 1, 0})
	}
	return parts
}
