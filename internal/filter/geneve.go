package filter

import (
	"errors"
	"fmt"
)

// geneve is the condition that a frame is a Geneve packet (RFC 8926, 3.4), of that network where with is set. What
// follows is looked for in the frame or packet within.
func (g *gen) geneve(vni uint32, with bool) (*cond, error) {
	if with && vni > 0xffffff {
		return nil, fmt.Errorf("network %d of Geneve: want 0 to 16777215", vni)
	}
	if g.slots+3 > memSlots/2 {
		return nil, errors.New("geneve within geneve within geneve is too deep")
	}
	g.slots += 3
	slot := memSlots - g.slots
	outer, err := g.any(2, func(i int) (*cond, error) {
		link, udp := uint32(etherIP), g.above(0)
		if i == 1 {
			link, udp = etherIPv6, g.network(40)
		}
		c, err := g.linkType(link)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			c = and(c, and(g.equal(g.network(9), 1, all32, 17), g.wholeIP()))
		} else {
			c = and(c, g.equal(g.network(6), 1, all32, 17))
		}
		c = and(c, and(g.equal(udp.plus(2), 2, all32, 6081), g.equal(udp.plus(8), 1, 0xc0, 0)))
		if with {
			c = and(c, g.equal(udp.plus(12), 4, 0xffffff00, vni<<8))
		}
		return and(c, &cond{t: test{code: g.enter(udp.plus(8), slot)}}), nil
	})
	if err != nil {
		return nil, err
	}
	g.link, g.typ, g.payload = place{g.slot(slot), 0}, place{g.slot(slot + 1), 0}, place{g.slot(slot + 2), 0}
	g.net, g.bare, g.labels, g.ppp, g.tunnel = 0, 3, 0, false, true
	return outer, nil
}

// enter makes the code that stores in three slots from slot on where in a Geneve packet with its header at a place the
// inner link layer, its type field and its payload are.
func (g *gen) enter(at place, slot uint32) *code {
	head := g.add(at.base, g.num(at.k))
	options, _ := g.arith(aluAnd, g.load(head, 0, 1), g.num(0x3f)) // in units of 4 bytes
	options, _ = g.arith(aluMul, options, g.num(4))
	inner := g.add(head, g.add(options, g.num(8)))
	e := &emitter{most: slot}
	store := func(v *value, i uint32) {
		e.toA(v)
		e.put(bpfST, slot+i)
	}
	store(inner, 0)
	store(inner, 2)
	store(g.add(head, g.num(2)), 1)
	e.toA(g.load(head, 2, 2))
	var c code
	flush := func() {
		for _, in := range e.out {
			c.ins = append(c.ins, codeIns{op: in.Op, k: in.K})
		}
		e.out = nil
	}
	flush()
	c.ins = append(c.ins, codeIns{op: bpfJMP | cmpEq, k: etherTEB, yes: len(c.ins) + 1, no: endYes})
	e.a, e.x = nil, nil
	store(g.add(g.slot(slot), g.num(12)), 1)
	store(g.add(g.slot(slot), g.num(14)), 2)
	flush()
	c.ins = append(c.ins, codeIns{op: bpfJMP | jumpJA, yes: endYes})
	return &c
}
