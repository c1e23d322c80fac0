package nic

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Filterer is implemented by ports that lead chosen frames to chosen queues, or drop them, before the hash spreads the
// rest. Which of its facilities serves a rule is the driver's choice.
type Filterer interface {
	// Steerable are the kinds of rules that the card can do.
	Steerable() RuleKinds
	// Rules returns the rules in force.
	Rules() []Rule
	// SetRules replaces all rules, until Close. Of those that match a frame the first counts. Where the card cannot do
	// them, all together and in this order, the error says why, and those before stay. Frames that arrive meanwhile may
	// go by the rules before, by the new ones, or by the hash.
	SetRules([]Rule) error
}

// Rule says what happens to some frames. It is one of three kinds: of an EtherType, of TCP segments with SYN, or of
// packets of IPv4 or IPv6, by all fields that are not zero. Where a card knows flows of IPv6 by a hash alone, a few frames of
// others may go where a rule of IPv6 says: those whose hash is the same.
type Rule struct {
	EtherType uint16 // but IP's, behind a VLAN tag or without; 0: another kind
	SYN       bool   // all TCP segments that open a connection

	IPv6             bool         // packets of IPv6 instead of IPv4
	Protocol         uint8        // 6 TCP, 17 UDP, 132 SCTP; 0: any
	Src, Dst         netip.Prefix // of that version; zero: any
	SrcPort, DstPort uint16       // with Protocol; 0: any
	VLAN             uint16       // 1 to 4094; 0: any, and none

	Queue int // of the port; Drop: none
}

// Drop is the queue of frames that are dropped.
const Drop = -1

// RuleKinds is a set of kinds of rules.
type RuleKinds uint8

// Kinds.
const (
	RuleEtherType RuleKinds = 1 << iota
	RuleSYN
	RuleFlow // of IPv4
	RuleDrop // of IPv4, too
	RuleFlow6
)

var kindNames = []string{"ethertype", "syn", "flow", "drop", "flow6"}

// String returns the names, such as "ethertype,flow", or "none".
func (k RuleKinds) String() string {
	var s []string
	for i, name := range kindNames {
		if k&(1<<i) != 0 {
			s = append(s, name)
		}
	}
	if s == nil {
		return "none"
	}
	return strings.Join(s, ",")
}

// flows are what a rule of a flow begins with.
var flows = map[string]Rule{
	"ip4": {}, "tcp4": {Protocol: 6}, "udp4": {Protocol: 17}, "sctp4": {Protocol: 132},
	"ip6": {IPv6: true}, "tcp6": {IPv6: true, Protocol: 6}, "udp6": {IPv6: true, Protocol: 17}, "sctp6": {IPv6: true, Protocol: 132},
}

// String returns the rule as ParseRule reads it.
func (r Rule) String() string {
	to := "=drop"
	if r.Queue != Drop {
		to = "=" + strconv.Itoa(r.Queue)
	}
	switch {
	case r.EtherType != 0:
		return fmt.Sprintf("ethertype %#04x", r.EtherType) + to
	case r.SYN:
		return "syn" + to
	}
	var s strings.Builder
	for name, f := range flows {
		if f.Protocol == r.Protocol && f.IPv6 == r.IPv6 {
			s.WriteString(name)
		}
	}
	for _, p := range []struct {
		name   string
		prefix netip.Prefix
	}{{"src", r.Src}, {"dst", r.Dst}} {
		switch {
		case p.prefix.IsSingleIP():
			fmt.Fprintf(&s, " %s %v", p.name, p.prefix.Addr())
		case p.prefix.IsValid():
			fmt.Fprintf(&s, " %s %v", p.name, p.prefix)
		}
	}
	for _, n := range []struct {
		name  string
		value uint16
	}{{"sport", r.SrcPort}, {"dport", r.DstPort}, {"vlan", r.VLAN}} {
		if n.value != 0 {
			fmt.Fprintf(&s, " %s %d", n.name, n.value)
		}
	}
	return s.String() + to
}

// Check refuses what makes no sense, or what a port with so many queues cannot do.
func (r Rule) Check(queues int) error {
	flow := r
	flow.EtherType, flow.SYN, flow.Queue = 0, false, 0
	fields := flow != Rule{}
	switch {
	case r.Queue != Drop && (r.Queue < 0 || r.Queue >= queues):
		return fmt.Errorf("queue %d: the port has queues 0 to %d", r.Queue, queues-1)
	case r.EtherType != 0 && (r.SYN || fields), r.SYN && fields:
		return errors.New("a rule is of an EtherType, of SYN or of a flow: want one of them")
	case r.EtherType != 0 && r.EtherType < 0x600: // IEEE 802.3, 3.2.6
		return fmt.Errorf("EtherType %#04x: want 0x0600 or more", r.EtherType)
	case (r.SrcPort != 0 || r.DstPort != 0) && r.Protocol == 0:
		return errors.New("ports without a protocol: want TCP, UDP or SCTP, such as tcp4")
	case r.Protocol != 0 && r.Protocol != 6 && r.Protocol != 17 && r.Protocol != 132:
		return fmt.Errorf("protocol %d: want TCP (6), UDP (17) or SCTP (132)", r.Protocol)
	case r.VLAN > 4094:
		return fmt.Errorf("VLAN %d: want 1 to 4094", r.VLAN)
	}
	for _, p := range []netip.Prefix{r.Src, r.Dst} {
		if p.IsValid() && (p.Addr().Is4() == r.IPv6 || p.Addr().Is4In6() || p.Bits() == 0) || !p.IsValid() && p != (netip.Prefix{}) {
			if r.IPv6 {
				return fmt.Errorf("%v: want an IPv6 address, or a prefix with a length of 1 to 128", p)
			}
			return fmt.Errorf("%v: want an IPv4 address, or a prefix with a length of 1 to 32", p)
		}
		if p != p.Masked() {
			return fmt.Errorf("%v: bits beyond its length are set: want %v", p, p.Masked())
		}
	}
	return nil
}

// Overlaps tells whether a frame may match both rules.
func (r Rule) Overlaps(o Rule) bool {
	if (r.EtherType != 0) != (o.EtherType != 0) {
		return false // EtherTypes of IP have no filters
	}
	if !r.SYN && !o.SYN && r.IPv6 != o.IPv6 {
		return false
	}
	differ := func(a, b uint16) bool { return a != 0 && b != 0 && a != b }
	apart := func(a, b netip.Prefix) bool { return a.IsValid() && b.IsValid() && !a.Overlaps(b) }
	ours, theirs := r.Protocol, o.Protocol
	if r.SYN {
		ours = 6
	}
	if o.SYN {
		theirs = 6
	}
	return !differ(r.EtherType, o.EtherType) && !differ(uint16(ours), uint16(theirs)) && !differ(r.SrcPort, o.SrcPort) &&
		!differ(r.DstPort, o.DstPort) && !differ(r.VLAN, o.VLAN) && !apart(r.Src, o.Src) && !apart(r.Dst, o.Dst)
}

// ParseRule reads a rule: what it matches, and the queue, or drop: "ethertype 0x88cc=1", "syn=0", "tcp4 dport 80=2" or
// "ip4 src 10.0.0.0/8 vlan 5=drop". After ip4, tcp4, udp4, sctp4, or the same with 6, come any of src, dst, sport, dport and
// vlan.
func ParseRule(s string) (Rule, error) {
	var r Rule
	what, to, ok := strings.Cut(s, "=")
	words := strings.Fields(what)
	if !ok || len(words) == 0 {
		return r, fmt.Errorf("%q: want a rule such as \"tcp4 dport 80=2\"", s)
	}
	number := func(word string, to *uint16) error {
		n, err := strconv.ParseUint(word, 0, 16)
		if err != nil || n == 0 {
			return fmt.Errorf("%q: want a number from 1 to 65535", word)
		}
		*to = uint16(n)
		return nil
	}
	if to = strings.TrimSpace(to); to == "drop" {
		r.Queue = Drop
	} else {
		n, err := strconv.ParseUint(to, 10, 16)
		if err != nil {
			return r, fmt.Errorf("%q: want a queue or drop", to)
		}
		r.Queue = int(n)
	}
	flow, isFlow := flows[words[0]]
	switch {
	case words[0] == "ethertype" && len(words) == 2:
		if err := number(words[1], &r.EtherType); err != nil {
			return r, err
		}
		return r, r.Check(r.Queue + 1)
	case words[0] == "syn" && len(words) == 1:
		r.SYN = true
		return r, nil
	case !isFlow:
		return r, fmt.Errorf("%q: want ethertype N, syn, ip4, tcp4, udp4, sctp4, ip6, tcp6, udp6 or sctp6", what)
	}
	r.Protocol, r.IPv6 = flow.Protocol, flow.IPv6
	if words = words[1:]; len(words)%2 != 0 {
		return r, fmt.Errorf("%q: want a value behind each of src, dst, sport, dport and vlan", what)
	}
	for i := 0; i < len(words); i += 2 {
		value := words[i+1]
		var err error
		switch words[i] {
		case "src":
			r.Src, err = prefix(value)
		case "dst":
			r.Dst, err = prefix(value)
		case "sport":
			err = number(value, &r.SrcPort)
		case "dport":
			err = number(value, &r.DstPort)
		case "vlan":
			err = number(value, &r.VLAN)
		default:
			err = fmt.Errorf("%q: want src, dst, sport, dport or vlan", words[i])
		}
		if err != nil {
			return r, err
		}
	}
	return r, r.Check(max(r.Queue, 0) + 1)
}

// prefix reads an address or a prefix.
func prefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	return netip.ParsePrefix(s)
}
