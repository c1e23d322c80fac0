package vnet_test

import (
	"bytes"
	"encoding/binary"
	"testing"

	"glassnic/nic/nictest"
	"glassnic/nic/vnet"
	"glassnic/packet"
)

func large(t *testing.T, p *nictest.Port, v6 bool, payload int) *packet.Buf {
	t.Helper()
	var b [1]*packet.Buf
	if p.Info().Pool.Alloc(b[:]) != 1 || !b[0].SetBytes(nictest.TCP(v6, make([]byte, payload))) {
		t.Fatal("no buffer")
	}
	t.Cleanup(func() { packet.Free(b[:]) })
	return b[0]
}

func port(t *testing.T) *nictest.Port {
	t.Helper()
	p, err := nictest.New(nictest.Config{Room: 8192, Buffers: 128})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// What is written is as linux/virtio_net.h has it, and read again.
func TestHeader(t *testing.T) {
	p := port(t)
	for _, c := range []struct {
		v6   bool
		want []byte
	}{
		{false, []byte{1, 0x81, 54, 0, 0xe8, 3, 34, 0, 16, 0}},
		{true, []byte{1, 0x84, 74, 0, 0xe8, 3, 54, 0, 16, 0}},
	} {
		b := large(t, p, c.v6, 5000)
		start := int(c.want[6])
		b.SetChecksum(start, 16)
		var h [vnet.Size]byte
		vnet.Write(h[:], b)
		if want := append([]byte{1, 0, 0, 0, 0, 0}, c.want[6:]...); !bytes.Equal(h[:], want) {
			t.Errorf("partial: % x, want % x", h, want)
		}
		b.SetSegmentSize(1000)
		vnet.Write(h[:], b)
		if !bytes.Equal(h[:], c.want) {
			t.Errorf("large: % x, want % x", h, c.want)
		}
		b.ClearFlags(packet.NeedsChecksum | packet.NeedsSegment)
		if !vnet.Read(h[:], b, b.Len(), true) {
			t.Error("not read")
		}
		size, ok := b.SegmentSize()
		if at, offset, partial := b.Checksum(); !ok || size != 1000 || !partial || at != start || offset != 16 {
			t.Errorf("segments of %d, %v, checksum from %d at %d, %v", size, ok, at, offset, partial)
		}
		for _, f := range []struct {
			cwr     bool
			longest int
			fits    bool
		}{{true, 1074, true}, {true, 1053, false}, {false, 1500, false}} {
			if got := vnet.Fits(b, f.cwr, f.longest); got != f.fits {
				t.Errorf("%+v: %v", f, got)
			}
		}
		b.Bytes()[start+13] &^= 0x80
		if !vnet.Fits(b, false, 1500) {
			t.Error("a frame without CWR does not fit")
		}
	}
	b, h := large(t, p, false, 100), [vnet.Size]byte{}
	if vnet.Write(h[:], b); h != [vnet.Size]byte{} {
		t.Errorf("plain: % x", h)
	}
	h[0] = 2
	if !vnet.Read(h[:], b, b.Len(), false) || b.Flags() != packet.L4ChecksumGood {
		t.Errorf("verified: flags %#x", b.Flags())
	}
}

// What cannot be is refused.
func TestLies(t *testing.T) {
	p := port(t)
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		large bool
		spoil func(h []byte, b *packet.Buf)
	}{
		"nobody asked":          {false, func([]byte, *packet.Buf) {}},
		"size 0":                {true, func(h []byte, _ *packet.Buf) { le.PutUint16(h[4:], 0) }},
		"no partial checksum":   {true, func(h []byte, _ *packet.Buf) { h[0] = 0 }},
		"verified":              {true, func(h []byte, _ *packet.Buf) { h[0] = 2 }},
		"IPv6 that is IPv4":     {true, func(h []byte, _ *packet.Buf) { h[1] = 4 }},
		"UDP":                   {true, func(h []byte, _ *packet.Buf) { h[1] = 3 }},
		"ECN alone":             {true, func(h []byte, b *packet.Buf) { h[1] = 0x80; le.PutUint16(h[8:], 60000) }},
		"absurd header":         {true, func(h []byte, _ *packet.Buf) { le.PutUint16(h[2:], 5055) }},
		"start beyond":          {true, func(h []byte, _ *packet.Buf) { le.PutUint16(h[6:], 6000) }},
		"checksum beyond":       {true, func(h []byte, _ *packet.Buf) { le.PutUint16(h[8:], 0xffff) }},
		"start in the payload":  {true, func(h []byte, _ *packet.Buf) { le.PutUint16(h[6:], 54) }},
		"another protocol":      {true, func(_ []byte, b *packet.Buf) { b.Bytes()[23] = 17 }},
		"headers in two pieces": {true, func(_ []byte, b *packet.Buf) { b.Truncate(53) }},
	} {
		b := large(t, p, false, 5000)
		total := b.Len()
		h := []byte{1, 1, 54, 0, 0xe8, 3, 34, 0, 16, 0}
		c.spoil(h, b)
		if vnet.Read(h, b, total, c.large) {
			t.Errorf("%s: not refused", name)
		}
	}
}
