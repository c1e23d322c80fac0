package filter

// valueOp says what a value is.
type valueOp uint8

const (
	opConst valueOp = iota // k
	opLen                  // length of the frame on the wire
	opLoad                 // size bytes at k + a
	opIHL                  // 4*([k]&0xf): the length of an IPv4 header at a constant offset
	opSlot                 // M[k]
	opArith                // a alu b
)

// Operations of the arithmetic unit, as in an instruction (linux/bpf_common.h).
const (
	aluAdd = 0x00
	aluSub = 0x10
	aluMul = 0x20
	aluDiv = 0x30
	aluOr  = 0x40
	aluAnd = 0x50
	aluLsh = 0x60
	aluRsh = 0x70
	aluMod = 0x90
	aluXor = 0xa0
)

// value is something that a frame is asked for. Equal values are the same pointer.
type value struct {
	op   valueOp
	alu  uint16
	size uint8
	k    uint32
	a, b *value
}

// values makes each value once.
type values map[value]*value

func (vs values) intern(v value) *value {
	if p := vs[v]; p != nil {
		return p
	}
	p := &v
	vs[v] = p
	return p
}

func (vs values) num(k uint32) *value  { return vs.intern(value{op: opConst, k: k}) }
func (vs values) slot(i uint32) *value { return vs.intern(value{op: opSlot, k: i}) }
func (vs values) len() *value          { return vs.intern(value{op: opLen}) }

// load reads size bytes at offset base + k; base is nil for 0.
func (vs values) load(base *value, k uint32, size uint8) *value {
	if base != nil && base.op == opConst {
		if base.k > ^uint32(0)-k {
			k, base = ^uint32(0), nil // beyond every frame
		} else {
			k, base = k+base.k, nil
		}
	}
	// An offset that cannot wrap around is added by the load itself.
	for base != nil && base.op == opArith && base.alu == aluAdd && base.b.op == opConst && base.a.small() && base.b.k < 1<<16 && k < 1<<16 {
		k, base = k+base.b.k, base.a
	}
	return vs.intern(value{op: opLoad, size: size, k: k, a: base})
}

// small tells whether a value is known to be of few bits.
func (v *value) small() bool {
	switch v.op {
	case opIHL:
		return true
	case opLoad:
		return v.size < 4
	case opArith:
		switch v.alu {
		case aluAdd:
			return v.a.small() && (v.b.small() || v.b.op == opConst && v.b.k < 1<<16)
		case aluAnd:
			return v.b.op == opConst && v.b.k < 1<<16
		}
	}
	return false
}

// add is a + b, either of which may be nil for 0.
func (vs values) add(a, b *value) *value {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	v, _ := vs.arith(aluAdd, a, b)
	return v
}

// arith is an operation; constants are folded. It fails as the arithmetic unit would, by a constant.
func (vs values) arith(alu uint16, a, b *value) (*value, error) {
	if b.op == opConst {
		switch {
		case (alu == aluDiv || alu == aluMod) && b.k == 0:
			return nil, errZero
		case (alu == aluLsh || alu == aluRsh) && b.k > 31:
			return nil, errShift
		}
		if a.op == opConst {
			return vs.num(calc(alu, a.k, b.k)), nil
		}
		if b.k == 0 && (alu == aluAnd || alu == aluMul) {
			return b, nil
		}
		if b.k == 0 && (alu == aluAdd || alu == aluSub || alu == aluOr || alu == aluXor || alu == aluLsh || alu == aluRsh) {
			return a, nil
		}
	}
	if a.op == opConst && (alu == aluAdd || alu == aluMul || alu == aluOr || alu == aluAnd || alu == aluXor) {
		a, b = b, a
	}
	return vs.intern(value{op: opArith, alu: alu, a: a, b: b}), nil
}

// calc does what the arithmetic unit does; division by 0 is the caller's to prevent.
func calc(alu uint16, a, b uint32) uint32 {
	switch alu {
	case aluAdd:
		return a + b
	case aluSub:
		return a - b
	case aluMul:
		return a * b
	case aluDiv:
		return a / b
	case aluOr:
		return a | b
	case aluAnd:
		return a & b
	case aluLsh:
		return a << b
	case aluRsh:
		return a >> b
	case aluMod:
		return a % b
	}
	return a ^ b
}

// Comparisons, as in an instruction (linux/bpf_common.h).
const (
	cmpEq  = 0x10
	cmpGt  = 0x20
	cmpGe  = 0x30
	cmpSet = 0x40
)

// test is a question with two answers: v compared with w. Instead of a comparison it may be code of its own.
type test struct {
	v, w *value
	cmp  uint16
	code *code
}

// decide tells the answer of a comparison of two constants.
func (t test) decide() (answer, known bool) {
	if t.code != nil || t.v.op != opConst || t.w.op != opConst {
		return false, false
	}
	a, b := t.v.k, t.w.k
	switch t.cmp {
	case cmpEq:
		return a == b, true
	case cmpGt:
		return a > b, true
	case cmpGe:
		return a >= b, true
	}
	return a&b != 0, true
}

// condKind is how the parts of a condition are joined.
type condKind uint8

const (
	condTest condKind = iota
	condAnd
	condOr
	condNot
	condConst
)

// cond is a condition, evaluated from left to right and no further than needed.
type cond struct {
	kind condKind
	a, b *cond
	t    test
	yes  bool // of a condConst
}

func and(a, b *cond) *cond {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	}
	return &cond{kind: condAnd, a: a, b: b}
}

func or(a, b *cond) *cond { return &cond{kind: condOr, a: a, b: b} }
func not(a *cond) *cond   { return &cond{kind: condNot, a: a} }
func always(yes bool) *cond {
	return &cond{kind: condConst, yes: yes}
}
