package packet

import (
	"bytes"
	"encoding/binary"
	"net"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"pgregory.net/rapid"
)

// large is what a test's large frame is made of.
type large struct {
	v6, udp       bool
	tags, options int
	payload       []byte
}

// build makes the frame, whose checksum covers the pseudo header only, and says where its TCP or UDP header begins and
// where the checksum lies behind that.
func (l large) build(t interface{ Fatal(...any) }) (data []byte, start, offset int) {
	eth := &layers.Ethernet{SrcMAC: make(net.HardwareAddr, 6), DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}}
	parts, kind, proto := []gopacket.SerializableLayer{eth}, &eth.EthernetType, layers.IPProtocolTCP
	if l.udp {
		proto = layers.IPProtocolUDP
	}
	for i := range l.tags {
		*kind = []layers.EthernetType{layers.EthernetTypeQinQ, layers.EthernetTypeDot1Q}[2-l.tags+i]
		tag := &layers.Dot1Q{VLANIdentifier: uint16(i + 5)}
		parts, kind = append(parts, tag), &tag.Type
	}
	start = 14 + 4*l.tags
	var pseudo []byte
	if l.v6 {
		*kind = layers.EthernetTypeIPv6
		ip := &layers.IPv6{Version: 6, NextHeader: proto, HopLimit: 3, SrcIP: bytes.Repeat([]byte{0xf1}, 16), DstIP: bytes.Repeat([]byte{0xe2}, 16)}
		pseudo = append(append(pseudo, ip.SrcIP...), ip.DstIP...)
		parts = append(parts, ip)
		start += 40
		if l.options > 0 { // a header of eight bytes that says nothing (RFC 8200 section 4.6)
			ip.NextHeader = layers.IPProtocolIPv6Destination
			parts = append(parts, gopacket.Payload{byte(proto), 0, 1, 4, 0, 0, 0, 0})
			start += 8
		}
	} else {
		*kind = layers.EthernetTypeIPv4
		ip := &layers.IPv4{Version: 4, Id: 65534, Protocol: proto, TTL: 3, Flags: layers.IPv4DontFragment, SrcIP: net.IP{10, 0, 255, 1}, DstIP: net.IP{10, 0, 254, 2}}
		pseudo = append(append(pseudo, ip.SrcIP...), ip.DstIP...)
		start += 20
		for range l.options {
			ip.Options = append(ip.Options, layers.IPv4Option{OptionType: 1})
		}
		start += (l.options + 3) / 4 * 4
		parts = append(parts, ip)
	}
	if offset = 16; l.udp {
		offset = 6
		parts = append(parts, &layers.UDP{SrcPort: 80, DstPort: 90})
	} else {
		tcp := &layers.TCP{SrcPort: 80, DstPort: 90, Seq: 1<<32 - 3000, Ack: 7, ACK: true, PSH: true, FIN: true, CWR: true, Window: 5}
		for range l.options {
			tcp.Options = append(tcp.Options, layers.TCPOption{OptionType: layers.TCPOptionKindNop})
		}
		parts = append(parts, tcp)
	}
	b := gopacket.NewSerializeBuffer()
	if err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, append(parts, gopacket.Payload(l.payload))...); err != nil {
		t.Fatal(err)
	}
	data = b.Bytes()
	length := len(data) - start
	pseudo = binary.BigEndian.AppendUint32(append(pseudo, 0, byte(proto)), uint32(length))
	binary.BigEndian.PutUint16(data[start+offset:], onesComplement(pseudo))
	return data, start, offset
}

// check looks at a segment, given those before it, and returns its payload.
func (l large) check(t *rapid.T, data []byte, number, before int, last bool) []byte {
	p := gopacket.NewPacket(data, layers.LayerTypeEthernet, gopacket.Default)
	if p.ErrorLayer() != nil || p.TransportLayer() == nil {
		t.Fatalf("segment %d: %v", number, p)
	}
	var pseudo []byte
	proto := byte(layers.IPProtocolTCP)
	if l.udp {
		proto = byte(layers.IPProtocolUDP)
	}
	l4 := append(bytes.Clone(p.TransportLayer().LayerContents()), p.TransportLayer().LayerPayload()...)
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		pseudo = append(append(pseudo, ip.SrcIP...), ip.DstIP...)
		if int(ip.Length) != len(ip.Contents)+len(l4) || ip.Id != uint16(65534+number) || onesComplement(ip.Contents) != 0xffff {
			t.Fatalf("segment %d: IPv4 of %d bytes, ID %d, sum %04x", number, ip.Length, ip.Id, onesComplement(ip.Contents))
		}
	case *layers.IPv6:
		pseudo = append(append(pseudo, ip.SrcIP...), ip.DstIP...)
		if int(ip.Length) != len(ip.Payload) {
			t.Fatalf("segment %d: IPv6 of %d bytes, want %d", number, ip.Length, len(ip.Payload))
		}
	}
	pseudo = binary.BigEndian.AppendUint32(append(pseudo, 0, proto), uint32(len(l4)))
	if sum := onesComplement(append(pseudo, l4...)); sum != 0xffff {
		t.Fatalf("segment %d: sum %04x", number, sum)
	}
	switch h := p.TransportLayer().(type) {
	case *layers.UDP:
		if int(h.Length) != len(l4) {
			t.Fatalf("segment %d: UDP of %d bytes, want %d", number, h.Length, len(l4))
		}
	case *layers.TCP:
		if h.Seq != uint32(1<<32-3000+before) || h.Ack != 7 || !h.ACK || h.PSH != last || h.FIN != last || h.CWR != (number == 0) {
			t.Fatalf("segment %d: %v", number, h)
		}
	}
	return p.TransportLayer().LayerPayload()
}

// Whatever the frame and however it lies in buffers, its segments are right and carry its payload in order.
func TestCut(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 2048, Room: 256})
	small, _ := newPool(t, PoolConfig{Buffers: 64, Room: 64}) // into which headers do not fit
	cache := small.NewCache()
	defer cache.Flush()
	rapid.Check(t, func(t *rapid.T) {
		l := large{
			v6: rapid.Bool().Draw(t, "v6"), udp: rapid.Bool().Draw(t, "udp"), tags: rapid.IntRange(0, 2).Draw(t, "tags"),
			options: rapid.IntRange(0, 12).Draw(t, "options"), payload: rapid.SliceOfN(rapid.Byte(), 60, 6000).Draw(t, "payload"),
		}
		size := rapid.IntRange(28, 3000).Draw(t, "size")
		data, start, offset := l.build(t)
		parts := append([]int{len(data) - len(l.payload)}, rapid.SliceOfN(rapid.IntRange(1, 256), 60, 60).Draw(t, "parts")...)
		b := chain(t, p, data, append(parts, parts256(len(data))...)...)
		defer Free([]*Buf{b})
		b.SetChecksum(start, offset)
		b.SetSegmentSize(size)
		b.SetHash(77)
		if b.Complete(TxMask) {
			t.Fatal("a large frame counts as complete")
		}
		var cut Cut
		if !cut.Begin(b) {
			t.Fatalf("%+v: refused", l)
		}
		var got []byte
		for number := 0; cut.Left(); number++ {
			s := cut.Next(cache)
			if s == nil {
				t.Fatal("no segment, and there are buffers")
			}
			if s.Flags()&NeedsChecksum == 0 || s.Flags()&NeedsSegment != 0 || s.Hash() != 77 || !s.Complete(TxMask) {
				t.Fatalf("flags %#x", s.Flags())
			}
			payload := l.check(t, s.AppendTo(nil), number, len(got), !cut.Left())
			if n := len(payload); n > size || n < size && cut.Left() {
				t.Fatalf("a segment of %d bytes, want %d", n, size)
			}
			got = append(got, payload...)
			Free([]*Buf{s})
		}
		if cut.Next(cache) != nil {
			t.Fatal("a segment behind the last")
		}
		if !bytes.Equal(got, l.payload) || !bytes.Equal(b.AppendTo(nil), data) {
			t.Fatal("payload or frame differs")
		}
	})
}

// parts256 are parts that hold n bytes.
func parts256(n int) (parts []int) {
	for ; n > 0; n -= 256 {
		parts = append(parts, 256)
	}
	return parts
}

// TestCutWaits: where buffers are short, nothing is lost and nothing kept.
func TestCutWaits(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 128, Room: 256})
	few, _ := newPool(t, PoolConfig{Buffers: 32, Room: 64})
	data, start, offset := large{payload: make([]byte, 3000)}.build(t)
	b := chain(t, p, data, parts256(len(data))...)
	defer Free([]*Buf{b})
	b.SetChecksum(start, offset)
	b.SetSegmentSize(500) // 9 buffers of 64 bytes each
	var cut Cut
	if !cut.Begin(b) {
		t.Fatal("refused")
	}
	cache := few.NewCache()
	defer cache.Flush()
	var made []*Buf
	for s := cut.Next(cache); s != nil; s = cut.Next(cache) {
		made = append(made, s)
	}
	if len(made) != 3 || !cut.Left() {
		t.Fatalf("%d segments in 32 buffers", len(made))
	}
	Free(made)
	n := 0
	for s := cut.Next(cache); s != nil; s = cut.Next(cache) {
		Free([]*Buf{s})
		n++
	}
	if n != 3 || cut.Left() {
		t.Errorf("%d segments later, left: %v", n, cut.Left())
	}
}

// What cannot be cut is refused.
func TestNoCut(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64, Room: 4096})
	be := binary.BigEndian
	for name, spoil := range map[string]func(b *Buf){
		"no size":             func(b *Buf) { b.SetSegmentSize(0) },
		"tiny size":           func(b *Buf) { b.SetSegmentSize(27) },
		"not asked for":       func(b *Buf) { b.ClearFlags(NeedsSegment) },
		"no checksum":         func(b *Buf) { b.ClearFlags(NeedsChecksum) },
		"start in front":      func(b *Buf) { b.SetChecksum(-1, 16) },
		"start beyond":        func(b *Buf) { b.SetChecksum(60000, 16) },
		"start elsewhere":     func(b *Buf) { b.SetChecksum(38, 16) },
		"start in Ethernet":   func(b *Buf) { b.SetChecksum(13, 16) },
		"no protocol":         func(b *Buf) { b.SetChecksum(34, 10) },
		"another protocol":    func(b *Buf) { b.SetChecksum(34, 6) },
		"no IP":               func(b *Buf) { be.PutUint16(b.Bytes()[12:], 0x806) },
		"IPv6 that is IPv4":   func(b *Buf) { be.PutUint16(b.Bytes()[12:], 0x86dd) },
		"version":             func(b *Buf) { b.Bytes()[14] = 0x55 },
		"length of header":    func(b *Buf) { b.Bytes()[14] = 0x46 },
		"fragment":            func(b *Buf) { b.Bytes()[20] |= 0x20 },
		"later fragment":      func(b *Buf) { b.Bytes()[21] = 1 },
		"short TCP header":    func(b *Buf) { b.Bytes()[46] = 0x40 },
		"TCP header beyond":   func(b *Buf) { b.Bytes()[46] = 0xf0; b.Truncate(60) },
		"no payload":          func(b *Buf) { b.Truncate(54) },
		"half a TCP header":   func(b *Buf) { b.Truncate(53) },
		"half an IPv4 header": func(b *Buf) { b.Truncate(33) },
		"nothing":             func(b *Buf) { b.Truncate(0) },
	} {
		data, start, offset := large{payload: make([]byte, 3000)}.build(t)
		b := one(t, p)
		b.SetBytes(data)
		b.SetChecksum(start, offset)
		b.SetSegmentSize(1000)
		spoil(b)
		if cut := new(Cut); cut.Begin(b) || cut.Left() {
			t.Errorf("%s: not refused", name)
		}
	}
	// IPv6 with another header than it says, or a longer one.
	for i, v := range map[int]byte{20: 44, 54: 44, 55: 1} {
		data, start, offset := large{v6: true, options: 1, payload: make([]byte, 3000)}.build(t)
		b := one(t, p)
		b.SetBytes(data)
		b.Bytes()[i] = v
		b.SetChecksum(start, offset)
		b.SetSegmentSize(1000)
		if new(Cut).Begin(b) {
			t.Errorf("byte %d is %d: not refused", i, v)
		}
	}
}
