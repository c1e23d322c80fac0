package filter

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

var errQualifier = fmt.Errorf("%w: a name or number without qualifiers", errSyntax)

// way joins the conditions for source and destination as a direction says.
func way(dir string, side func(src bool) *cond) *cond {
	switch dir {
	case "src":
		return side(true)
	case "dst":
		return side(false)
	case "and":
		return and(side(true), side(false))
	}
	return or(side(true), side(false))
}

// etherHost is the condition that a frame is from or to an Ethernet address.
func (g *gen) etherHost(a [6]byte, dir string) (*cond, error) {
	if g.ppp {
		return nil, errNoEther
	}
	c := way(dir, func(src bool) *cond {
		at := g.link
		if src {
			at = at.plus(6)
		}
		return and(g.equal(at.plus(2), 4, all32, binary.BigEndian.Uint32(a[2:])), g.equal(at, 2, all32, uint32(binary.BigEndian.Uint16(a[:]))))
	})
	return and(g.ether(), c), nil
}

// net4 is the condition that a packet is from or to an address under a mask.
func (g *gen) net4(addr, mask uint32, q qual) (*cond, error) {
	side := func(src, dst uint32) func(bool) *cond {
		return func(isSrc bool) *cond {
			if isSrc {
				return g.equal(g.network(src), 4, mask, addr)
			}
			return g.equal(g.network(dst), 4, mask, addr)
		}
	}
	switch q.proto {
	case "":
		return g.any(3, func(i int) (*cond, error) {
			p := q
			p.proto = [3]string{"ip", "arp", "rarp"}[i]
			if i > 0 && g.labels > 0 {
				return always(false), nil
			}
			return g.net4(addr, mask, p)
		})
	case "ip":
		c, err := g.linkType(etherIP)
		return both(c, err, way(q.dir, side(12, 16)))
	case "arp", "rarp":
		c, err := g.linkType(linkTypes[q.proto])
		return both(c, err, way(q.dir, side(14, 24)))
	case "decnet":
		c, err := g.linkType(etherDECnet)
		return both(c, err, way(q.dir, func(src bool) *cond { return g.decnet(addr, src) }))
	}
	return nil, fmt.Errorf("%s does not have IPv4 addresses", q.proto)
}

// decnet is the condition that a DECnet packet is from or to a node: short or long routing header, each perhaps
// behind a byte of padding (DECnet Phase IV routing layer, 5.1).
func (g *gen) decnet(node uint32, src bool) *cond {
	short, long := uint32(1), uint32(7)
	if src {
		short, long = 3, 15
	}
	v := node&0xff<<8 | node>>8&0xff // little endian
	var c *cond
	for _, h := range [2]struct{ flags, at uint32 }{{2, short}, {6, long}} {
		plain := and(g.equal(g.network(2), 1, 7, h.flags), g.equal(g.network(2+h.at), 2, all32, v))
		padded := and(g.equal(g.network(2), 2, 0xff07, 0x8100|h.flags), g.equal(g.network(3+h.at), 2, all32, v))
		if c == nil {
			c = or(plain, padded)
		} else {
			c = or(c, or(plain, padded))
		}
	}
	return c
}

// host6 is the condition that a packet is from or to an IPv6 address under a mask.
func (g *gen) host6(addr netip.Prefix, q qual) (*cond, error) {
	if q.proto != "" && q.proto != "ip6" {
		return nil, fmt.Errorf("%s does not have IPv6 addresses", q.proto)
	}
	a := addr.Addr().As16()
	c, err := g.linkType(etherIPv6)
	return both(c, err, way(q.dir, func(src bool) *cond {
		at := g.network(24)
		if src {
			at = g.network(8)
		}
		var all *cond
		for i := uint32(0); i < 4; i++ {
			bits := min(max(addr.Bits()-32*int(i), 0), 32)
			mask := uint32(uint64(0xffffffff) << (32 - bits))
			if bits > 0 || addr.Bits() == 0 && i == 0 {
				all = and(all, g.equal(at.plus(4*i), 4, mask, binary.BigEndian.Uint32(a[4*i:])))
			}
		}
		return all
	}))
}

// net6 is an IPv6 address, with the length of a prefix where slash is set.
func (g *gen) net6(text string, bits uint32, slash bool, q qual) (*cond, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nil, err
	}
	if bits > 128 {
		return nil, fmt.Errorf("%s/%d: a prefix has up to 128 bits", text, bits)
	}
	a = netip.AddrFrom16(a.As16())
	p := netip.PrefixFrom(a, int(bits))
	if masked, err := a.WithZone("").Prefix(int(bits)); err != nil || masked.Addr() != a {
		return nil, fmt.Errorf("%s/%d has bits behind the prefix: use %v", text, bits, masked)
	}
	switch {
	case q.none:
		return nil, errQualifier
	case q.kind == "" || q.kind == "host":
		if bits != 128 {
			return nil, fmt.Errorf("%s/%d: a prefix goes with net, not with host", text, bits)
		}
	case q.kind != "net":
		return nil, fmt.Errorf("%s %s: an address where something else belongs", q.kind, text)
	}
	return g.host6(p, q)
}

// netBits is address/bits.
func (g *gen) netBits(text string, bits uint32, q qual) (*cond, error) {
	if bits > 32 {
		return nil, fmt.Errorf("%s/%d: a prefix has up to 32 bits", text, bits)
	}
	return g.masked(text, uint32(uint64(0xffffffff)<<(32-bits)), fmt.Sprintf("%s/%d", text, bits), q)
}

// netMask is address mask mask.
func (g *gen) netMask(text, mask string, q qual) (*cond, error) {
	m, bits, err := quad(mask)
	if err != nil {
		return nil, err
	}
	return g.masked(text, m<<(32-bits), text+" mask "+mask, q)
}

func (g *gen) masked(text string, mask uint32, all string, q qual) (*cond, error) {
	v, bits, err := quad(text)
	if err != nil {
		return nil, err
	}
	v <<= 32 - bits
	switch {
	case v&^mask != 0:
		return nil, fmt.Errorf("%s has bits that the mask leaves out", all)
	case q.none:
		return nil, errQualifier
	case q.kind != "net":
		return nil, fmt.Errorf("%s: a mask goes with net only", all)
	}
	return g.net4(v, mask, q)
}

// quad is one to four numbers with dots.
func (g *gen) quad(text string, q qual) (*cond, error) {
	switch q.kind {
	case "port", "portrange", "proto", "protochain":
		return nil, fmt.Errorf("%s %s: an address where something else belongs", q.kind, text)
	case "gateway":
		return nil, errGateway
	}
	switch {
	case q.none:
		return nil, errQualifier
	case q.proto == "decnet":
		node, err := decnetNode(text)
		if err != nil {
			return nil, err
		}
		return g.net4(node, all32, q)
	case q.proto == "ether":
		return nil, fmt.Errorf("%q is no Ethernet address", text)
	}
	v, bits, err := quad(text)
	if err != nil {
		return nil, err
	}
	return g.net4(v<<(32-bits), all32<<(32-bits), q)
}

// decnetNode reads area.node.
func decnetNode(text string) (uint32, error) {
	area, node, dot := strings.Cut(text, ".")
	a, err := strconv.ParseUint(area, 10, 6)
	n, err2 := strconv.ParseUint(node, 10, 10)
	if !dot || err != nil || err2 != nil {
		return 0, fmt.Errorf("%q is no DECnet address: want AREA.NODE", text)
	}
	return uint32(a<<10 | n), nil
}

// macID is an Ethernet address.
func (g *gen) macID(text string, q qual) (*cond, error) {
	a, err := mac(text)
	switch {
	case err != nil:
		return nil, err
	case q.proto != "ether" || q.kind != "" && q.kind != "host":
		return nil, fmt.Errorf("%s: an Ethernet address goes with ether host", text)
	}
	return g.etherHost(a, q.dir)
}

var errGateway = errors.New("gateway: addresses of hosts are not looked up for it: use \"ether host MAC and not host NAME\"")

// number is a number by itself.
func (g *gen) number(v uint32, q qual) (*cond, error) {
	switch q.kind {
	case "", "host", "net":
		switch {
		case q.none:
			return nil, errQualifier
		case q.proto == "ether":
			return nil, fmt.Errorf("%d is no Ethernet address", v)
		}
		mask := all32
		if q.kind == "net" && q.proto != "decnet" {
			for v != 0 && v>>24 == 0 {
				v, mask = v<<8, mask<<8
			}
		}
		return g.net4(v, mask, q)
	case "port", "portrange":
		if v > 65535 {
			return nil, fmt.Errorf("port %d: want 0 to 65535", v)
		}
		return g.ports(v, v, q, "")
	case "proto":
		return g.proto(v, q.proto)
	case "protochain":
		return g.protochain(v, q.proto)
	}
	return nil, errGateway
}
