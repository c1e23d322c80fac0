package ladder

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
)

// sink counts what arrives at an interface and throws it away before the kernel's stack sees it.
type sink struct {
	counts  *ebpf.Map
	program *ebpf.Program
	link    link.Link
}

// The sink's counters.
const (
	asWanted  = 0 // byte 1 is as it is to be
	otherwise = 1
)

// newSink counts frames whose byte 1 is want apart from others.
func newSink(ifindex int, want byte) (_ *sink, err error) {
	s := &sink{}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("sink: %w", err), s.close())
		}
	}()
	s.counts, err = ebpf.NewMap(&ebpf.MapSpec{Name: "ladder_sink", Type: ebpf.Array, KeySize: 4, ValueSize: 8, MaxEntries: 2})
	if err != nil {
		return nil, err
	}
	s.program, err = ebpf.NewProgram(&ebpf.ProgramSpec{Name: "ladder_sink", Type: ebpf.XDP, Instructions: asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, mdData, asm.Word),
		asm.LoadMem(asm.R3, asm.R1, mdDataEnd, asm.Word),
		asm.Mov.Imm(asm.R5, otherwise),
		asm.Mov.Reg(asm.R4, asm.R2),
		asm.Add.Imm(asm.R4, 14),
		asm.JGT.Reg(asm.R4, asm.R3, "count"),
		asm.LoadMem(asm.R4, asm.R2, touched, asm.Byte),
		asm.JNE.Imm(asm.R4, int32(want), "count"),
		asm.Mov.Imm(asm.R5, asWanted),
		asm.StoreMem(asm.RFP, -4, asm.R5, asm.Word).WithSymbol("count"),
		asm.LoadMapPtr(asm.R1, s.counts.FD()),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, "drop"),
		asm.Mov.Imm(asm.R1, 1),
		asm.StoreXAdd(asm.R0, asm.R1, asm.DWord),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return(),
	}})
	if err != nil {
		return nil, err
	}
	s.link, err = link.AttachXDP(link.XDPOptions{Program: s.program, Interface: ifindex, Flags: link.XDPDriverMode})
	return s, err
}

// read returns how many frames arrived, and how many of these were not as wanted.
func (s *sink) read() (arrived, wrong uint64, err error) {
	var n [2]uint64
	for key := range n {
		if err := s.counts.Lookup(uint32(key), &n[key]); err != nil {
			return 0, 0, fmt.Errorf("sink: %w", err)
		}
	}
	return n[asWanted] + n[otherwise], n[otherwise], nil
}

func (s *sink) close() error {
	var errs []error
	if s.link != nil {
		errs = append(errs, s.link.Close())
	}
	if s.program != nil {
		errs = append(errs, s.program.Close())
	}
	if s.counts != nil {
		errs = append(errs, s.counts.Close())
	}
	return errors.Join(errs...)
}
