package ixgbe

import (
	"encoding/binary"
	"net/netip"
	"testing"

	chip "glassnic/chip/ixgbe"
)

// The key and vectors with which Microsoft's description of RSS verifies an implementation
// ("Verifying the RSS Hash Calculation").
var rssKey = [40]byte{
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67, 0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30, 0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
}

var rssVectors = []struct {
	src, dst         string
	ports, addresses uint32 // hash with and without ports
}{
	{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178, 0x323e8fc2},
	{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea, 0xd718262a},
	{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d, 0x2cc18cd5},
	{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf, 0x0f0c461c},
}

// flow is a frame of a flow.
func flow(src, dst string, proto byte) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	f := frame(100, 1)
	at := 34
	if s.Addr().Is4() {
		ipv4(f, proto)
		copy(f[26:], s.Addr().AsSlice())
		copy(f[30:], d.Addr().AsSlice())
	} else {
		ipv6(f, proto)
		copy(f[22:], s.Addr().AsSlice())
		copy(f[38:], d.Addr().AsSlice())
		at = 54
	}
	binary.BigEndian.PutUint16(f[at:], s.Port())
	binary.BigEndian.PutUint16(f[at+2:], d.Port())
	return f
}

func (r *rig) setRSS(fields uint32, reta func(i int) uint32) {
	for i := range 10 {
		r.reg.Write32(chip.RSSRK(i), binary.LittleEndian.Uint32(rssKey[4*i:]))
	}
	for i := range 32 {
		r.reg.Write32(chip.RETA(i), reta(4*i)|reta(4*i+1)<<8|reta(4*i+2)<<16|reta(4*i+3)<<24)
	}
	r.reg.Write32(chip.MRQC, chip.MrqcRSS|fields)
}

func TestRSSVectors(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		rx := r.rx(0, 64, 2, 0)
		for _, c := range []struct {
			fields uint32
			proto  byte
			ports  bool
			v4, v6 uint64
		}{
			{chip.MrqcTCPIPv4 | chip.MrqcTCPIPv6, protoTCP, true, chip.RxRSSTCPIPv4, chip.RxRSSTCPIPv6},
			{chip.MrqcUDPIPv4 | chip.MrqcUDPIPv6, protoUDP, true, chip.RxRSSUDPIPv4, chip.RxRSSUDPIPv6},
			{chip.MrqcIPv4 | chip.MrqcIPv6, protoUDP, false, chip.RxRSSIPv4, chip.RxRSSIPv6},
			{chip.MrqcTCPIPv4 | chip.MrqcTCPIPv6, protoUDP, false, 0, 0},
		} {
			r.setRSS(c.fields, func(int) uint32 { return 0 })
			for _, v := range rssVectors {
				r.port.push(flow(v.src, v.dst, c.proto))
				r.step(16)
				got := rx.take()
				if len(got) != 1 {
					t.Fatalf("received %d frames", len(got))
				}
				want, kind := v.addresses, c.v4
				if c.ports {
					want = v.ports
				}
				if v.src[0] == '[' {
					kind = c.v6
				}
				if kind == 0 {
					want = 0
				}
				if h := chip.RxHash(got[0].w0); h != want || got[0].w0&chip.RxRSSTypeMask != kind {
					t.Errorf("fields %#x, %s: hash %#x type %d, want %#x type %d", c.fields, v.src, h, got[0].w0&chip.RxRSSTypeMask, want, kind)
				}
			}
		}
		r.clean()
	})
}

// Each frame goes to the queue that RETA names, and is counted there.
func TestRSSQueues(t *testing.T) {
	both(t, func(t *testing.T, polled bool) {
		r := newRig(t, polled)
		r.start()
		r.setRSS(chip.MrqcUDPIPv4, func(i int) uint32 { return uint32(i) / 16 % 4 })
		r.reg.Write32(chip.RQSMR(0), 3<<24|2<<16|1<<8)
		var rx [4]*rxRing
		for i := range rx {
			rx[i] = r.rx(i, 128, 2, 0)
		}
		var sent [4]uint32
		var cfg rssConfig
		cfg.key, cfg.fields = rssKey, chip.MrqcUDPIPv4
		cfg.build()
		for n := range 400 {
			f := udp(frame(60, n))
			binary.BigEndian.PutUint16(f[34:], uint16(n*17))
			_, h := cfg.of(f)
			sent[h&127/16%4]++
			r.port.push(f)
		}
		seen := [4]uint32{}
		for range 10 {
			r.step(256)
			for i, q := range rx {
				for _, g := range q.take() {
					if want := int(chip.RxHash(g.w0) & 127 / 16 % 4); want != i {
						t.Fatalf("a frame with hash %#x is in queue %d", chip.RxHash(g.w0), i)
					}
					seen[i]++
				}
			}
		}
		if seen != sent {
			t.Errorf("received %v by queue, sent %v", seen, sent)
		}
		for i := range 4 {
			if n := r.reg.Read32(chip.QPRC(i)); n != sent[i] {
				t.Errorf("QPRC[%d] = %d, want %d", i, n, sent[i])
			}
		}
		r.clean()
	})
}
