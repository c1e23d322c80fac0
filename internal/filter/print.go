package filter

import (
	"fmt"
	"strings"
)

// String returns the program as tcpdump -d prints one, a line for each instruction.
func (p *Program) String() string {
	var b strings.Builder
	for i, in := range p.ins {
		name, arg := describe(in.Op, in.K)
		switch {
		case in.Op == bpfJMP|jumpJA:
			fmt.Fprintf(&b, "(%03d) %-8s %d\n", i, name, i+1+int(in.K))
		case in.Op&0x07 == bpfJMP:
			fmt.Fprintf(&b, "(%03d) %-8s %-16s jt %d\tjf %d\n", i, name, arg, i+1+int(in.Jt), i+1+int(in.Jf))
		default:
			fmt.Fprintf(&b, "(%03d) %-8s %s\n", i, name, arg)
		}
	}
	return b.String()
}

// C returns the program as tcpdump -dd prints one, as a fragment of C; Decimal as -ddd does.
func (p *Program) C() string {
	var b strings.Builder
	for _, in := range p.ins {
		fmt.Fprintf(&b, "{ 0x%x, %d, %d, 0x%08x },\n", in.Op, in.Jt, in.Jf, in.K)
	}
	return b.String()
}

// Decimal returns the program as decimal numbers, after a line with their count.
func (p *Program) Decimal() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d\n", len(p.ins))
	for _, in := range p.ins {
		fmt.Fprintf(&b, "%d %d %d %d\n", in.Op, in.Jt, in.Jf, in.K)
	}
	return b.String()
}

var (
	aluNames = map[uint16]string{
		aluAdd: "add", aluSub: "sub", aluMul: "mul", aluDiv: "div", aluOr: "or", aluAnd: "and", aluLsh: "lsh", aluRsh: "rsh",
		aluMod: "mod", aluXor: "xor",
	}
	cmpNames = map[uint16]string{cmpEq: "jeq", cmpGt: "jgt", cmpGe: "jge", cmpSet: "jset"}
)

// describe returns an instruction's mnemonic and operand.
func describe(op uint16, k uint32) (name, arg string) {
	suffix := map[uint16]string{sizeW: "", sizeH: "h", sizeB: "b"}[op&0x18]
	source := fmt.Sprintf("#0x%x", k)
	if op&srcX != 0 {
		source = "x"
	}
	switch class, mode := op&0x07, op&0xe0; class {
	case bpfLD, bpfLDX:
		name = "ld" + suffix
		if class == bpfLDX {
			name = "ldx" + suffix
		}
		switch mode {
		case modeABS:
			return name, fmt.Sprintf("[%d]", k)
		case modeIND:
			return name, fmt.Sprintf("[x + %d]", k)
		case modeMSH:
			return name, fmt.Sprintf("4*([%d]&0xf)", k)
		case modeMEM:
			return name, fmt.Sprintf("M[%d]", k)
		case modeLEN:
			return name, "#pktlen"
		}
		return name, fmt.Sprintf("#0x%x", k)
	case bpfST:
		return "st", fmt.Sprintf("M[%d]", k)
	case bpfSTX:
		return "stx", fmt.Sprintf("M[%d]", k)
	case bpfRET:
		return "ret", fmt.Sprintf("#%d", k)
	case bpfJMP:
		if op == bpfJMP|jumpJA {
			return "ja", ""
		}
		return cmpNames[op&0xf0], source
	case bpfMISC:
		if op == bpfMISC|miscTA {
			return "txa", ""
		}
		return "tax", ""
	}
	if op == bpfALU|aluNeg {
		return "neg", ""
	}
	if op&srcX == 0 && op&0xf0 != aluAnd && op&0xf0 != aluOr && op&0xf0 != aluXor {
		source = fmt.Sprintf("#%d", k)
	}
	return aluNames[op&0xf0], source
}
