package filter

import "fmt"

// id parses a name or an address with qualifiers that are known.
func (p *parser) id(q qual) (*cond, error) {
	t := p.take()
	switch t.kind {
	case tokName:
		return p.g.name(t.text, q)
	case tokMAC:
		return p.g.macID(t.text, q)
	case tokARCnet:
		return nil, fmt.Errorf("%q: ARCnet addresses do not occur on Ethernet", t.text)
	case tokIPv6:
		if p.accept("/") {
			n := p.take()
			if n.kind != tokNumber {
				return nil, p.wrong()
			}
			return p.g.net6(t.text, n.num, true, q)
		}
		return p.g.net6(t.text, 128, false, q)
	}
	// tokQuad
	switch {
	case p.accept("/"):
		n := p.take()
		if n.kind != tokNumber {
			return nil, p.wrong()
		}
		return p.g.netBits(t.text, n.num, q)
	case p.accept("mask"):
		m := p.take()
		if m.kind != tokQuad {
			return nil, p.wrong()
		}
		return p.g.netMask(t.text, m.text, q)
	}
	return p.g.quad(t.text, q)
}

// ids parses a name or number, or several in parentheses, with the qualifiers q.
func (p *parser) ids(q qual) (operand, error) {
	if err := p.enter(); err != nil {
		return operand{}, err
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case p.accept("!"):
		o, err := p.ids(q)
		if err == nil {
			o.cond = not(o.cond)
		}
		return o, err
	case p.is("("):
		o, err := p.parens(q, true)
		if err != nil {
			return o, err
		}
		if o.plain {
			c, err := p.g.number(o.arith.v.k, q)
			return operand{cond: c, q: q, id: true}, err
		}
		if !o.id {
			return o, fmt.Errorf("%w: a name or number is missing", errSyntax)
		}
		return o, nil
	case t.kind == tokNumber:
		p.take()
		c, err := p.g.number(t.num, q)
		return operand{cond: c, q: q, id: true}, err
	case t.kind == tokWord || t.kind == tokEnd:
		return operand{}, p.wrong()
	}
	c, err := p.id(q)
	return operand{cond: c, q: q, id: true}, err
}
