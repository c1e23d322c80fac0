package filter

// node is a test in the graph of a program, and where each answer leads.
type node struct {
	t        test
	yes, no  *node
	terminal bool
	match    bool // of a terminal
	mark     int
	facts    facts
	seen     bool // facts of a predecessor have come
}

// nodeKey is what makes two nodes the same.
type nodeKey struct {
	t       test
	yes, no *node
}

// graph makes nodes.
type graph struct {
	pass, fail *node
	made       map[nodeKey]*node
	marks      int
}

func newGraph() *graph {
	return &graph{pass: &node{terminal: true, match: true}, fail: &node{terminal: true}, made: map[nodeKey]*node{}}
}

// build makes the graph of a condition.
func (g *graph) build(c *cond) (*node, error) {
	n := g.cond(c, g.pass, g.fail)
	if len(g.made) > maxNodes {
		return nil, errTooComplex
	}
	return n, nil
}

// cond makes the nodes of a condition that leads to yes or no.
func (g *graph) cond(c *cond, yes, no *node) *node {
	if len(g.made) > maxNodes {
		return no // build refuses it
	}
	switch c.kind {
	case condAnd:
		return g.cond(c.a, g.cond(c.b, yes, no), no)
	case condOr:
		return g.cond(c.a, yes, g.cond(c.b, yes, no))
	case condNot:
		return g.cond(c.a, no, yes)
	case condConst:
		if c.yes {
			return yes
		}
		return no
	}
	return g.node(c.t, yes, no)
}

// node makes a node, or finds that it is not needed.
func (g *graph) node(t test, yes, no *node) *node {
	if yes == no && t.code == nil {
		return yes
	}
	if answer, known := t.decide(); known {
		if answer {
			return yes
		}
		return no
	}
	// (v & mask) compared with 0 is what JSET does.
	if t.cmp == cmpEq && t.w.op == opConst && t.w.k == 0 && t.v.op == opArith && t.v.alu == aluAnd && t.v.b.op == opConst {
		t, yes, no = test{v: t.v.a, w: t.v.b, cmp: cmpSet}, no, yes
	}
	key := nodeKey{t, yes, no}
	if n := g.made[key]; n != nil {
		return n
	}
	n := &node{t: t, yes: yes, no: no}
	g.made[key] = n
	return n
}

// order returns the nodes that can be reached, each before those that it leads to.
func (g *graph) order(start *node) []*node {
	g.marks++
	var list []*node
	var visit func(*node)
	visit = func(n *node) {
		if n.terminal || n.mark == g.marks {
			return
		}
		n.mark = g.marks
		visit(n.no)
		visit(n.yes)
		list = append(list, n)
	}
	visit(start)
	for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
		list[i], list[j] = list[j], list[i]
	}
	return list
}

// simplify leaves out tests whose answer is known from those before them, until that changes nothing. It returns the
// nodes in order; none means that the answer is always the same.
func (g *graph) simplify(start *node) program {
	rounds := 8
	if len(g.made) > 2000 {
		rounds = 2 // a graph of thousands of nodes is long in any case
	}
	for range rounds {
		again := g.follow(&start)
		start = g.merge(start)
		if !again {
			break
		}
	}
	return program{start: start, nodes: g.order(start)}
}

// follow redirects each edge past the nodes whose answer is known there.
func (g *graph) follow(start **node) (changed bool) {
	list := g.order(*start)
	for _, n := range list {
		n.facts, n.seen = facts{}, false
	}
	for _, n := range list {
		for _, answer := range [2]bool{true, false} {
			edge := n.facts.with(n.t, answer)
			to := n.next(answer)
			end := to
			for !end.terminal {
				a, known := edge.answer(end.t)
				if !known {
					break
				}
				end = end.next(a)
			}
			if end != to {
				changed = true
				if answer {
					n.yes = end
				} else {
					n.no = end
				}
			}
			if !end.terminal {
				end.meet(edge)
			}
		}
	}
	return changed
}

func (n *node) next(answer bool) *node {
	if answer {
		return n.yes
	}
	return n.no
}

// meet keeps of a node's facts those that hold also on another way to it.
func (n *node) meet(f facts) {
	if !n.seen {
		n.facts, n.seen = f, true
		return
	}
	n.facts = n.facts.both(f)
}

// merge makes the graph anew from its end, so that nodes that have become the same are one.
func (g *graph) merge(start *node) *node {
	list := g.order(start)
	g.made = map[nodeKey]*node{}
	renewed := map[*node]*node{g.pass: g.pass, g.fail: g.fail}
	for i := len(list) - 1; i >= 0; i-- {
		n := list[i]
		renewed[n] = g.node(n.t, renewed[n.yes], renewed[n.no])
	}
	return renewed[start]
}

// facts are answers that are known where a node stands, the latest last.
type facts struct {
	list []fact
}

type fact struct {
	t      test
	answer bool
}

// maxFacts bounds the time that simplifying takes.
const maxFacts = 24

// with adds an answer.
func (f facts) with(t test, answer bool) facts {
	if t.code != nil {
		return f
	}
	from := 0
	if len(f.list) >= maxFacts {
		from = 1
	}
	list := append(make([]fact, 0, len(f.list)+1), f.list[from:]...)
	return facts{append(list, fact{t, answer})}
}

// both are the facts that stand in f and in o.
func (f facts) both(o facts) facts {
	var list []fact
	for _, a := range f.list {
		for _, b := range o.list {
			if a == b {
				list = append(list, a)
				break
			}
		}
	}
	return facts{list}
}

// answer tells the answer of a test where it follows from the facts.
func (f facts) answer(t test) (answer, known bool) {
	if t.code != nil {
		return false, false
	}
	for i := len(f.list) - 1; i >= 0; i-- {
		a := f.list[i]
		if a.t == t {
			return a.answer, true
		}
		// What equals one number is as good as that number.
		if a.answer && a.t.cmp == cmpEq && a.t.v == t.v && a.t.w.op == opConst && t.w.op == opConst {
			return test{v: a.t.w, w: t.w, cmp: t.cmp}.decide()
		}
	}
	return false, false
}
