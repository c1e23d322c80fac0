package afpacket

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

// super makes a packet of many segments, as the kernel hands one over.
func super(t *testing.T, v6 bool, options int, payload []byte) (data []byte, tcp int) {
	t.Helper()
	eth := &layers.Ethernet{SrcMAC: make([]byte, 6), DstMAC: make([]byte, 6), EthernetType: layers.EthernetTypeIPv4}
	l4 := &layers.TCP{SrcPort: 80, DstPort: 90, Seq: 1 << 31, ACK: true, PSH: true, FIN: true, CWR: true, Window: 5}
	for range options {
		l4.Options = append(l4.Options, layers.TCPOption{OptionType: layers.TCPOptionKindNop})
	}
	parts := []gopacket.SerializableLayer{eth}
	tcp = 34
	if v6 {
		eth.EthernetType = layers.EthernetTypeIPv6
		tcp = 54
		parts = append(parts, &layers.IPv6{Version: 6, NextHeader: layers.IPProtocolTCP, HopLimit: 3, SrcIP: bytes.Repeat([]byte{1}, 16), DstIP: bytes.Repeat([]byte{2}, 16)})
	} else {
		parts = append(parts, &layers.IPv4{Version: 4, Id: 65534, Protocol: layers.IPProtocolTCP, TTL: 3, SrcIP: []byte{10, 0, 0, 1}, DstIP: []byte{10, 0, 0, 2}})
	}
	b := gopacket.NewSerializeBuffer()
	err := gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true}, append(parts, l4, gopacket.Payload(payload))...)
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), tcp
}

// TestSegments: the segments carry the payload, in order, under headers that are right.
func TestSegments(t *testing.T) {
	payload := make([]byte, 5000)
	for i := range payload {
		payload[i] = byte(rand.Uint32())
	}
	for _, c := range []struct {
		v6            bool
		options, size int
	}{{false, 0, 1460}, {false, 12, 1448}, {true, 0, 1440}, {true, 12, 5000}, {false, 0, 2500}, {false, 0, 1}} {
		data, tcp := super(t, c.v6, c.options, payload)
		var s segment
		if !s.begin(data, c.v6, tcp, c.size) {
			t.Fatalf("%+v: refused", c)
		}
		var got []byte
		number := 0
		for more := true; more; number++ {
			head, part := s.part()
			frame := append(bytes.Clone(head), part...)
			// What is left to do: the sum over TCP header and payload.
			binary.BigEndian.PutUint16(frame[tcp+16:], ^fold(words(append(frame[tcp:], 0)[:(len(frame)-tcp+1)&^1])))
			p := gopacket.NewPacket(frame, layers.LayerTypeEthernet, gopacket.Default)
			if p.ErrorLayer() != nil {
				t.Fatal(p.ErrorLayer().Error())
			}
			l4, _ := p.Layer(layers.LayerTypeTCP).(*layers.TCP)
			if l4 == nil || l4.Seq != 1<<31+uint32(len(got)) || l4.CWR != (number == 0) {
				t.Fatalf("%+v: segment %d: %+v", c, number, l4)
			}
			if err := l4.SetNetworkLayerForChecksum(p.NetworkLayer()); err != nil {
				t.Fatal(err)
			}
			if err, bad := p.VerifyChecksums(); err != nil || len(bad) > 0 {
				t.Fatalf("%+v: segment %d: checksums %v, %v", c, number, bad, err)
			}
			if ip, ok := p.NetworkLayer().(*layers.IPv4); ok && ip.Id != uint16(65534+number) {
				t.Fatalf("%+v: segment %d: IP ID %d", c, number, ip.Id)
			}
			got = append(got, l4.Payload...)
			more = s.next()
			if l4.FIN == more || l4.PSH == more {
				t.Fatalf("%+v: segment %d: FIN %v, PSH %v", c, number, l4.FIN, l4.PSH)
			}
			if more && len(part) != c.size {
				t.Fatalf("%+v: segment %d has %d bytes", c, number, len(part))
			}
		}
		if !bytes.Equal(got, payload) || number != (len(payload)+c.size-1)/c.size {
			t.Errorf("%+v: %d bytes in %d segments", c, len(got), number)
		}
	}
}

// FuzzSegment: whatever stands in a ring is taken apart within its bounds, or refused.
func FuzzSegment(f *testing.F) {
	f.Add(make([]byte, 60), false, 34, 100)
	f.Fuzz(func(t *testing.T, data []byte, v6 bool, tcp, size int) {
		if len(data) < 14 || tcp < 0 || tcp > 1<<16 || size > 1<<16 {
			return
		}
		var s segment
		if !s.begin(data, v6, tcp, size) {
			return
		}
		n := s.head
		for more := true; more; more = s.next() {
			_, part := s.part()
			n += len(part)
		}
		if n != len(data) {
			t.Errorf("%d of %d bytes", n, len(data))
		}
	})
}
