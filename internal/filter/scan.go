package filter

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

var (
	errSyntax = errors.New("syntax error")
	errZero   = errors.New("division by zero")
	errShift  = errors.New("shift by more than 31 bits")
)

// kind is what a token is. Keywords and punctuation are tokWord, told apart by their text.
type kind uint8

const (
	tokEnd kind = iota
	tokWord
	tokNumber // num
	tokName   // a name of a host, port, protocol …
	tokQuad   // one to four numbers with dots
	tokIPv6
	tokMAC
	tokARCnet
)

type token struct {
	kind kind
	text string
	num  uint32
	at   int // offset in the expression
}

// The forms of tokens; the longest that fits counts, of equally long ones the first in scan.
var patterns = sync.OnceValue(func() (p struct{ mac, number, quad, ip6, arcnet, name, escaped, bogus, sign *regexp.Regexp }) {
	longest := func(s string) *regexp.Regexp {
		re := regexp.MustCompile("^(?:" + s + ")")
		re.Longest()
		return re
	}
	const b, n = "[0-9A-Fa-f]{1,2}", "(?:[0-9]+|0[xX][0-9A-Fa-f]+)"
	var macs []string
	for _, sep := range []string{":", "-", `\.`} {
		macs = append(macs, b+strings.Repeat(sep+b, 5))
	}
	p.mac = longest(strings.Join(append(macs, `[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}`, `[0-9A-Fa-f]{12}`), "|"))
	p.number = longest(n)
	p.quad = longest(n + `(?:\.` + n + `){1,3}`)
	p.ip6 = longest(`[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4})+(?:(?:\.[0-9]+){3})?`)
	p.arcnet = longest(`\$` + b)
	p.name = longest(`[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?`)
	p.escaped = longest(`\\[^ !()\n\t]+`)
	p.bogus = longest(b + `:+(?:` + b + `:+)+`)
	p.sign = longest(`>=|<=|!=|==|<<|>>|&&|\|\||[-+*/%:\[\]!<>()&|^=]`)
	return p
})

// words are those that mean the same as another one.
var synonyms = map[string]string{
	"&&": "and", "||": "or", "not": "!", "==": "=", "length": "len", "link": "ether", "ppp": "ether", "slip": "ether",
	"fddi": "ether", "tr": "ether", "wlan": "ether", "es-is": "esis", "is-is": "isis", "direction": "dir",
	"address1": "addr1", "address2": "addr2", "address3": "addr3", "address4": "addr4", "ifname": "on",
	"ruleset": "rset", "rulenum": "rnr", "subrulenum": "srnr", "lsu": "lssu",
}

// words are the keywords besides those.
var words = func() map[string]bool {
	all := map[string]bool{}
	for _, w := range strings.Fields(`dst src ether arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6
		ah esp atalk aarp decnet lat sca moprc mopdl iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui
		host net mask port portrange proto protochain gateway type subtype dir addr1 addr2 addr3 addr4 ra ta
		less greater byte broadcast multicast and or len inbound outbound ifindex vlan mpls pppoed pppoes geneve
		lane llc metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect on rset rnr srnr reason
		action fisu lssu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls`) {
		all[w] = true
	}
	return all
}()

// numbers are names of offsets and values (pcap-filter(7)).
var numbers = map[string]uint32{
	"icmptype": 0, "icmpcode": 1, "icmp-echoreply": 0, "icmp-unreach": 3, "icmp-sourcequench": 4, "icmp-redirect": 5,
	"icmp-echo": 8, "icmp-routeradvert": 9, "icmp-routersolicit": 10, "icmp-timxceed": 11, "icmp-paramprob": 12,
	"icmp-tstamp": 13, "icmp-tstampreply": 14, "icmp-ireq": 15, "icmp-ireqreply": 16, "icmp-maskreq": 17,
	"icmp-maskreply": 18,
	"icmp6type":      0, "icmp6code": 1, "icmp6-destinationunreach": 1, "icmp6-packettoobig": 2, "icmp6-timeexceeded": 3,
	"icmp6-parameterproblem": 4, "icmp6-echo": 128, "icmp6-echoreply": 129, "icmp6-multicastlistenerquery": 130,
	"icmp6-multicastlistenerreportv1": 131, "icmp6-multicastlistenerdone": 132, "icmp6-routersolicit": 133,
	"icmp6-routeradvert": 134, "icmp6-neighborsolicit": 135, "icmp6-neighboradvert": 136, "icmp6-redirect": 137,
	"icmp6-routerrenum": 138, "icmp6-nodeinformationquery": 139, "icmp6-nodeinformationresponse": 140,
	"icmp6-ineighbordiscoverysolicit": 141, "icmp6-ineighbordiscoveryadvert": 142,
	"icmp6-multicastlistenerreportv2": 143, "icmp6-homeagentdiscoveryrequest": 144, "icmp6-homeagentdiscoveryreply": 145,
	"icmp6-mobileprefixsolicit": 146, "icmp6-mobileprefixadvert": 147, "icmp6-certpathsolicit": 148,
	"icmp6-certpathadvert": 149, "icmp6-multicastrouteradvert": 151, "icmp6-multicastroutersolicit": 152,
	"icmp6-multicastrouterterm": 153,
	"tcpflags":                  13, "tcp-fin": 1, "tcp-syn": 2, "tcp-rst": 4, "tcp-push": 8, "tcp-ack": 16, "tcp-urg": 32,
	"tcp-ece": 64, "tcp-cwr": 128,
}

// scan cuts an expression into tokens, with one of kind tokEnd at the end.
func scan(expr string) (list []token, err error) {
	for at := 0; ; {
		for at < len(expr) && strings.IndexByte(" \r\n\t", expr[at]) >= 0 {
			at++
		}
		if at == len(expr) {
			return append(list, token{kind: tokEnd, at: at}), nil
		}
		t, n, err := next(expr[at:])
		if err != nil {
			return nil, err
		}
		t.at = at
		list = append(list, t)
		at += n
	}
}

// next returns the first token of a text and its length there.
func next(s string) (t token, n int, err error) {
	p := patterns()
	// No token is as long as this, and what follows must not cost time for each.
	s = s[:min(len(s), 512)]
	try := func(re *regexp.Regexp, k kind) {
		if m := len(re.FindString(s)); m > n {
			n, t = m, token{kind: k, text: s[:m]}
		}
	}
	try(p.sign, tokWord)
	try(p.arcnet, tokARCnet)
	try(p.mac, tokMAC)
	try(p.number, tokNumber)
	try(p.quad, tokQuad)
	if m := p.ip6.FindString(s); strings.Contains(m, "::") || strings.Count(m, ":") >= 7 {
		if len(m) > n {
			n, t = len(m), token{kind: tokIPv6, text: m}
		}
	}
	bogus := len(p.bogus.FindString(s))
	if name := p.name.FindString(s); len(name) > 0 && len(name) >= n {
		word := name
		if w, ok := synonyms[name]; ok {
			word = w
		}
		if v, ok := numbers[name]; ok {
			return token{kind: tokNumber, text: name, num: v}, len(name), nil
		}
		switch {
		case words[word] || word == "!":
			n, t = len(name), token{kind: tokWord, text: word}
		case len(name) > n:
			n, t = len(name), token{kind: tokName, text: name}
		}
	}
	if m := p.escaped.FindString(s); len(m) > n {
		n, t = len(m), token{kind: tokName, text: m[1:]}
	}
	if bogus > n {
		return t, 0, fmt.Errorf("%q is no Ethernet address", s[:bogus])
	}
	switch {
	case n == 0:
		return t, 0, fmt.Errorf("%w at %q", errSyntax, s[:min(len(s), 20)])
	case t.kind == tokNumber:
		t.num, err = number(t.text)
	case t.kind == tokIPv6:
		if _, e := netip.ParseAddr(t.text); e != nil {
			err = fmt.Errorf("%q is no IPv6 address", t.text)
		}
	case t.kind == tokWord:
		if w, ok := synonyms[t.text]; ok {
			t.text = w
		}
	}
	return t, n, err
}

// number reads a number: hexadecimal after 0x, octal after 0, otherwise decimal.
func number(s string) (uint32, error) {
	digits, base := s, 10
	switch {
	case len(s) > 1 && (s[1] == 'x' || s[1] == 'X'):
		digits, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	v, err := strconv.ParseUint(digits, base, 32)
	if err != nil {
		return 0, fmt.Errorf("%q is no number of 32 bits", s)
	}
	return uint32(v), nil
}

// quad reads one to four numbers of 8 bits with dots, and tells how many bits they are.
func quad(s string) (v uint32, bits int, err error) {
	for part := range strings.SplitSeq(s, ".") {
		n, err := number(part)
		if err != nil || n > 255 || bits == 32 {
			return 0, 0, fmt.Errorf("%q is no IPv4 address", s)
		}
		v = v<<8 | n
		bits += 8
	}
	return v, bits, nil
}

// mac reads an Ethernet address in any of its forms.
func mac(s string) (addr [6]byte, err error) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' || r == '.' })
	digits := ""
	for _, p := range parts {
		if len(parts) == 6 && len(p) == 1 {
			p = "0" + p
		}
		digits += p
	}
	if len(digits) != 12 {
		return addr, fmt.Errorf("%q is no Ethernet address", s)
	}
	hw, err := net.ParseMAC(digits[:4] + "." + digits[4:8] + "." + digits[8:])
	if err != nil {
		return addr, fmt.Errorf("%q is no Ethernet address", s)
	}
	return [6]byte(hw), nil
}
