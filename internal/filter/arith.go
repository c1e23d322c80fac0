package filter

// arithFollows tells whether a number goes on as an arithmetic expression or comparison.
func (p *parser) arithFollows() bool {
	return p.is("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "=", "!=", ">", "<", ">=", "<=")
}

// binding is how strongly operators bind. Those of pcap's grammar that have no precedence, % and ^, bind what stands
// before them more strongly than any, and what comes after them less.
var binding = map[string]int{"|": 1, "&": 2, "<<": 3, ">>": 3, "+": 4, "-": 4, "*": 5, "/": 5, "%": 6, "^": 6}

var aluOps = map[string]uint16{
	"|": aluOr, "&": aluAnd, "<<": aluLsh, ">>": aluRsh, "+": aluAdd, "-": aluSub, "*": aluMul, "/": aluDiv, "%": aluMod, "^": aluXor,
}

// arith parses an arithmetic expression of operators that bind more strongly than least.
func (p *parser) arith(least int) (*arith, error) {
	a, err := p.arithFirst()
	if err != nil {
		return nil, err
	}
	return p.arithRest(a, least)
}

func (p *parser) arithRest(a *arith, least int) (*arith, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	for p.peek().kind == tokWord && binding[p.peek().text] > least {
		op := p.take().text
		inner := binding[op]
		if op == "%" || op == "^" {
			inner = 0
		}
		b, err := p.arith(inner)
		if err != nil {
			return nil, err
		}
		// Only the first operand's needs are kept, as by pcap.
		v, err := p.g.arith(aluOps[op], a.v, b.v)
		if err != nil {
			return nil, err
		}
		a = &arith{v, a.needs}
	}
	return a, nil
}

// arithFirst parses a number, a read, a length, or something of them in parentheses.
func (p *parser) arithFirst() (*arith, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer func() { p.depth-- }()
	switch t := p.peek(); {
	case t.kind == tokNumber:
		p.take()
		return &arith{v: p.g.num(t.num)}, nil
	case p.accept("len"):
		return &arith{v: p.g.len()}, nil
	case p.accept("-"):
		a, err := p.arithFirst()
		if err != nil {
			return nil, err
		}
		v, err := p.g.arith(aluSub, p.g.num(0), a.v)
		return &arith{v, a.needs}, err
	case p.accept("("):
		a, err := p.arith(0)
		if err != nil {
			return nil, err
		}
		if !p.accept(")") {
			return nil, p.wrong()
		}
		return a, nil
	case t.kind == tokWord && isProto[t.text]:
		return p.read()
	}
	return nil, p.wrong()
}

// read parses proto[index:size].
func (p *parser) read() (*arith, error) {
	proto := p.take().text
	if !p.accept("[") {
		return nil, p.wrong()
	}
	index, err := p.arith(0)
	if err != nil {
		return nil, err
	}
	size := token{num: 1}
	if p.accept(":") {
		if size = p.take(); size.kind != tokNumber {
			return nil, p.wrong()
		}
	}
	if !p.accept("]") {
		return nil, p.wrong()
	}
	return p.g.read(proto, index, size.num)
}
