// Package filter compiles capture filters, in the language of pcap-filter(7), to classic BPF for Ethernet frames, and
// runs them.
//
// An expression becomes a graph of comparisons (graph.go) of values read from the frame (value.go), which is simplified
// before instructions are chosen (emit.go). A read beyond the end of the frame ends the program: the frame does not
// match, whatever the expression says.
package filter

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/net/bpf"
)

// Snap is what a program returns of a frame that matches where Options say nothing: as many bytes as capture files
// hold of one.
const Snap = 262144

// Limits of an expression and its program, so that neither time nor memory runs away.
const (
	maxText    = 64 << 10
	maxNodes   = 20_000
	maxProgram = 60_000
	maxDepth   = 1000 // of parentheses
)

var errTooComplex = errors.New("the expression is too long or too complex: split it")

// Options are the settings of Compile.
type Options struct {
	// Snap is what the program returns of a frame that matches; 0: the constant Snap.
	Snap uint32
	// Names resolves what is no number. Nil: System.
	Names Names
}

// Program is a compiled filter. It may be used by several goroutines.
type Program struct {
	ins []bpf.RawInstruction
}

// Compile compiles an expression; the empty one matches every frame. Names are looked up here and not later, those of
// hosts with ctx. The error says what is wrong with the expression.
func Compile(ctx context.Context, expr string, opt Options) (p *Program, err error) {
	if opt.Snap == 0 {
		opt.Snap = Snap
	}
	if opt.Names == nil {
		opt.Names = System{}
	}
	if len(expr) > maxText {
		return nil, fmt.Errorf("filter: %w", errTooComplex)
	}
	g := newGen(ctx, opt.Names)
	cond, err := parse(expr, g)
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", shorten(expr), err)
	}
	gr := newGraph()
	start, err := gr.build(cond)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	prog := gr.simplify(start)
	if prog.start == gr.fail {
		return nil, fmt.Errorf("filter %q: no frame can match", shorten(expr))
	}
	ins, err := emit(prog, opt.Snap, g.slots)
	if err != nil {
		return nil, fmt.Errorf("filter: %w", err)
	}
	return &Program{ins}, nil
}

func shorten(s string) string {
	if len(s) > 200 {
		return s[:200] + "…"
	}
	return s
}

// Instructions returns the program, as SO_ATTACH_FILTER takes it.
func (p *Program) Instructions() []bpf.RawInstruction { return p.ins }
