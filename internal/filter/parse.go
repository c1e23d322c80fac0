package filter

import (
	"fmt"
)

// qual are the qualifiers of a primitive: what kind of thing its name or number is, which way, of which protocol. A
// name or number without qualifiers of its own takes those of the one before it.
type qual struct {
	kind  string // "host", "net", "port", "portrange", "proto", "protochain", "gateway"; "" is host as a rule
	dir   string // "src", "dst", "or", "and"; "" is or
	proto string // a protocol's keyword, "" for those that fit
	none  bool   // there are none to take
}

// operand is what a part of an expression turned out to be.
type operand struct {
	arith *arith // an arithmetic expression
	plain bool   // of arith: a number by itself, perhaps in parentheses
	cond  *cond
	q     qual
	id    bool // cond is made of names or numbers with the qualifiers of what came before
}

// arith is an arithmetic expression, and what a frame must be for its reads to make sense.
type arith struct {
	v     *value
	needs *cond
}

// parser makes conditions of tokens, from left to right: what a primitive means depends on those before it, such as
// vlan.
type parser struct {
	list  []token
	g     *gen
	depth int
}

func parse(expr string, g *gen) (*cond, error) {
	list, err := scan(expr)
	if err != nil {
		return nil, err
	}
	p := &parser{list: list, g: g}
	if p.peek().kind == tokEnd {
		return always(true), nil
	}
	o, err := p.expr(qual{none: true})
	if err != nil {
		return nil, err
	}
	if p.peek().kind != tokEnd {
		return nil, p.wrong()
	}
	return o.cond, nil
}

func (p *parser) peek() token { return p.list[0] }

func (p *parser) take() token {
	t := p.list[0]
	if t.kind != tokEnd {
		p.list = p.list[1:]
	}
	return t
}

// is tells whether the next token is one of some words.
func (p *parser) is(words ...string) bool {
	t := p.peek()
	if t.kind == tokWord {
		for _, w := range words {
			if t.text == w {
				return true
			}
		}
	}
	return false
}

func (p *parser) accept(word string) bool {
	if p.is(word) {
		p.take()
		return true
	}
	return false
}

func (p *parser) wrong() error {
	if t := p.peek(); t.kind != tokEnd {
		return fmt.Errorf("%w at %q", errSyntax, t.text)
	}
	return fmt.Errorf("%w at its end", errSyntax)
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return errTooComplex
	}
	return nil
}

// expr parses terms that are joined by and and or, which bind alike. q are the qualifiers before it.
func (p *parser) expr(q qual) (operand, error) {
	first, err := p.term(q, false)
	if err != nil {
		return first, err
	}
	return p.exprRest(first)
}

func (p *parser) exprRest(left operand) (operand, error) {
	return p.join(left, false)
}

// join parses what follows after and and or; with ids only names and numbers may.
func (p *parser) join(left operand, ids bool) (operand, error) {
	for p.is("and", "or") {
		op := p.take().text
		right, err := p.term(left.q, true)
		if err != nil {
			return left, err
		}
		if ids && !right.id {
			return left, fmt.Errorf("%w: only names and numbers may follow one in parentheses", errSyntax)
		}
		c := or(left.cond, right.cond)
		if op == "and" {
			c = and(left.cond, right.cond)
		}
		left = operand{cond: c, q: right.q, id: ids}
	}
	return left, nil
}

// term parses a condition. With ids it may be a name or a number that takes the qualifiers q.
func (p *parser) term(q qual, ids bool) (operand, error) {
	o, err := p.operand(q, ids)
	if err != nil {
		return o, err
	}
	return p.asCond(o, q, ids)
}

// asCond makes a condition of an operand: of a number by itself one with the qualifiers q, of another arithmetic
// expression a comparison.
func (p *parser) asCond(o operand, q qual, ids bool) (operand, error) {
	if o.arith == nil {
		return o, nil
	}
	if o.plain && ids && !p.arithFollows() {
		c, err := p.g.number(o.arith.v.k, q)
		return operand{cond: c, q: q, id: true}, err
	}
	a, err := p.arithRest(o.arith, 0)
	if err != nil {
		return o, err
	}
	return p.relation(a)
}

// relation parses the rest of a comparison.
func (p *parser) relation(left *arith) (operand, error) {
	if !p.is("=", "!=", ">", "<", ">=", "<=") {
		return operand{}, p.wrong()
	}
	op := p.take().text
	right, err := p.arith(0)
	if err != nil {
		return operand{}, err
	}
	t := test{v: left.v, w: right.v, cmp: map[string]uint16{"=": cmpEq, "!=": cmpEq, ">": cmpGt, "<=": cmpGt, ">=": cmpGe, "<": cmpGe}[op]}
	c := &cond{t: t}
	if op == "!=" || op == "<=" || op == "<" {
		c = not(c)
	}
	return operand{cond: and(and(left.needs, right.needs), c), q: qual{none: true}}, nil
}

// operand parses a term, or an arithmetic expression's first part.
func (p *parser) operand(q qual, ids bool) (operand, error) {
	if err := p.enter(); err != nil {
		return operand{}, err
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case p.accept("!"):
		o, err := p.term(q, ids)
		if err != nil {
			return o, err
		}
		o.cond = not(o.cond)
		return o, nil
	case p.is("("):
		return p.parens(q, ids)
	case t.kind == tokNumber:
		p.take()
		return operand{arith: &arith{v: p.g.num(t.num)}, plain: true}, nil
	case p.is("-", "len"):
		a, err := p.arithFirst()
		return operand{arith: a}, err
	case t.kind != tokWord && t.kind != tokEnd:
		if !ids {
			return operand{}, p.wrong()
		}
		c, err := p.id(q)
		return operand{cond: c, q: q, id: true}, err
	case t.kind == tokWord && isProto[t.text] && p.list[1].kind == tokWord && p.list[1].text == "[":
		a, err := p.arithFirst()
		return operand{arith: a}, err
	}
	return p.primitive()
}

// parens parses what stands in parentheses: an expression, names and numbers with the qualifiers q, or arithmetic.
func (p *parser) parens(q qual, ids bool) (operand, error) {
	p.take()
	o, err := p.operand(q, ids)
	if err != nil {
		return o, err
	}
	if o.arith != nil && !(o.plain && !p.arithFollows()) {
		a, err := p.arithRest(o.arith, 0)
		if err != nil {
			return o, err
		}
		if o = (operand{arith: a}); !p.is(")") {
			if o, err = p.relation(a); err != nil {
				return o, err
			}
		}
	}
	if o.arith != nil && p.accept(")") {
		return o, nil
	}
	if o, err = p.asCond(o, q, ids); err != nil {
		return o, err
	}
	id := o.id
	if o, err = p.join(o, id); err != nil {
		return o, err
	}
	if !p.accept(")") {
		return o, p.wrong()
	}
	if !id {
		o.q = q
	}
	return o, nil
}
