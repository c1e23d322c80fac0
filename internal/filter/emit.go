package filter

import (
	"golang.org/x/net/bpf"
)

// Codes of instructions (linux/bpf_common.h): class, size and mode.
const (
	bpfLD   = 0x00
	bpfLDX  = 0x01
	bpfST   = 0x02
	bpfSTX  = 0x03
	bpfALU  = 0x04
	bpfJMP  = 0x05
	bpfRET  = 0x06
	bpfMISC = 0x07

	sizeW = 0x00
	sizeH = 0x08
	sizeB = 0x10

	modeIMM = 0x00
	modeABS = 0x20
	modeIND = 0x40
	modeMEM = 0x60
	modeLEN = 0x80
	modeMSH = 0xa0

	srcX   = 0x08
	aluNeg = 0x80 // occurs in programs of others
	jumpJA = 0x00
	miscTX = 0x00 // TAX
	miscTA = 0x80 // TXA
)

// memSlots is how many words of scratch memory a program has (linux/filter.h, BPF_MEMWORDS).
const memSlots = 16

// program is a simplified graph.
type program struct {
	start *node
	nodes []*node // each before those that it leads to
}

// code is a test that is made of instructions of its own. It leaves by its labels.
type code struct {
	ins []codeIns
}

// codeIns is an instruction of a code. Jumps go forward, to the instruction of that number of the same code, or to
// one of the ends.
type codeIns struct {
	op      uint16
	k       uint32
	yes, no int
}

// Ends of a code.
const (
	endYes = -1
	endNo  = -2
)

// emitter chooses instructions, node by node.
type emitter struct {
	out  []bpf.RawInstruction
	a, x *value // what the registers hold, nil where that is not known
	free uint32 // first slot for intermediate results; below it and from most on they are taken
	most uint32
	err  error
}

// block is a node's instructions without its jump.
type block struct {
	ins  []bpf.RawInstruction
	srcX bool // compare with X
	a, x *value
	met  bool
}

func emit(p program, snap, slots uint32) ([]bpf.RawInstruction, error) {
	blocks := make(map[*node]*block, len(p.nodes))
	for _, n := range p.nodes {
		blocks[n] = &block{}
	}
	for _, n := range p.nodes {
		b := blocks[n]
		e := &emitter{a: b.a, x: b.x, most: memSlots - slots}
		if n.t.code == nil {
			b.srcX = e.compare(n.t)
			b.ins = e.out
		} else {
			e.a, e.x = nil, nil
		}
		if e.err != nil {
			return nil, e.err
		}
		for _, next := range [2]*node{n.yes, n.no} {
			if next.terminal {
				continue
			}
			to := blocks[next]
			if !to.met {
				to.a, to.x, to.met = e.a, e.x, true
				continue
			}
			if to.a != e.a {
				to.a = nil
			}
			if to.x != e.x {
				to.x = nil
			}
		}
	}
	return assemble(p, blocks, snap)
}

// compare emits what a comparison needs in the registers. It tells whether it compares with X.
func (e *emitter) compare(t test) bool {
	if t.w.op == opConst {
		e.toA(t.v)
		return false
	}
	e.both(t.v, t.w)
	return true
}

func (e *emitter) put(op uint16, k uint32) {
	e.out = append(e.out, bpf.RawInstruction{Op: op, K: k})
}

// toA has the value in A.
func (e *emitter) toA(v *value) {
	if e.a == v {
		return
	}
	switch v.op {
	case opConst:
		e.put(bpfLD|modeIMM, v.k)
	case opLen:
		e.put(bpfLD|modeLEN, 0)
	case opSlot:
		e.put(bpfLD|modeMEM, v.k)
	case opLoad:
		size := map[uint8]uint16{1: sizeB, 2: sizeH, 4: sizeW}[v.size]
		if v.a == nil {
			e.put(bpfLD|size|modeABS, v.k)
			break
		}
		e.toX(v.a)
		e.put(bpfLD|size|modeIND, v.k)
	case opIHL:
		e.toX(v)
		e.put(bpfMISC|miscTA, 0)
	case opArith:
		if v.b.op == opConst {
			e.toA(v.a)
			e.put(bpfALU|v.alu, v.b.k)
			break
		}
		e.both(v.a, v.b)
		e.put(bpfALU|v.alu|srcX, 0)
	}
	e.a = v
}

// toX has the value in X.
func (e *emitter) toX(v *value) {
	if e.x == v {
		return
	}
	switch v.op {
	case opConst:
		e.put(bpfLDX|modeIMM, v.k)
	case opSlot:
		e.put(bpfLDX|modeMEM, v.k)
	case opIHL:
		e.put(bpfLDX|sizeB|modeMSH, v.k)
	default:
		e.toA(v)
		e.put(bpfMISC|miscTX, 0)
	}
	e.x = v
}

// both has a in A and b in X.
func (e *emitter) both(a, b *value) {
	if b.op == opConst || b.op == opSlot || b.op == opIHL {
		e.toA(a)
		e.toX(b)
		return
	}
	if e.free >= e.most {
		e.err = errTooComplex
		return
	}
	slot := e.free
	e.toA(b)
	e.put(bpfST, slot)
	e.free++
	e.toA(a)
	e.free--
	e.put(bpfLDX|modeMEM, slot)
	e.x = b
}
