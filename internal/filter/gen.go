package filter

import (
	"context"
	"errors"
	"fmt"
)

// EtherType values (IEEE 802 numbers, IANA) and 802.2 service access points.
const (
	etherIP     = 0x0800
	etherARP    = 0x0806
	etherRARP   = 0x8035
	etherIPv6   = 0x86dd
	etherATalk  = 0x809b
	etherAARP   = 0x80f3
	etherIPX    = 0x8137
	etherDECnet = 0x6003
	etherMOPDL  = 0x6001
	etherMOPRC  = 0x6002
	etherLAT    = 0x6004
	etherSCA    = 0x6007
	etherMPLS   = 0x8847
	etherPPPoED = 0x8863
	etherPPPoES = 0x8864
	etherTEB    = 0x6558 // transparent Ethernet bridging

	sapIP      = 0x06
	sapSTP     = 0x42
	sapIPX     = 0xe0
	sapNetBEUI = 0xf0
	sapISO     = 0xfe

	maxLength = 1500 // most that a type field means as a length (IEEE 802.3, 3.2.6)
)

// place is an offset in the frame: base, nil for 0, and k bytes.
type place struct {
	base *value
	k    uint32
}

func (p place) plus(n uint32) place { return place{p.base, p.k + n} }

// gen makes the conditions of primitives. Its places are those of the headers that the primitives so far have found,
// in the order of the text: vlan, mpls, pppoes and geneve move them.
type gen struct {
	values
	ctx   context.Context
	names Names

	link    place  // link-layer header
	typ     place  // its type field
	payload place  // what follows it
	net     uint32 // from payload to the network header
	bare    uint32 // the same after an 802.2 header without SNAP
	labels  int    // MPLS labels before the network header
	ppp     bool   // the link layer is PPP
	tunnel  bool   // the link layer lies in Geneve, and may be missing
	slots   uint32 // of scratch memory, from its end, that hold places
}

func newGen(ctx context.Context, names Names) *gen {
	return &gen{values: values{}, ctx: ctx, names: names, typ: place{k: 12}, payload: place{k: 14}, bare: 3}
}

// equal is the condition that size bytes at a place, masked, are v.
func (g *gen) equal(p place, size uint8, mask, v uint32) *cond {
	x := g.load(p.base, p.k, size)
	if all := uint32(1<<(8*uint64(size)) - 1); mask&all != all {
		x, _ = g.arith(aluAnd, x, g.num(mask))
	}
	return &cond{t: test{v: x, w: g.num(v), cmp: cmpEq}}
}

const all32 = ^uint32(0)

// network is the place n bytes into the network header.
func (g *gen) network(n uint32) place { return g.payload.plus(g.net + n) }

// above is the place n bytes into what an IPv4 header is followed by.
func (g *gen) above(n uint32) place {
	at := g.network(0)
	if at.base == nil {
		return place{g.intern(value{op: opIHL, k: at.k}), at.k + n}
	}
	ihl, _ := g.arith(aluAnd, g.load(at.base, at.k, 1), g.num(0xf))
	ihl, _ = g.arith(aluLsh, ihl, g.num(2))
	return place{g.add(at.base, ihl), at.k + n}
}

// wholeIP is the condition that an IPv4 packet is no fragment but the first.
func (g *gen) wholeIP() *cond {
	at := g.network(6)
	return not(&cond{t: test{v: g.load(at.base, at.k, 2), w: g.num(0x1fff), cmp: cmpSet}})
}

// long is the condition that the type field is a type and not a length.
func (g *gen) long() *cond {
	return &cond{t: test{v: g.load(g.typ.base, g.typ.k, 2), w: g.num(maxLength), cmp: cmpGt}}
}

// pppTypes are the protocol numbers of PPP (IANA) for link types.
var pppTypes = map[uint32]uint32{
	etherIP: 0x21, etherIPv6: 0x57, etherDECnet: 0x27, etherATalk: 0x29, 0x0600: 0x25, sapISO: 0x23, sapSTP: 0x31,
	sapIPX: 0x2b, etherMPLS: 0x281,
}

// linkType is the condition that a frame holds a protocol: an EtherType, or up to 1500 a service access point.
func (g *gen) linkType(t uint32) (*cond, error) {
	if g.labels > 0 {
		return g.labelType(t)
	}
	if g.ppp {
		if p, ok := pppTypes[t]; ok {
			t = p
		}
		return g.equal(g.typ, 2, all32, t), nil
	}
	// An organizationally assigned type behind 802.2 and SNAP headers.
	snap := func(org, typ uint32) *cond {
		return and(not(g.long()), and(g.equal(g.payload.plus(4), 4, all32, org<<16|typ), g.equal(g.payload, 4, all32, 0xaaaa0300|org>>16)))
	}
	switch t {
	case sapISO, sapIP, sapNetBEUI:
		return and(not(g.long()), g.equal(g.payload, 2, all32, t<<8|t)), nil
	case sapIPX:
		raw := and(not(g.long()), or(g.equal(g.payload, 1, all32, sapIPX), g.equal(g.payload, 2, all32, 0xffff)))
		return or(g.equal(g.typ, 2, all32, etherIPX), or(snap(0, etherIPX), raw)), nil
	case etherATalk:
		return or(g.equal(g.typ, 2, all32, t), snap(0x080007, t)), nil
	case etherAARP:
		return or(g.equal(g.typ, 2, all32, t), snap(0, t)), nil
	}
	if t <= maxLength {
		return and(not(g.long()), g.equal(g.payload, 1, all32, t)), nil
	}
	return g.equal(g.typ, 2, all32, t), nil
}

// labelType is linkType behind MPLS labels, which say nothing of what follows them: it is told by the IP version.
func (g *gen) labelType(t uint32) (*cond, error) {
	version := uint32(0x40)
	switch t {
	case etherIP:
	case etherIPv6:
		version = 0x60
	default:
		return nil, errors.New("only IPv4 and IPv6 can be told behind MPLS labels")
	}
	last := g.network(0)
	last.k -= 2
	return and(g.equal(last, 1, 1, 1), g.equal(g.network(0), 1, 0xf0, version)), nil
}

// vlan is the condition that a frame has an 802.1Q tag, with tag id where with is set. What follows lies behind it.
func (g *gen) vlan(id uint32, with bool) (*cond, error) {
	switch {
	case g.labels > 0:
		return nil, errors.New("no VLAN tag can follow MPLS labels")
	case g.ppp:
		return nil, errors.New("no VLAN tag can be in PPP")
	case with && id > 0xfff:
		return nil, fmt.Errorf("VLAN %d: want 0 to 4095", id)
	}
	var c *cond
	for _, t := range []uint32{0x8100, 0x88a8, 0x9100} {
		if e := g.equal(g.typ, 2, all32, t); c == nil {
			c = e
		} else {
			c = or(c, e)
		}
	}
	if with {
		c = and(c, g.equal(g.payload, 2, 0xfff, id))
	}
	c = and(g.ether(), c)
	g.payload.k += 4
	g.typ.k += 4
	return c, nil
}

// mpls is the condition that a frame has an MPLS label, of that number where with is set.
func (g *gen) mpls(label uint32, with bool) (*cond, error) {
	var c *cond
	if g.labels > 0 {
		before := g.network(0)
		before.k -= 2
		c = g.equal(before, 1, 1, 0) // not the bottom of the stack (RFC 3032, 2.1)
	} else {
		var err error
		if c, err = g.linkType(etherMPLS); err != nil {
			return nil, err
		}
	}
	if with {
		if label > 0xfffff {
			return nil, fmt.Errorf("MPLS label %d: want 0 to 1048575", label)
		}
		c = and(c, g.equal(g.network(0), 4, 0xfffff000, label<<12))
	}
	g.net += 4
	g.bare += 4
	g.labels++
	return c, nil
}

// pppoes is the condition that a frame is of a PPPoE session (RFC 2516), that one where with is set.
func (g *gen) pppoes(session uint32, with bool) (*cond, error) {
	c, err := g.linkType(etherPPPoES)
	if err != nil {
		return nil, err
	}
	if with {
		if session > 0xffff {
			return nil, fmt.Errorf("PPPoE session %d: want 0 to 65535", session)
		}
		c = and(c, g.equal(g.payload, 4, 0xffff, session))
	}
	g.link = g.payload.plus(g.net + 6)
	g.typ = g.link
	g.payload = g.link.plus(2)
	g.net, g.bare, g.labels, g.ppp, g.tunnel = 0, 0, 0, true, false
	return c, nil
}

// ether is the condition that there is an Ethernet header where one is looked for: nil where there always is.
func (g *gen) ether() *cond {
	if !g.tunnel {
		return nil
	}
	return not(&cond{t: test{v: g.link.base, w: g.payload.base, cmp: cmpEq}})
}

// llcTypes are the control fields of 802.2 frames (IEEE 802.2, 5.3 and 5.4): S frames, then U frames.
var llcTypes = [2]map[string]uint32{
	{"rr": 0x01, "rnr": 0x05, "rej": 0x09},
	{"ui": 0x03, "ua": 0x63, "disc": 0x43, "sabme": 0x6f, "test": 0xe3, "xid": 0xaf, "frmr": 0x87},
}

// llc is the condition that a frame has an 802.2 header, of a kind where it is not "".
func (g *gen) llc(kind string) (*cond, error) {
	if g.ppp {
		return nil, errors.New("llc does not apply to PPP")
	}
	c := and(not(g.long()), not(g.equal(g.payload, 2, all32, 0xffff)))
	control := g.payload.plus(2)
	switch kind {
	case "":
		return c, nil
	case "i":
		return and(c, not(&cond{t: test{v: g.load(control.base, control.k, 1), w: g.num(1), cmp: cmpSet}})), nil
	case "s":
		return and(c, g.equal(control, 1, 3, 1)), nil
	case "u":
		return and(c, g.equal(control, 1, 3, 3)), nil
	}
	for i, mask := range [2]uint32{0x0f, 0xef} {
		if v, ok := llcTypes[i][kind]; ok {
			return and(c, g.equal(control, 1, mask, v)), nil
		}
	}
	return nil, fmt.Errorf("%q is no type of 802.2 frames", kind)
}
