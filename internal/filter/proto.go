package filter

import (
	"errors"
	"fmt"
)

// IP protocol numbers (IANA).
var ipProtocols = map[string]uint32{
	"icmp": 1, "igmp": 2, "tcp": 6, "igrp": 9, "udp": 17, "esp": 50, "ah": 51, "icmp6": 58, "pim": 103, "vrrp": 112,
	"carp": 112, "sctp": 132,
}

// linkTypes are the protocols that stand in the type field.
var linkTypes = map[string]uint32{
	"ip": etherIP, "arp": etherARP, "rarp": etherRARP, "ip6": etherIPv6, "atalk": etherATalk, "aarp": etherAARP,
	"decnet": etherDECnet, "sca": etherSCA, "lat": etherLAT, "mopdl": etherMOPDL, "moprc": etherMOPRC, "stp": sapSTP,
	"ipx": sapIPX, "netbeui": sapNetBEUI, "iso": sapISO,
}

// isoTypes are network layer protocol identifiers (ISO/IEC TR 9577).
var isoTypes = map[string]uint32{"clnp": 0x81, "esis": 0x82, "isis": 0x83}

// isisTypes are PDU types of IS-IS (ISO/IEC 10589, 9): hellos on a LAN of level 1 and 2 and between two points, link
// state PDUs, complete and partial sequence numbers.
var isisTypes = map[string][]uint32{
	"l1": {26, 24, 18, 15, 17}, "l2": {27, 25, 20, 16, 17}, "iih": {17, 15, 16}, "lsp": {18, 20},
	"snp": {27, 26, 24, 25}, "csnp": {24, 25}, "psnp": {26, 27},
}

// abbreviation is the condition that a protocol's keyword stands for by itself.
func (g *gen) abbreviation(proto string) (*cond, error) {
	if n, ok := ipProtocols[proto]; ok {
		switch proto {
		case "icmp", "igmp", "igrp", "vrrp", "carp":
			return g.proto(n, "ip")
		case "icmp6":
			return g.proto(n, "ip6")
		}
		return g.proto(n, "")
	}
	if t, ok := linkTypes[proto]; ok {
		return g.linkType(t)
	}
	if n, ok := isoTypes[proto]; ok {
		return g.proto(n, "iso")
	}
	if types, ok := isisTypes[proto]; ok {
		return g.any(len(types), func(i int) (*cond, error) { return g.proto(types[i], "isis") })
	}
	return nil, fmt.Errorf("%w: %s says nothing by itself", errSyntax, proto)
}

// any joins conditions by or.
func (g *gen) any(n int, f func(int) (*cond, error)) (*cond, error) {
	var all *cond
	for i := range n {
		c, err := f(i)
		if err != nil {
			return nil, err
		}
		if all == nil {
			all = c
		} else {
			all = or(all, c)
		}
	}
	return all, nil
}

// both joins two conditions of which either may have failed.
func both(a *cond, err error, b *cond) (*cond, error) {
	if err != nil {
		return nil, err
	}
	return and(a, b), nil
}

// proto is the condition that protocol n is carried by another one; "" is IPv4 or IPv6.
func (g *gen) proto(n uint32, by string) (*cond, error) {
	switch by {
	case "":
		return g.any(2, func(i int) (*cond, error) { return g.proto(n, [2]string{"ip", "ip6"}[i]) })
	case "ether":
		return g.linkType(n)
	case "ip":
		c, err := g.linkType(etherIP)
		return both(c, err, g.equal(g.network(9), 1, all32, n))
	case "ip6":
		c, err := g.linkType(etherIPv6)
		// One fragment header is looked behind (RFC 8200, 4.5).
		behind := and(g.equal(g.network(6), 1, all32, 44), g.equal(g.network(40), 1, all32, n))
		return both(c, err, or(g.equal(g.network(6), 1, all32, n), behind))
	case "iso":
		c, err := g.linkType(sapISO)
		return both(c, err, g.equal(g.payload.plus(g.bare), 1, all32, n))
	case "isis":
		c, err := g.proto(isoTypes["isis"], "iso")
		return both(c, err, g.equal(g.payload.plus(g.bare+4), 1, all32, n))
	}
	return nil, fmt.Errorf("%s proto: %s does not name what it carries", by, by)
}

// read is proto[index:size].
func (g *gen) read(proto string, index *arith, size uint32) (*arith, error) {
	if size != 1 && size != 2 && size != 4 {
		return nil, fmt.Errorf("%s[:%d]: 1, 2 or 4 bytes can be read", proto, size)
	}
	var at place
	var c *cond
	var err error
	switch proto {
	case "ether":
		at = g.link
	case "arp", "rarp", "ip", "ip6", "atalk", "aarp", "decnet", "lat", "sca", "moprc", "mopdl":
		at = g.network(0)
		c, err = g.abbreviation(proto)
	case "tcp", "udp", "sctp", "icmp", "igmp", "igrp", "pim", "vrrp", "carp":
		at = g.above(0)
		if c, err = g.abbreviation(proto); err == nil {
			var ip *cond
			ip, err = g.linkType(etherIP)
			c = and(ip, and(c, g.wholeIP()))
		}
	case "icmp6":
		at = g.network(40)
		c, err = g.linkType(etherIPv6)
		c = and(c, g.equal(g.network(6), 1, all32, ipProtocols["icmp6"]))
	default:
		return nil, fmt.Errorf("%s[…]: %s has no header at a known place", proto, proto)
	}
	if err != nil {
		return nil, err
	}
	return &arith{g.load(g.add(index.v, at.base), at.k, uint8(size)), and(index.needs, c)}, nil
}

// broadcast is the condition that a frame goes to everybody. That of IPv4 knows no net but the one of all.
func (g *gen) broadcast(proto string) (*cond, error) {
	switch proto {
	case "", "ether":
		return g.etherHost([6]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, "dst")
	case "ip":
		c, err := g.linkType(etherIP)
		return both(c, err, or(g.equal(g.network(16), 4, all32, 0), g.equal(g.network(16), 4, all32, all32)))
	}
	return nil, fmt.Errorf("%s broadcast: want ether or ip", proto)
}

// multicast is the condition that a frame goes to a group.
func (g *gen) multicast(proto string) (*cond, error) {
	switch proto {
	case "", "ether":
		if g.ppp {
			return nil, errNoEther
		}
		return and(g.ether(), &cond{t: test{v: g.load(g.link.base, g.link.k, 1), w: g.num(1), cmp: cmpSet}}), nil
	case "ip":
		c, err := g.linkType(etherIP)
		at := g.network(16)
		return both(c, err, &cond{t: test{v: g.load(at.base, at.k, 1), w: g.num(224), cmp: cmpGe}})
	case "ip6":
		c, err := g.linkType(etherIPv6)
		return both(c, err, g.equal(g.network(24), 1, all32, 255))
	}
	return nil, fmt.Errorf("%s multicast: want ether, ip or ip6", proto)
}

var errNoEther = errors.New("PPP has no Ethernet addresses")
