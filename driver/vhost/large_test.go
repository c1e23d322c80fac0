//go:build linux

package vhost

import (
	"bytes"
	"encoding/binary"
	"testing"

	chip "glassnic/chip/virtio"
	"glassnic/nic"
	"glassnic/nic/nictest"
	"glassnic/packet"
)

// What a driver negotiates that sends and takes large frames, but for those with CWR.
const largeFeatures = chip.NetCSum | chip.NetGuestCSum | chip.NetHostTSO4 | chip.NetHostTSO6 | chip.NetGuestTSO4 | chip.NetGuestTSO6

const bothLarge = nic.RxSegment | nic.TxSegment

// header4 is what stands before a large frame over IPv4 that nictest.TCP makes.
var header4 = [chip.HdrSize]byte{1, 0x81, 54, 0, 0xe8, 3, 34, 0, 16, 0}

// large has the driver send a frame with a header, from data 0 on, in parts of so many bytes.
func (g *guest) large(header [chip.HdrSize]byte, f []byte, size int) {
	at := g.at(data(0))
	copy(at, header[:])
	copy(at[chip.HdrSize:], f)
	var parts []part
	for n := chip.HdrSize + len(f); n > 0; n -= size {
		parts = append(parts, part{data(0) + uint64(len(parts)*size), uint32(min(n, size)), false})
	}
	g.rings[1].offer(parts...)
}

// Large frames come as the driver sends them, and go to it as they are.
func TestLarge(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{Offloads: bothLarge})
		if o := d.Info().Offloads; o&bothLarge != bothLarge || o&nic.RxPartial == 0 {
			t.Errorf("offloads %v", o)
		}
		g := connect(t, path, f|largeFeatures|chip.NetGuestECN, 1)
		for i, n := range []int{1, 1500, 2048, 30000, 50000} {
			v6, header := i%2 != 0, header4
			if v6 {
				header[1], header[2], header[6] = 0x84, 74, 54
			}
			f := nictest.TCP(v6, bytes.Repeat([]byte{byte(n), 7, 9}, n/3+1)[:n])
			g.large(header, f, []int{1 << 20, 4096}[i/2%2])
			var b [1]*packet.Buf
			if d.RxQueue(0).Receive(b[:]) != 1 {
				t.Fatalf("%d bytes did not come", len(f))
			}
			if size, ok := b[0].SegmentSize(); !ok || size != 1000 || !bytes.Equal(b[0].AppendTo(nil), f) {
				t.Fatalf("%d bytes, segments of %d, %v", b[0].TotalLen(), size, ok)
			}
			if !d.TxQueue(0).(nic.Segmenter).Segments(b[0]) {
				t.Fatal("the driver is said not to take it")
			}
			const room = 4096
			buffers := (chip.HdrSize + len(f) + room - 1) / room
			for k := range buffers {
				g.rings[0].offer(part{data(20 + k), room, true})
			}
			if d.TxQueue(0).Send(b[:]) != 1 {
				t.Fatal("not taken")
			}
			var got []byte
			for k := range buffers {
				wrote, ok := g.rings[0].comesBack(1)
				if !ok {
					t.Fatalf("%d buffers of %d", k, buffers)
				}
				got = append(got, g.at(data(20 + k))[:wrote]...)
			}
			if header[chip.HdrNumBuffers] = byte(buffers); !bytes.Equal(got, append(header[:], f...)) {
				t.Fatalf("%d bytes arrived, header % x, want % x", len(got), got[:12], header)
			}
			g.rings[1].comesBack(1 + len(f)/4096*(i/2%2))
		}
		if s, _ := d.Stats(); s.RxDropped+s.RxErrors+s.TxDropped != 0 || s.RxPackets != 5 || s.TxPackets != 5 {
			t.Errorf("%+v", s)
		}
	})
}

// What a driver writes of large frames that cannot be drops the frame, which is counted, and the ring goes on.
func TestLargeLies(t *testing.T) {
	eachWay(t, func(t *testing.T, f chip.Features) {
		d, path := newPort(t, nic.Config{Offloads: bothLarge})
		g := connect(t, path, f|largeFeatures, 1)
		whole := nictest.TCP(false, make([]byte, 5000))
		lie := func(spoil func(h []byte)) [chip.HdrSize]byte {
			h := header4
			spoil(h[:])
			return h
		}
		le := binary.LittleEndian
		dropped, tooLong := uint64(0), uint64(0)
		for name, h := range map[string][chip.HdrSize]byte{
			"size 0":           lie(func(h []byte) { le.PutUint16(h[4:], 0) }),
			"size 1":           lie(func(h []byte) { le.PutUint16(h[4:], 1) }),
			"absurd header":    lie(func(h []byte) { le.PutUint16(h[2:], 65535) }),
			"other type":       lie(func(h []byte) { h[1] = 5 }),
			"UDP":              lie(func(h []byte) { h[1] = 3 }),
			"IPv6":             lie(func(h []byte) { h[1] = 4 }),
			"no checksum":      lie(func(h []byte) { h[0] = 0 }),
			"checksum beyond":  lie(func(h []byte) { le.PutUint16(h[8:], 65535) }),
			"checksum at 0":    lie(func(h []byte) { le.PutUint16(h[6:], 0) }),
			"plain, beyond":    {},
			"partial, beyond":  lie(func(h []byte) { h[1] = 0 }),
			"far too long":     header4,
			"longer than said": lie(func(h []byte) { le.PutUint16(h[6:], 5040) }),
		} {
			f := whole
			switch name {
			case "far too long":
				f = nictest.TCP(false, make([]byte, 65600))
				tooLong++
			case "plain, beyond", "partial, beyond":
				tooLong++
			default:
				dropped++
			}
			g.large(h, f, 1<<20)
			receive(t, d.RxQueue(0), 0)
			if s, _ := d.Stats(); s.RxDropped != dropped || s.RxErrors != tooLong {
				t.Errorf("%s: %d dropped, %d errors", name, s.RxDropped, s.RxErrors)
			}
		}
		g.large(header4, whole, 1<<20)
		if got := receive(t, d.RxQueue(0), 1); !bytes.Equal(got[0], whole) {
			t.Error("another frame came")
		}
	})
}

// What the driver at the other end does not take is not for it; sent all the same it is dropped and counted.
func TestLargeNotTaken(t *testing.T) {
	cwr := nictest.TCP(false, make([]byte, 5000))
	plain := bytes.Clone(cwr)
	plain[nictest.TCPStart4+13] &^= 0x80
	for name, c := range map[string]struct {
		asked nic.Offloads
		f     chip.Features
		frame []byte
		size  int
		takes bool
	}{
		"taken":          {bothLarge, largeFeatures, plain, 1000, true},
		"CWR":            {bothLarge, largeFeatures, cwr, 1000, false},
		"not taken":      {bothLarge, chip.NetGuestCSum, plain, 1000, false},
		"by half":        {bothLarge, largeFeatures &^ chip.NetGuestTSO6, plain, 1000, false},
		"beyond the MTU": {bothLarge, largeFeatures, plain, 1500, false},
		"not offered":    {nic.RxPartial, chip.NetGuestCSum, plain, 1000, false},
	} {
		t.Run(name, func(t *testing.T) {
			d, path := newPort(t, nic.Config{Offloads: c.asked, Room: 8192})
			if says := d.Info().Offloads&nic.TxSegment != 0; says != (c.asked&nic.TxSegment != 0) {
				t.Errorf("offloads %v", d.Info().Offloads)
			}
			g := connect(t, path, plainFeatures|c.f, 1)
			g.rings[0].offer(part{data(0), 8192, true})
			var b [1]*packet.Buf
			if d.pool.Alloc(b[:]) != 1 || !b[0].SetBytes(c.frame) {
				t.Fatal("no buffer")
			}
			b[0].SetChecksum(nictest.TCPStart4, nictest.TCPSum)
			b[0].SetSegmentSize(c.size)
			if takes := d.TxQueue(0).(nic.Segmenter).Segments(b[0]); takes != c.takes {
				t.Errorf("takes: %v", takes)
			}
			if d.TxQueue(0).Send(b[:]) != 1 {
				t.Error("it stays")
			}
			if s, _ := d.Stats(); (s.TxPackets == 1) != c.takes || (s.TxDropped == 1) == c.takes {
				t.Errorf("%+v", s)
			}
		})
	}
}
