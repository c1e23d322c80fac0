package filter

import "golang.org/x/net/bpf"

// assemble lays the blocks out, from the end of the program to its start, so that the target of each jump has its
// place when the jump is made.
func assemble(p program, blocks map[*node]*block, snap uint32) ([]bpf.RawInstruction, error) {
	var rev []bpf.RawInstruction // the program backwards
	place := map[*node]int{}     // length of rev with the node's first instruction
	if p.start.terminal {
		return []bpf.RawInstruction{{Op: bpfRET, K: verdict(p.start, snap)}}, nil
	}
	ret := func(n *node) int {
		if place[n] == 0 {
			rev = append(rev, bpf.RawInstruction{Op: bpfRET, K: verdict(n, snap)})
			place[n] = len(rev)
		}
		return place[n]
	}
	// The end that is named first comes last.
	for i := len(p.nodes) - 1; i >= 0; i-- {
		for _, n := range [2]*node{p.nodes[i].no, p.nodes[i].yes} {
			if n.terminal {
				ret(n)
			}
		}
	}
	// jump makes a conditional jump to places.
	jump := func(op uint16, k uint32, yes, no int) {
		far := func(at int) int {
			rev = append(rev, bpf.RawInstruction{Op: bpfJMP | jumpJA, K: uint32(len(rev) - at)})
			return len(rev)
		}
		// One jump more may push the other target out of reach.
		if len(rev)-no > 254 {
			no = far(no)
		}
		if len(rev)-yes > 255 {
			yes = far(yes)
		}
		rev = append(rev, bpf.RawInstruction{Op: op, Jt: uint8(len(rev) - yes), Jf: uint8(len(rev) - no), K: k})
	}
	for i := len(p.nodes) - 1; i >= 0; i-- {
		n := p.nodes[i]
		yes, no := place[n.yes], place[n.no]
		if c := n.t.code; c != nil {
			c.assemble(&rev, jump, yes, no)
		} else {
			b := blocks[n]
			op, k := bpfJMP|n.t.cmp, n.t.w.k
			if b.srcX {
				op, k = op|srcX, 0
			}
			jump(op, k, yes, no)
			for j := len(b.ins) - 1; j >= 0; j-- {
				rev = append(rev, b.ins[j])
			}
		}
		place[n] = len(rev)
		if len(rev) > maxProgram {
			return nil, errTooComplex
		}
	}
	for i, j := 0, len(rev)-1; i < j; i, j = i+1, j-1 {
		rev[i], rev[j] = rev[j], rev[i]
	}
	return rev, nil
}

func verdict(n *node, snap uint32) uint32 {
	if n.match {
		return snap
	}
	return 0
}

// assemble lays a code out.
func (c *code) assemble(rev *[]bpf.RawInstruction, jump func(uint16, uint32, int, int), yes, no int) {
	places := make([]int, len(c.ins))
	at := func(label int) int {
		switch label {
		case endYes:
			return yes
		case endNo:
			return no
		}
		return places[label]
	}
	for i := len(c.ins) - 1; i >= 0; i-- {
		in := c.ins[i]
		switch {
		case in.op == bpfJMP|jumpJA:
			*rev = append(*rev, bpf.RawInstruction{Op: in.op, K: uint32(len(*rev) - at(in.yes))})
		case in.op&0x07 == bpfJMP:
			jump(in.op, in.k, at(in.yes), at(in.no))
		default:
			*rev = append(*rev, bpf.RawInstruction{Op: in.op, K: in.k})
		}
		places[i] = len(*rev)
	}
}
