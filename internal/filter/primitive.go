package filter

import "fmt"

// isProto are the keywords that stand for a protocol.
var isProto = func() map[string]bool {
	all := map[string]bool{}
	for _, w := range []string{
		"ether", "arp", "rarp", "ip", "sctp", "tcp", "udp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp", "radio", "ip6",
		"icmp6", "ah", "esp", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl", "iso", "esis", "isis", "l1", "l2",
		"iih", "lsp", "snp", "csnp", "psnp", "clnp", "stp", "ipx", "netbeui",
	} {
		all[w] = true
	}
	return all
}()

// primitive parses what begins with a keyword.
func (p *parser) primitive() (operand, error) {
	done := func(c *cond, err error) (operand, error) {
		return operand{cond: c, q: qual{none: true}}, err
	}
	if p.peek().kind != tokWord {
		return operand{}, p.wrong()
	}
	proto := ""
	if isProto[p.peek().text] {
		proto = p.take().text
	}
	switch {
	case p.accept("broadcast"):
		return done(p.g.broadcast(proto))
	case p.accept("multicast"):
		return done(p.g.multicast(proto))
	case p.is("type", "subtype", "dir"):
		return operand{}, fmt.Errorf("%s: 802.11 frames do not occur on Ethernet", p.peek().text)
	case p.is("src", "dst", "addr1", "addr2", "addr3", "addr4", "ra", "ta", "host", "net", "port", "portrange", "proto", "protochain", "gateway"):
		q, err := p.qualifiers(proto)
		if err != nil {
			return operand{}, err
		}
		o, err := p.ids(q)
		o.id = false
		return o, err
	case proto != "":
		return done(p.g.abbreviation(proto))
	}
	word := p.take().text
	switch word {
	case "less", "greater":
		n, err := p.number()
		if err != nil {
			return operand{}, err
		}
		if word == "less" {
			return done(not(&cond{t: test{v: p.g.len(), w: p.g.num(n), cmp: cmpGt}}), nil)
		}
		return done(&cond{t: test{v: p.g.len(), w: p.g.num(n), cmp: cmpGe}}, nil)
	case "byte":
		return p.byteOp()
	case "inbound":
		return done(always(true), nil) // a port hands out what it has received
	case "outbound":
		return done(always(false), nil)
	case "vlan", "mpls", "pppoes", "geneve":
		n, with, err := p.optional()
		if err != nil {
			return operand{}, err
		}
		return done(map[string]func(uint32, bool) (*cond, error){
			"vlan": p.g.vlan, "mpls": p.g.mpls, "pppoes": p.g.pppoes, "geneve": p.g.geneve,
		}[word](n, with))
	case "pppoed":
		return done(p.g.linkType(etherPPPoED))
	case "llc":
		kind := ""
		if t := p.peek(); t.kind == tokName || p.is("rnr") {
			kind = p.take().text
		}
		return done(p.g.llc(kind))
	case "and", "or", "mask", "!", "(", ")", "[", "]", ":":
		return operand{}, fmt.Errorf("%w at %q", errSyntax, word)
	}
	if !words[word] {
		return operand{}, fmt.Errorf("%w at %q", errSyntax, word)
	}
	return operand{}, fmt.Errorf("%s does not apply to frames of Ethernet", word)
}

// qualifiers parses those after the protocol.
func (p *parser) qualifiers(proto string) (qual, error) {
	q := qual{proto: proto}
	if p.is("addr1", "addr2", "addr3", "addr4", "ra", "ta") {
		return q, fmt.Errorf("%s: 802.11 frames do not occur on Ethernet", p.peek().text)
	}
	if p.is("src", "dst") {
		q.dir = p.take().text
		// src or dst; what follows is otherwise the name.
		if p.is("and", "or") && p.list[1].kind == tokWord && (p.list[1].text == "src" || p.list[1].text == "dst") && p.list[1].text != q.dir {
			q.dir = p.take().text
			p.take()
		}
		if p.is("host", "net", "port", "portrange") {
			q.kind = p.take().text
		}
		return q, nil
	}
	q.kind = p.take().text
	return q, nil
}

func (p *parser) number() (uint32, error) {
	t := p.take()
	if t.kind != tokNumber {
		return 0, fmt.Errorf("%w: a number is missing", errSyntax)
	}
	return t.num, nil
}

// optional parses a number, perhaps in parentheses, where there is one.
func (p *parser) optional() (n uint32, with bool, err error) {
	deep := 0
	for p.list[deep].kind == tokWord && p.list[deep].text == "(" {
		deep++
	}
	if p.list[deep].kind != tokNumber {
		return 0, false, nil
	}
	p.list = p.list[deep:]
	n = p.take().num
	for range deep {
		if !p.accept(")") {
			return 0, false, p.wrong()
		}
	}
	return n, true, nil
}

// byteOp parses the old form of ether[i] = v.
func (p *parser) byteOp() (operand, error) {
	i, err := p.number()
	if err != nil {
		return operand{}, err
	}
	if !p.is("=", "<", ">", "&", "|") {
		return operand{}, p.wrong()
	}
	op := p.take().text
	n, err := p.number()
	if err != nil {
		return operand{}, err
	}
	v, w := p.g.load(p.g.link.base, p.g.link.k+i, 1), p.g.num(n)
	c := &cond{t: test{v: v, w: w, cmp: cmpEq}}
	switch op {
	case "<":
		c = not(&cond{t: test{v: v, w: w, cmp: cmpGe}})
	case ">":
		c.t.cmp = cmpGt
	case "&":
		c.t.cmp = cmpSet
	case "|":
		if n != 0 {
			c = always(true)
		} else {
			c = not(&cond{t: test{v: v, w: p.g.num(0), cmp: cmpEq}})
		}
	}
	return operand{cond: c, q: qual{none: true}}, nil
}
