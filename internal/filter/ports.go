package filter

import "fmt"

// ports is the condition that a packet is from or to a port in a range. only is the one protocol where a port of that
// name is known, "" is any.
func (g *gen) ports(low, high uint32, q qual, only string) (*cond, error) {
	protos := []string{"sctp", "tcp", "udp"}
	switch {
	case q.proto == "tcp" || q.proto == "udp" || q.proto == "sctp":
		protos = []string{q.proto}
	case q.proto != "":
		return nil, fmt.Errorf("%s %s: ports are those of tcp, udp and sctp", q.proto, q.kind)
	case only != "":
		protos = []string{only}
	}
	if low > high {
		low, high = high, low
	}
	in := func(at place) *cond {
		if low == high {
			return g.equal(at, 2, all32, low)
		}
		v := g.load(at.base, at.k, 2)
		return and(&cond{t: test{v: v, w: g.num(low), cmp: cmpGe}}, not(&cond{t: test{v: v, w: g.num(high), cmp: cmpGt}}))
	}
	return g.any(2, func(i int) (*cond, error) {
		link, header, field := uint32(etherIPv6), g.network(40), g.network(6)
		if i == 1 {
			link, header, field = etherIP, g.above(0), g.network(9)
		}
		ends := way(q.dir, func(src bool) *cond {
			if src {
				return in(header)
			}
			return in(header.plus(2))
		})
		if i == 1 {
			ends = and(g.wholeIP(), ends)
		}
		var all *cond
		for _, p := range protos {
			c := and(g.equal(field, 1, all32, ipProtocols[p]), ends)
			if all == nil {
				all = c
			} else {
				all = or(all, c)
			}
		}
		c, err := g.linkType(link)
		return both(c, err, all)
	})
}
