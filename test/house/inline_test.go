package house

import (
	"fmt"
	"go/ast"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// hot are the packages whose small functions must inline, with those that lie on the way of every
// packet.
var hot = map[string][]string{
	"packet": {
		"MakeSpan", "SpanLen", "Span.Offset", "Span.Len", "Span.Flags", "(*Buf).Span", "(*Buf).SetSpan", "(*Buf).IOVA",
		"(*Buf).PoolID", "(*Buf).Bytes", "(*Buf).Front", "(*Buf).Len", "(*Buf).Flags", "(*Buf).SetFlags", "(*Buf).ClearFlags", "(*Buf).Port",
		"(*Buf).Next", "(*Buf).SetNext", "(*Buf).SetOffsetLen", "(*Ref).Set", "(*Ref).Buf", "(*Cache).Put", "PoolOf",
	},
	"bus/mmio":      {"Region.Size", "Region.SeesReads", "Region.Doorbell"},
	"driver/afxdp":  {"(*ring).desc", "(*ring).addr", "(*ring).produced", "(*ring).consumed", "(*ring).needsWakeup"},
	"driver/ixgbe":  {"(*desc).done", "ring.desc", "ring.buf", "(*desc).following", "steps", "step.index", "refs.at", "refs.get", "refs.put", "refs.from", "(*rxQueue).limit", "(*txQueue).free"},
	"driver/virtio": {"splitView.desc", "splitView.head", "splitView.elems", "elems.atStep", "refs.at", "refs.atStep", "refs.from", "clearHeader", "(*tally).add", "(*desc).done", "descs.atStep", "store64", "(*txQueue).went"},
	"driver/vhost":  {"asks", "move", "plainHeader", "(*row).buffer", "(*view).head", "(*view).putPacked", "(*view).putUsed", "store64"},
}

// loops are the functions that handle each packet: all that they call must be inlined into them.
var loops = []struct{ path, function string }{
	{"driver/ixgbe/rx.go", "rxQueue.run"},
	{"driver/ixgbe/tx.go", "txQueue.run"},
	{"driver/virtio/rx.go", "rxQueue.runSplit"},
	{"driver/virtio/tx.go", "txQueue.runSplit"},
	{"driver/virtio/packed_rx.go", "rxQueue.runPacked"},
	{"driver/virtio/packed_tx.go", "txQueue.runPacked"},
	{"driver/vhost/row_unsafe.go", "ring.gatherPacked"},
	{"driver/vhost/row_unsafe.go", "ring.gatherSplit"},
	{"driver/vhost/row_unsafe.go", "row.copyOut"},
	{"driver/vhost/row_unsafe.go", "row.copyIn"},
	{"driver/vhost/row.go", "ring.giveRow"},
}

// plain are calls that make no call: built-in functions, conversions, and what the compiler knows as
// an instruction.
var plain = []string{
	"len", "cap", "min", "max", "byte", "int", "uint", "uint16", "uint32", "uint64", "uintptr",
	"step", "bits.RotateLeft64", "atomic.LoadUint64", "unsafe.Add", "unsafe.Pointer",
}

// decisions returns what the compiler says about inlining; it repeats that for packages in its cache.
func decisions(t *testing.T) string {
	t.Helper()
	args := []string{"build", "-gcflags=-m"}
	for pkg := range hot {
		args = append(args, "./"+pkg)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = root(t)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func TestInlining(t *testing.T) {
	out := decisions(t)
	for pkg, names := range hot {
		for _, name := range names {
			line := regexp.MustCompile(`(?m)^(\./)?` + pkg + `/\w+\.go:\d+:\d+: can inline ` + regexp.QuoteMeta(name) + `$`)
			if !line.MatchString(out) {
				t.Errorf("%s: %s does not inline any more", pkg, name)
			}
		}
	}
	inlined := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^(?:\./)?(\S+\.go:\d+:\d+): inlining call to`).FindAllStringSubmatch(out, -1) {
		inlined[m[1]] = true
	}
	found := 0
	for _, s := range sources(t) {
		for _, l := range loops {
			if s.path != l.path {
				continue
			}
			for _, d := range s.file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && methodName(f) == l.function {
					found++
					s.allInlined(t, f, inlined)
				}
			}
		}
	}
	if found != len(loops) {
		t.Errorf("found %d of the %d loops", found, len(loops))
	}
}

// allInlined looks at every call of a function; the compiler names a call by its opening parenthesis.
func (s *source) allInlined(t *testing.T, f *ast.FuncDecl, inlined map[string]bool) {
	calls := 0
	ast.Inspect(f.Body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch fun := call.Fun.(type) {
		case *ast.ParenExpr:
			return true // a conversion
		case *ast.Ident:
			name = fun.Name
		case *ast.SelectorExpr:
			if x, ok := fun.X.(*ast.Ident); ok {
				name = x.Name + "."
			}
			name += fun.Sel.Name
		}
		if slices.Contains(plain, name) {
			return true
		}
		calls++
		p := s.set.Position(call.Lparen)
		if !inlined[fmt.Sprintf("%s:%d:%d", s.path, p.Line, p.Column)] {
			t.Errorf("%s:%d: %s calls %s, which is not inlined", s.path, p.Line, methodName(f), name)
		}
		return true
	})
	if calls == 0 {
		t.Errorf("%s: no calls in %s: is this test looking in the right place?", s.path, methodName(f))
	}
}

// methodName is a function's name, after its receiver's type.
func methodName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	recv := f.Recv.List[0].Type
	if star, ok := recv.(*ast.StarExpr); ok {
		recv = star.X
	}
	if id, ok := recv.(*ast.Ident); ok {
		return strings.Join([]string{id.Name, f.Name.Name}, ".")
	}
	return f.Name.Name
}
