package traffic

import (
	"encoding/binary"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
)

func newTemplates(t testing.TB, s Spec) *Templates {
	t.Helper()
	templates, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

func render(t testing.TB, templates *Templates, seq uint64) []byte {
	t.Helper()
	f := make([]byte, MaxSize)
	n := templates.Render(f, seq)
	if n == 0 {
		t.Fatalf("frame %d: nothing rendered", seq)
	}
	return f[:n]
}

// verify has gopacket decode a frame and sum its checksums.
func verify(t *testing.T, f []byte) gopacket.Packet {
	t.Helper()
	p := gopacket.NewPacket(f, layers.LayerTypeEthernet, gopacket.Default)
	if p.ErrorLayer() != nil {
		t.Fatalf("% x: %v", f, p.ErrorLayer().Error())
	}
	switch l4 := p.TransportLayer().(type) {
	case *layers.UDP:
		l4.SetNetworkLayerForChecksum(p.NetworkLayer())
	case *layers.TCP:
		l4.SetNetworkLayerForChecksum(p.NetworkLayer())
	}
	if err, wrong := p.VerifyChecksums(); err != nil || len(wrong) > 0 {
		t.Fatalf("% x: wrong checksums: %v %v", f, wrong, err)
	}
	return p
}

func TestHeaders(t *testing.T) {
	want := map[string][]gopacket.LayerType{
		UDP4: {layers.LayerTypeEthernet, layers.LayerTypeIPv4, layers.LayerTypeUDP},
		UDP6: {layers.LayerTypeEthernet, layers.LayerTypeIPv6, layers.LayerTypeUDP},
		TCP4: {layers.LayerTypeEthernet, layers.LayerTypeIPv4, layers.LayerTypeTCP},
		ARP:  {layers.LayerTypeEthernet, layers.LayerTypeARP},
	}
	for name, types := range want {
		for _, size := range []int{80, 81, 590, 1514, MaxSize} {
			p := verify(t, render(t, newTemplates(t, Spec{Template: name, Size: size, Seq: true, Stream: 7}), 1<<40+3))
			for _, layer := range types {
				if p.Layer(layer) == nil {
					t.Errorf("%s of %d bytes: no %s layer in %s", name, size, layer, p)
				}
			}
			if p.Metadata().Truncated {
				t.Errorf("%s of %d bytes: lengths do not match: %s", name, size, p)
			}
		}
	}
	f := render(t, newTemplates(t, Spec{Template: Raw}), 0)
	if len(f) != 60 || binary.BigEndian.Uint16(f[12:]) != 0x88B5 {
		t.Errorf("raw: % x", f)
	}
}

func TestAddresses(t *testing.T) {
	s := Spec{
		SrcMAC: net.HardwareAddr{2, 1, 1, 1, 1, 1}, DstMAC: net.HardwareAddr{2, 3, 3, 3, 3, 3},
		Src: netip.MustParseAddr("10.1.2.3"), Dst: netip.MustParseAddr("10.4.5.6"), SrcPort: 65534, DstPort: 53, Flows: 3,
	}
	templates := newTemplates(t, s)
	var ports []layers.UDPPort
	for seq := range uint64(4) {
		p := verify(t, render(t, templates, seq))
		eth := p.LinkLayer().(*layers.Ethernet)
		ip := p.NetworkLayer().(*layers.IPv4)
		udp := p.TransportLayer().(*layers.UDP)
		if eth.SrcMAC.String() != s.SrcMAC.String() || eth.DstMAC.String() != s.DstMAC.String() ||
			ip.SrcIP.String() != "10.1.2.3" || ip.DstIP.String() != "10.4.5.6" || udp.DstPort != 53 {
			t.Fatal(p)
		}
		ports = append(ports, udp.SrcPort)
	}
	if want := []layers.UDPPort{65534, 65535, 0, 65534}; !slices.Equal(ports, want) {
		t.Errorf("source ports %v, want %v", ports, want)
	}
}

// Fill of an old frame must give what the checker and a receiver's checksum accept.
func TestFill(t *testing.T) {
	for _, l := range layouts {
		for _, s := range []Spec{
			{Seq: true}, {Seq: true, Size: 173, Stream: 65535}, {Sizes: []int{100, 80, 1514}, Seq: true}, {Size: 99, Seq: true, Routed: true},
			{Flows: 5, Seq: true}, {Flows: 65536}, {},
		} {
			if s.Template = l.name; l.port == 0 {
				s.Flows = 0
			}
			templates := newTemplates(t, s)
			frames := make([][]byte, templates.Period())
			for i := range frames {
				frames[i] = render(t, templates, uint64(i)+0xdeadbeef*uint64(len(frames)))
			}
			var c Checker
			for seq := range uint64(2000) {
				f := frames[seq%uint64(len(frames))]
				if len(f) != templates.Size(seq) {
					t.Fatalf("%+v: frame %d has %d bytes, not %d", s, seq, len(f), templates.Size(seq))
				}
				templates.Fill(f, seq)
				if v := c.Check(f); v != OK {
					t.Fatalf("%+v: frame %d is %s: % x", s, seq, v, f)
				}
				if l.checksum != 0 && seq%10 == 0 {
					verify(t, f)
				}
			}
		}
	}
}

// A UDP checksum that sums to zero is sent as all ones, a TCP one as zero; both occur once in 65536.
func TestChecksumZero(t *testing.T) {
	for _, name := range []string{UDP6, TCP4} {
		templates := newTemplates(t, Spec{Template: name, Seq: true})
		f := render(t, templates, 0)
		found := false
		for seq := range uint64(1 << 20) {
			templates.Fill(f, seq)
			switch binary.BigEndian.Uint16(f[templates.layout.checksum:]) {
			case 0:
				if name == UDP6 {
					t.Fatalf("udp6 frame %d has checksum 0", seq)
				}
				found = true
			case 0xffff:
				if name == TCP4 {
					t.Fatalf("tcp4 frame %d has checksum 0xffff", seq)
				}
				found = true
			}
		}
		if !found {
			t.Errorf("%s: the case did not occur", name)
		}
	}
}

func TestShortBuffer(t *testing.T) {
	templates := newTemplates(t, Spec{Seq: true, Size: 100})
	if n := templates.Render(make([]byte, 99), 0); n != 0 {
		t.Errorf("a frame of 100 bytes was rendered to 99: %d", n)
	}
	short := make([]byte, 59)
	templates.Fill(short, 5)
	if slices.Max(short) != 0 {
		t.Errorf("a buffer too short was written to: % x", short)
	}
}

func TestSpecErrors(t *testing.T) {
	six, four := netip.MustParseAddr("::1"), netip.MustParseAddr("10.0.0.1")
	for want, s := range map[string]Spec{
		"unknown template":         {Template: "udp5"},
		"60 to 16000":              {Size: 59},
		"size 16001":               {Size: 16001},
		"size 71: template tcp4":   {Template: TCP4, Size: 71},
		"size 60: template udp6":   {Template: UDP6, Sizes: IMIX},
		"both set":                 {Size: 60, Sizes: IMIX},
		"at most 1024":             {Sizes: make([]int, 1025)},
		"-1 flows":                 {Flows: -1},
		"65537 flows":              {Flows: 65537},
		"no ports":                 {Template: ARP, Flows: 2},
		"must have 6 bytes":        {SrcMAC: net.HardwareAddr{1, 2}},
		"do not fit template udp4": {Src: six},
		"do not fit template udp6": {Template: UDP6, Dst: four},
		"do not fit template arp":  {Template: ARP, Dst: six},
	} {
		if _, err := New(s); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one with %q", s, err, want)
		}
	}
}

func TestParseSizes(t *testing.T) {
	if s, err := ParseSizes("60+1514"); err != nil || !slices.Equal(s, []int{60, 1514}) {
		t.Error(s, err)
	}
	counts := map[int]int{}
	imix, err := ParseSizes("imix")
	for _, n := range imix {
		counts[n]++
	}
	if err != nil || counts[60] != 7 || counts[590] != 4 || counts[1514] != 1 || len(imix) != 12 {
		t.Error(imix, err)
	}
	for _, bad := range []string{"", "59", "60+", "16001", "x", "+60", strings.Repeat("60+", 1024) + "60"} {
		if s, err := ParseSizes(bad); err == nil {
			t.Errorf("%q: %v", bad, s)
		}
	}
}
