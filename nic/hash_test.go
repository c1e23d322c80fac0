package nic_test

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"testing"

	"glassnic/nic"
)

// The hashes that Microsoft publishes for VerificationKey ("Verifying the RSS hash calculation").
var vectors = []struct {
	src, dst         string
	ports, addresses uint32 // hash with and without ports
}{
	{"66.9.149.187:2794", "161.142.100.80:1766", 0x51ccc178, 0x323e8fc2},
	{"199.92.111.2:14230", "65.69.140.83:4739", 0xc626b0ea, 0xd718262a},
	{"24.19.198.95:12898", "12.22.207.184:38024", 0x5c2b394a, 0xd2d0a5de},
	{"38.27.205.30:48228", "209.142.163.6:2217", 0xafc7327f, 0x82989176},
	{"153.39.163.191:44251", "202.188.127.2:1303", 0x10e828a2, 0x5d1809c5},
	{"[3ffe:2501:200:1fff::7]:2794", "[3ffe:2501:200:3::1]:1766", 0x40207d3d, 0x2cc18cd5},
	{"[3ffe:501:8::260:97ff:fe40:efab]:14230", "[ff02::1]:4739", 0xdde51bbf, 0x0f0c461c},
	{"[3ffe:1900:4545:3:200:f8ff:fe21:67cf]:44251", "[fe80::200:f8ff:fe21:67cf]:38024", 0x02d1feef, 0x4b61e985},
}

// connection is the first frame of a connection, with a VLAN tag or without.
func connection(src, dst string, protocol byte, tagged bool) []byte {
	s, d := netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst)
	f := make([]byte, 12, 100)
	if tagged {
		f = append(f, 0x81, 0, 0, 5)
	}
	if s.Addr().Is4() {
		f = append(f, 8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0)
	} else {
		f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, protocol, 64)
	}
	f = append(append(f, s.Addr().AsSlice()...), d.Addr().AsSlice()...)
	f = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(f, s.Port()), d.Port())
	return append(f, make([]byte, 16)...)
}

func TestToeplitz(t *testing.T) {
	all := nic.NewToeplitz(nic.VerificationKey, nic.HashAll)
	plain := nic.NewToeplitz(nic.VerificationKey, nic.HashIPv4|nic.HashIPv6)
	tcp := nic.NewToeplitz(nic.VerificationKey, nic.HashTCP4|nic.HashTCP6)
	symmetric := nic.NewToeplitz(nic.SymmetricKey, nic.HashAll)
	for _, v := range vectors {
		for _, tagged := range []bool{false, true} {
			for _, protocol := range []byte{6, 17, 1} {
				f := connection(v.src, v.dst, protocol, tagged)
				want := v.ports
				if protocol == 1 {
					want = v.addresses
				}
				if h, ok := all.Hash(f); h != want || !ok {
					t.Errorf("%s, protocol %d: %#x %v, want %#x", v.src, protocol, h, ok, want)
				}
				if h, ok := plain.Hash(f); h != v.addresses || !ok {
					t.Errorf("%s, protocol %d, addresses only: %#x %v, want %#x", v.src, protocol, h, ok, v.addresses)
				}
				if h, ok := tcp.Hash(f); ok != (protocol == 6) || ok && h != v.ports {
					t.Errorf("%s, protocol %d, TCP only: %#x %v", v.src, protocol, h, ok)
				}
				there, _ := symmetric.Hash(f)
				if back, ok := symmetric.Hash(connection(v.dst, v.src, protocol, tagged)); back != there || !ok {
					t.Errorf("%s, protocol %d: %#x and back %#x", v.src, protocol, there, back)
				}
			}
		}
	}
	fragment := connection(vectors[0].src, vectors[0].dst, 6, false)
	fragment[20] = 0x20 // more follow
	if h, ok := all.Hash(fragment); h != vectors[0].addresses || !ok {
		t.Errorf("a fragment: %#x %v", h, ok)
	}
	for n := range fragment {
		if _, ok := all.Hash(fragment[:n]); ok && n < 34 {
			t.Errorf("%d bytes have a hash", n)
		}
	}
	if _, ok := all.Hash(make([]byte, 60)); ok {
		t.Error("a frame of no protocol has a hash")
	}
}

func TestParseHashing(t *testing.T) {
	key := strings.Repeat("01", 40)
	for _, c := range []struct {
		text string
		want nic.HashProtocols
		key  byte
	}{
		{"tcp4,udp4", nic.HashTCP4 | nic.HashUDP4, 0x6d}, {"symmetric", nic.HashAll, 0x6d}, {"key=" + key + ",ip6", nic.HashIPv6, 1},
	} {
		h, err := nic.ParseHashing(c.text, 3)
		if err != nil || h.Protocols != c.want || h.Key[0] != c.key || h.Table[2] != 2 || h.Table[3] != 0 {
			t.Errorf("%s: %v, %v %x", c.text, err, h.Protocols, h.Key)
		}
	}
	if h, err := nic.ParseHashing("standard", 1); err != nil || h.Key != nic.VerificationKey {
		t.Error(err)
	}
	for _, bad := range []string{"", "tcp", "tcp4,", "key=00", "key=" + key + "0", "key=" + strings.Repeat("xy", 40)} {
		if _, err := nic.ParseHashing(bad, 1); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestHashingCheck(t *testing.T) {
	h := nic.DefaultHashing(4)
	if err := h.Check(4, nic.HashAll); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		queues int
		can    nic.HashProtocols
		want   string
	}{
		{4, 0, "no hash"}, {4, nic.HashAll &^ nic.HashUDP6, "udp6: the card hashes ip4,tcp4,udp4,ip6,tcp6 only"},
		{3, nic.HashAll, "queue 3 in entry 3: the port has queues 0 to 2"},
	} {
		if err := h.Check(c.queues, c.can); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
