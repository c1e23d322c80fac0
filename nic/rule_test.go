package nic_test

import (
	"net/netip"
	"strings"
	"testing"

	"glassnic/nic"
)

func TestParseRule(t *testing.T) {
	for text, want := range map[string]nic.Rule{
		"ethertype 0x88cc=1": {EtherType: 0x88cc, Queue: 1},
		"syn=drop":           {SYN: true, Queue: nic.Drop},
		"tcp4 dport 80=2":    {Protocol: 6, DstPort: 80, Queue: 2},
		"ip4=0":              {},
		"ip4 src 10.0.0.0/8 vlan 5=drop": {
			Src: netip.MustParsePrefix("10.0.0.0/8"), VLAN: 5, Queue: nic.Drop,
		},
		"udp4 src 198.18.0.1 dst 198.19.0.0/16 sport 1 dport 65535=3": {
			Protocol: 17, Src: netip.MustParsePrefix("198.18.0.1/32"), Dst: netip.MustParsePrefix("198.19.0.0/16"), SrcPort: 1, DstPort: 65535, Queue: 3,
		},
		"ip6 vlan 5=1": {IPv6: true, VLAN: 5, Queue: 1},
		"tcp6 src 2001:db8::/32 dst 2001:db8::1 dport 80=2": {
			IPv6: true, Protocol: 6, Src: netip.MustParsePrefix("2001:db8::/32"), Dst: netip.MustParsePrefix("2001:db8::1/128"), DstPort: 80, Queue: 2,
		},
	} {
		r, err := nic.ParseRule(text)
		if err != nil || r != want || r.String() != text {
			t.Errorf("%s: %+v %v, as text %s", text, r, err, r)
		}
	}
	for text, want := range map[string]string{
		"":                            "want a rule",
		"tcp4 dport 80":               "want a rule",
		"tcp4 dport 80=":              "want a queue or drop",
		"tcp4 dport 80=-1":            "want a queue or drop",
		"tcp dport 80=1":              "want ethertype N, syn",
		"syn dport 80=1":              "want ethertype N, syn",
		"tcp4 dport=1":                "want a value behind each",
		"tcp4 port 80=1":              `"port": want src`,
		"tcp4 dport 0=1":              "from 1 to 65535",
		"ip4 dport 80=1":              "ports without a protocol",
		"ip4 vlan 4095=1":             "want 1 to 4094",
		"ip4 src ::1=1":               "want an IPv4 address",
		"ip6 src 10.0.0.1=1":          "want an IPv6 address",
		"udp6 dst ::/0=1":             "a length of 1 to 128",
		"ip6 src ::ffff:10.0.0.1=1":   "want an IPv6 address",
		"ip6 src 2001:db8::1/64=1":    "want 2001:db8::/64",
		"ip4 src 0.0.0.0/0=1":         "a length of 1 to 32",
		"ip4 src 10.0.0.1/8=1":        "want 10.0.0.0/8",
		"ethertype 0x5ff=1":           "0x0600 or more",
		"ip4 src 10.0.0.0/33=1":       "prefix length",
		"ip4 src 10.0.0.1 dst what=1": "what",
	} {
		if r, err := nic.ParseRule(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %+v %v, want %q", text, r, err, want)
		}
	}
}

func TestRuleCheck(t *testing.T) {
	if err := (nic.Rule{SYN: true, Queue: 3}).Check(4); err != nil {
		t.Error(err)
	}
	for want, r := range map[string]nic.Rule{
		"queue 4: the port has queues 0 to 3": {SYN: true, Queue: 4},
		"queue -2":                            {SYN: true, Queue: -2},
		"want one of them":                    {SYN: true, DstPort: 80},
		"protocol 1: want TCP":                {Protocol: 1},
	} {
		if err := r.Check(4); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", r, err, want)
		}
	}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"syn=0", "tcp4 dport 80=1", true}, {"syn=0", "udp4 dport 80=1", false}, {"syn=0", "ip4 vlan 5=1", true},
		{"ethertype 0x88cc=0", "ip4=1", false}, {"ethertype 0x88cc=0", "ethertype 0x88cc=1", true},
		{"ip4 src 10.0.0.0/8=0", "ip4 src 10.1.0.0/16=1", true}, {"ip4 src 10.0.0.0/8=0", "ip4 src 11.0.0.0/8=1", false},
		{"ip4 src 10.0.0.0/8=0", "ip4 dst 11.0.0.0/8=1", true}, {"tcp4 dport 80=0", "tcp4 dport 81=0", false},
		{"tcp4 dport 80=0", "tcp4 sport 81=0", true}, {"ip4 vlan 1=0", "ip4 vlan 2=0", false},
		{"tcp4 dport 80=0", "tcp6 dport 80=1", false}, {"syn=0", "tcp6 dport 80=1", true}, {"syn=0", "udp6=1", false},
		{"ip6 src 2001:db8::/32=0", "tcp6 src 2001:db8:1::/48=1", true}, {"ip6 src 2001:db8::1=0", "ip6 src 2001:db8::2=1", false},
	} {
		a, _ := nic.ParseRule(c.a)
		b, _ := nic.ParseRule(c.b)
		if a.Overlaps(b) != c.want || b.Overlaps(a) != c.want {
			t.Errorf("%s and %s: %v", c.a, c.b, !c.want)
		}
	}
}
