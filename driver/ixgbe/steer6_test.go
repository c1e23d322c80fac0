package ixgbe_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"glassnic/nic"
)

// ip6 is a segment or datagram between two addresses.
func ip6(tcp bool, src, dst string, sport, dport uint16) []byte {
	f := ip(true, tcp, 0, 0, sport, dport)
	copy(f[22:], netip.MustParseAddr(src).AsSlice())
	copy(f[38:], netip.MustParseAddr(dst).AsSlice())
	return f
}

// Rules of IPv6 lead where they say; flow director changes between them and rules of IPv4.
func TestRules6(t *testing.T) {
	const a, b = "2001:db8::a", "2001:db8:0:4::b"
	r := steered(t)
	tcp, udp, tcp4 := ip6(true, a, b, 1000, 80), ip6(false, a, b, 1000, 80), ip(false, true, 1, 2, 1000, 80)
	for _, c := range []struct {
		rules []string
		want  map[int][][]byte // frames by queue; those that no rule takes are in 3
	}{
		{[]string{"tcp6 dport 80=1"}, map[int][][]byte{
			1: {tcp, tagged(tcp, 5), ip6(true, b, a, 7, 80)}, 3: {udp, tcp4, ip6(true, a, b, 80, 81)},
		}},
		{[]string{"tcp6 dst 2001:db8:0:4::b dport 80=1", "tcp6 dst 2001:db8:0:4::c dport 80=2", "udp6 dst 2001:db8:0:4::b dport 80=0"}, map[int][][]byte{
			1: {tcp, ip6(true, "::1", b, 5, 80)}, 2: {ip6(true, a, "2001:db8:0:4::c", 1, 80)}, 0: {udp},
			3: {ip6(true, a, "2001:db8:0:4::d", 1, 80), ip6(true, b, a, 1, 80), ip6(true, a, b, 1000, 81), tcp4},
		}},
		{[]string{"tcp6 src 2001:db8::a dst 2001:db8:0:4::b sport 1000 dport 80=1"}, map[int][][]byte{
			1: {tcp}, 3: {udp, ip6(true, a, b, 1001, 80), ip6(true, a, a, 1000, 80), ip6(true, b, b, 1000, 80)},
		}},
		{[]string{"ip6 src 2001:db8::/32=1", "ip6 src fd00::/32=2"}, map[int][][]byte{
			1: {tcp, udp, ip6(false, "2001:db8:ffff:ffff::", "::1", 1, 1)}, 2: {ip6(true, "fd00::ffff", a, 1, 1)},
			3: {ip6(true, "2001:db9::a", b, 1, 1), tcp4},
		}},
		{[]string{"ip4 dst 10.0.0.2/31=2", "ip4 dst 10.0.0.4/31=drop"}, map[int][][]byte{
			2: {tcp4}, 3: {tcp, udp, ip(false, true, 1, 6, 1, 1)}, -1: {ip(false, true, 1, 5, 1, 1)},
		}},
		{[]string{"syn=2", "tcp4 dport 80=0", "udp6 vlan 5=1"}, map[int][][]byte{
			0: {tcp4}, 1: {tagged(udp, 5), tagged(udp, 0xe005)}, 3: {tcp, udp, tagged(udp, 6), tagged(tcp, 5)},
		}},
		{[]string{"sctp6=2"}, map[int][][]byte{3: {tcp, udp}}},
		{nil, map[int][][]byte{3: {tcp, udp, tcp4, tagged(udp, 5)}}},
	} {
		r.leads(t, c.rules, c.want)
	}
}

// The card knows flows of IPv6 by a hash: addresses whose words of 32 bits have the same sum, without carry, are taken for
// each other (7.1.2.7), in frames as in rules.
func TestSignaturesCollide(t *testing.T) {
	r := steered(t)
	if err := r.dev.SetRules(rules(t, "udp6 dst 2001:db8::1=1")); err != nil {
		t.Fatal(err)
	}
	other := ip6(false, "::1", "0:1:0:0:2001:db8::", 5, 5)
	r.goes(t, "a frame with the same hash", other, 1)
	r.goes(t, "another", ip6(false, "::1", "0:1:0:0:2001:db9::", 5, 5), 3)
	same := rules(t, "udp6 dst 2001:db8::1=1", "udp6 dst 0:1::2001:db8:0:0=1", "udp6 dst 2001:db8::2=2")
	for range 2 {
		if err := r.dev.SetRules(same); err != nil {
			t.Fatal(err)
		}
		r.goes(t, "two rules with the same hash", other, 1)
	}
	if err := r.dev.SetRules(nil); err != nil {
		t.Fatal(err)
	}
	r.goes(t, "no rules", other, 3)
}

func TestRules6Refused(t *testing.T) {
	r := steered(t)
	kept := rules(t, "tcp6 dport 80=1")
	if err := r.dev.SetRules(kept); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 8191)
	for i := range many {
		many[i] = fmt.Sprintf("udp6 dport %d=0", i+1)
	}
	for want, texts := range map[string][]string{
		"tcp6 dport 81=drop: flow director knows flows of IPv6 by a hash":           {"tcp6 dport 81=drop"},
		"prefixes with a length of 8, 16, 24":                                       {"ip6 src 2001:db8::/33=1"},
		"no mask for ports of SCTP":                                                 {"sctp6 dport 80=1"},
		"tcp6 dport 80=1: flow director serves flows of IPv4 or of IPv6, one of":    {"ip4 vlan 5=1", "tcp6 dport 80=1"},
		"ip4 src 10.0.0.0/8=2: flow director serves flows of IPv4 or of IPv6":       {"tcp6 dport 80=1", "ip4 src 10.0.0.0/8=2"},
		"tcp6 dport 80=1: flow director has one mask":                               {"udp6=1", "tcp6 dport 80=1"},
		"udp6 dst 0:1::2001:db8:0:0=2: has the signature of udp6 dst 2001:db8::1=1": {"udp6 dst 2001:db8::1=1", "udp6 dst 0:1:0:0:2001:db8::=2"},
		"never comes in force behind":                                               {"udp6 dst 2001:db8::1=1", "udp6 dst 2001:db8::1=1"},
		"looks the SYN filter up before flow director":                              {"tcp6=1", "syn=2"},
		"8191 rules in flow director: there is room for 8190":                       many,
	} {
		err := r.dev.SetRules(rules(t, texts...))
		if err == nil || !strings.Contains(err.Error(), "sim:test: set rules: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %.300v, want %q", texts[:min(len(texts), 2)], err, want)
		}
		if !slices.Equal(r.dev.Rules(), kept) {
			t.Fatalf("%v replaced the rules before", texts[:1])
		}
	}
	r.goes(t, "the rule before", ip6(true, "::1", "::2", 1000, 80), 1)
	if k := r.dev.Steerable(); k&nic.RuleFlow6 == 0 || !strings.Contains(k.String(), "flow6") {
		t.Errorf("steers %v", k)
	}
}
