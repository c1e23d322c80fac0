package ixgbe

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	chip "glassnic/chip/ixgbe"
)

func TestClassify(t *testing.T) {
	tagged := func(f []byte) []byte {
		g := append(bytes.Clone(f[:12]), 0x81, 0, 0, 5)
		return append(g, f[12:]...)
	}
	broken := func(f []byte, at int) []byte {
		f = bytes.Clone(f)
		f[at] ^= 0x10
		return f
	}
	zero := udp(frame(80, 1))
	zero[40], zero[41] = 0, 0
	part := udp(frame(80, 1))
	part[20] |= 0x20 // more fragments
	binary.BigEndian.PutUint16(part[24:], 0)
	binary.BigEndian.PutUint16(part[24:], ^plainSum(part[14:34], 0))
	trailed := append(udp(frame(50, 1)), make([]byte, 10)...)
	for _, c := range []struct {
		what   string
		f      []byte
		w0, w1 uint64
	}{
		{"other", frame(60, 1), 0, 0},
		{"udp", udp(frame(60, 1)), chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxL4I | chip.RxUDPCS},
		{"udp, odd", udp(frame(61, 1)), chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxL4I | chip.RxUDPCS},
		{"udp, padded", trailed, chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxL4I | chip.RxUDPCS},
		{"udp, bad", broken(udp(frame(60, 1)), 50), chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxL4I | chip.RxUDPCS | chip.RxL4E},
		{"udp, no checksum", zero, chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS},
		{"tcp", ipv4(frame(1514, 1), protoTCP), chip.RxPktIPv4 | chip.RxPktTCP, chip.RxIPCS | chip.RxL4I},
		{"tcp, bad", broken(ipv4(frame(1514, 1), protoTCP), 1000), chip.RxPktIPv4 | chip.RxPktTCP, chip.RxIPCS | chip.RxL4I | chip.RxL4E},
		{"ip, bad", broken(udp(frame(60, 1)), 22), chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxIPE | chip.RxL4I | chip.RxUDPCS},
		{"tagged", tagged(udp(frame(60, 1))), chip.RxPktIPv4 | chip.RxPktUDP, chip.RxIPCS | chip.RxL4I | chip.RxUDPCS},
		{"fragment", part, chip.RxPktIPv4, chip.RxIPCS},
		{"icmp", ipv4(frame(80, 1), 1), chip.RxPktIPv4, chip.RxIPCS},
		{"udp6", ipv6(frame(80, 1), protoUDP), chip.RxPktIPv6 | chip.RxPktUDP, chip.RxL4I | chip.RxUDPCS},
		{"tcp6", ipv6(frame(1514, 1), protoTCP), chip.RxPktIPv6 | chip.RxPktTCP, chip.RxL4I},
		{"tcp6, bad", broken(ipv6(frame(1514, 1), protoTCP), 200), chip.RxPktIPv6 | chip.RxPktTCP, chip.RxL4I | chip.RxL4E},
	} {
		w0, w1 := classify(c.f)
		if w0 != c.w0 || w1 != c.w1 {
			t.Errorf("%s: %#x %#x, want %#x %#x", c.what, w0, w1, c.w0, c.w1)
		}
	}
}

// The short cut must agree with the long way on anything.
func FuzzClassify(f *testing.F) {
	f.Add(udp(frame(60, 1)))
	f.Add(ipv4(frame(120, 1), protoTCP))
	f.Add(ipv4(frame(120, 1), protoSCTP))
	f.Add(ipv6(frame(120, 1), protoTCP))
	f.Fuzz(func(t *testing.T, b []byte) {
		a0, a1 := classify(b)
		if len(b) < minFrame {
			return
		}
		if b0, b1 := classifyAny(b); a0 != b0 || a1 != b1 {
			t.Fatalf("%x: %#x %#x and %#x %#x", b, a0, a1, b0, b1)
		}
		var r rssConfig
		r.fields = ^uint32(0)
		r.of(b)
	})
}

func TestSum(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for n := range 300 {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(rnd.Uint32())
			if n%3 == 0 {
				b[i] = 0xFF
			}
		}
		want := plainSum(b, 0)
		got := uint16(fold(sum(b)))
		if got = got>>8 | got<<8; got != want && !(got^want == 0xFFFF && (got == 0 || want == 0)) {
			t.Fatalf("%d bytes: %#x, want %#x", n, got, want)
		}
	}
}
