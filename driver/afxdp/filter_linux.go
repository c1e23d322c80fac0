package afxdp

import (
	"fmt"
	"strconv"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/net/bpf"
)

// Where a program goes on when its filter has decided.
const (
	labelMatch = "match"
	labelPass  = "pass"
)

// Registers of an XDP program. Those from R6 on survive calls. Classic BPF's A and X have 32 bits.
const (
	regA   = asm.R0
	regX   = asm.R1
	regAt  = asm.R2 // an address, or an offset in the frame
	regTmp = asm.R3
	ctx    = asm.R6 // struct xdp_md
	first  = asm.R7 // the frame's first byte
	end    = asm.R8 // behind its last byte in the first buffer
	length = asm.R9 // of the frame
)

// farthest is the largest offset at which a filter may read; the kernel's verifier allows 0xffff (MAX_PACKET_OFF).
const farthest = 0xffff - 4

// translate makes instructions of eBPF of classic BPF (Linux, Documentation/networking/filter.rst) that jump to
// labelMatch or labelPass, and before them what all programs begin with. A filter without instructions matches all. As
// in classic BPF, a read beyond the end of the frame ends it, without a match; here that is the end of the first buffer
// of a frame in several, which is longer than headers are.
func translate(filter []bpf.RawInstruction, several bool) (asm.Instructions, error) {
	out := asm.Instructions{asm.Mov.Reg(ctx, asm.R1)}
	if len(filter) == 0 {
		return out, nil
	}
	if several {
		out = append(out, asm.FnXdpGetBuffLen.Call(), asm.Mov.Reg(length, asm.R0))
	}
	out = append(out, asm.LoadMem(first, ctx, 0, asm.Word), asm.LoadMem(end, ctx, 4, asm.Word))
	if !several {
		out = append(out, asm.Mov.Reg(length, end), asm.Sub.Reg(length, first))
	}
	out = append(out, asm.Mov.Imm(regA, 0), asm.Mov.Imm(regX, 0))
	for slot := range uint32(16) { // linux/filter.h, BPF_MEMWORDS
		out = append(out, asm.StoreImm(asm.RFP, memory16(slot), 0, asm.Word))
	}
	for pc, raw := range filter {
		t := translation{pc: pc, last: len(filter) - 1}
		t.one(raw)
		if t.err != nil {
			return nil, fmt.Errorf("instruction %d, %v: %w", pc, raw, t.err)
		}
		t.out[0] = t.out[0].WithSymbol(label(pc))
		out = append(out, t.out...)
	}
	return out, nil
}

func label(pc int) string { return "at" + strconv.Itoa(pc) }

// memory16 is where a word of scratch memory lies, from the frame pointer on.
func memory16(slot uint32) int16 { return -4 * int16(slot%16+1) }

// translation is that of one instruction.
type translation struct {
	pc, last int
	out      asm.Instructions
	err      error
}

func (t *translation) put(ins ...asm.Instruction) { t.out = append(t.out, ins...) }

// to is the label of the instruction n after the next.
func (t *translation) to(n uint32) string {
	if int64(t.pc)+1+int64(n) > int64(t.last) {
		t.err = fmt.Errorf("it jumps beyond the end")
	}
	return label(t.pc + 1 + int(n))
}

// one translates an instruction.
func (t *translation) one(raw bpf.RawInstruction) {
	switch ins := raw.Disassemble().(type) {
	case bpf.LoadConstant:
		t.put(asm.Mov.Imm32(reg(ins.Dst), int32(ins.Val)))
	case bpf.LoadScratch:
		t.put(asm.LoadMem(reg(ins.Dst), asm.RFP, memory16(uint32(ins.N)), asm.Word))
	case bpf.StoreScratch:
		t.put(asm.StoreMem(asm.RFP, memory16(uint32(ins.N)), reg(ins.Src), asm.Word))
	case bpf.LoadAbsolute:
		t.put(asm.Mov.Imm32(regAt, int32(ins.Off)))
		t.load(regA, ins.Size)
	case bpf.LoadIndirect:
		t.put(asm.Mov.Imm32(regAt, int32(ins.Off)), asm.Add.Reg(regAt, regX))
		t.load(regA, ins.Size)
	case bpf.LoadMemShift:
		t.put(asm.Mov.Imm32(regAt, int32(ins.Off)))
		t.load(regX, 1)
		t.put(asm.And.Imm32(regX, 0xf), asm.LSh.Imm32(regX, 2))
	case bpf.LoadExtension:
		if ins.Num != bpf.ExtLen {
			t.err = fmt.Errorf("an XDP program cannot tell")
		}
		t.put(asm.Mov.Reg32(regA, length))
	case bpf.TAX:
		t.put(asm.Mov.Reg32(regX, regA))
	case bpf.TXA:
		t.put(asm.Mov.Reg32(regA, regX))
	case bpf.NegateA:
		t.put(asm.Neg.Imm32(regA, 0))
	case bpf.ALUOpConstant:
		t.put(asm.Mov.Imm32(regTmp, int32(ins.Val)))
		t.calculate(ins.Op)
	case bpf.ALUOpX:
		t.put(asm.Mov.Reg32(regTmp, regX))
		t.calculate(ins.Op)
	case bpf.Jump:
		t.put(asm.Ja.Label(t.to(ins.Skip)))
	case bpf.JumpIf:
		t.put(asm.Mov.Imm32(regTmp, int32(ins.Val)))
		t.branch(ins.Cond, t.to(uint32(ins.SkipTrue)), t.to(uint32(ins.SkipFalse)))
	case bpf.JumpIfX:
		t.put(asm.Mov.Reg32(regTmp, regX))
		t.branch(ins.Cond, t.to(uint32(ins.SkipTrue)), t.to(uint32(ins.SkipFalse)))
	case bpf.RetConstant:
		where := labelMatch
		if ins.Val == 0 {
			where = labelPass
		}
		t.put(asm.Ja.Label(where))
	case bpf.RetA:
		t.put(asm.JNE.Imm32(regA, 0, labelMatch), asm.Ja.Label(labelPass))
	default:
		if raw == (bpf.RawInstruction{Op: opLengthX}) {
			t.put(asm.Mov.Reg32(regX, length))
			return
		}
		t.err = fmt.Errorf("it is unknown")
	}
}

// opLengthX is "ldx #len", which package bpf does not know.
const opLengthX = 0x81

func reg(r bpf.Register) asm.Register {
	if r == bpf.RegX {
		return regX
	}
	return regA
}

// load reads from the frame at the offset in regAt.
func (t *translation) load(dst asm.Register, size int) {
	kind := map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word}[size]
	t.put(
		asm.JGT.Imm(regAt, farthest, labelPass),
		asm.Add.Reg(regAt, first),
		asm.Mov.Reg(regTmp, regAt),
		asm.Add.Imm(regTmp, int32(size)),
		asm.JGT.Reg(regTmp, end, labelPass),
		asm.LoadMem(dst, regAt, 0, kind),
	)
	if size > 1 {
		t.put(asm.HostTo(asm.BE, dst, kind))
	}
}

// calculate has A be the result of an operation of A and regTmp.
func (t *translation) calculate(op bpf.ALUOp) {
	switch op {
	case bpf.ALUOpDiv, bpf.ALUOpMod:
		t.put(asm.JEq.Imm32(regTmp, 0, labelPass))
	case bpf.ALUOpShiftLeft, bpf.ALUOpShiftRight:
		// eBPF would shift by the lower bits of what is too much, and the verifier wants to see that it is not.
		zero := label(t.pc) + "zero"
		t.put(asm.Mov.Reg32(regAt, regTmp), asm.And.Imm32(regTmp, 31), asm.JLE.Imm32(regAt, 31, zero), asm.Mov.Imm32(regA, 0))
		t.put(aluOps[op].Reg32(regA, regTmp).WithSymbol(zero))
		return
	}
	alu, ok := aluOps[op]
	if !ok {
		t.err = fmt.Errorf("an unknown operation")
	}
	t.put(alu.Reg32(regA, regTmp))
}

var aluOps = map[bpf.ALUOp]asm.ALUOp{
	bpf.ALUOpAdd: asm.Add, bpf.ALUOpSub: asm.Sub, bpf.ALUOpMul: asm.Mul, bpf.ALUOpDiv: asm.Div, bpf.ALUOpMod: asm.Mod, bpf.ALUOpOr: asm.Or,
	bpf.ALUOpAnd: asm.And, bpf.ALUOpXor: asm.Xor, bpf.ALUOpShiftLeft: asm.LSh, bpf.ALUOpShiftRight: asm.RSh,
}

// branch jumps by a comparison of A with regTmp.
func (t *translation) branch(cond bpf.JumpTest, yes, no string) {
	op, ok := map[bpf.JumpTest]asm.JumpOp{
		bpf.JumpEqual: asm.JEq, bpf.JumpNotEqual: asm.JNE, bpf.JumpGreaterThan: asm.JGT, bpf.JumpLessThan: asm.JLT,
		bpf.JumpGreaterOrEqual: asm.JGE, bpf.JumpLessOrEqual: asm.JLE, bpf.JumpBitsSet: asm.JSet,
	}[cond]
	if cond == bpf.JumpBitsNotSet {
		op, ok, yes, no = asm.JSet, true, no, yes
	}
	if !ok {
		t.err = fmt.Errorf("an unknown comparison")
	}
	t.put(op.Reg32(regA, regTmp, yes), asm.Ja.Label(no))
}
