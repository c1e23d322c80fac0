package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// unsafeStoreys are those in which files called *_unsafe.go may import unsafe: registers and DMA memory,
// buffers, descriptors, and the models' view of the same memory. A package beside them hands the kernel a filter.
var unsafeStoreys = []string{"bus", "packet", "chip", "driver", "sim", "bench", "internal/sandbox"}

func TestUnsafeFence(t *testing.T) {
	inside := 0
	for _, s := range sources(t) {
		fenced := strings.HasSuffix(s.path, "_unsafe.go") && (slices.Contains(unsafeStoreys, storey(s.dir)) || slices.Contains(unsafeStoreys, s.dir))
		if slices.Contains(s.imports(), "unsafe") {
			if inside++; !fenced {
				t.Errorf("%s imports unsafe", s.path)
			}
		}
		for _, group := range s.file.Comments {
			for _, c := range group.List {
				if strings.HasPrefix(c.Text, "//go:linkname") {
					t.Errorf("%s: %s", s.at(c), c.Text)
				}
			}
		}
	}
	if inside == 0 {
		t.Error("no file imports unsafe: is this test looking in the right place?")
	}
}

func TestNoCgo(t *testing.T) {
	for _, s := range sources(t) {
		if slices.Contains(s.imports(), "C") {
			t.Errorf("%s uses cgo", s.path)
		}
	}
}

// calls calls f for every call in a file of a plain name ("panic") or one with a package ("os.Exit").
func (s *source) calls(f func(name string, call *ast.CallExpr)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		switch fun := call.Fun.(type) {
		case *ast.Ident:
			f(fun.Name, call)
		case *ast.SelectorExpr:
			if pkg, ok := fun.X.(*ast.Ident); ok {
				f(pkg.Name+"."+fun.Sel.Name, call)
			}
		}
		return true
	})
}

// Libraries return errors: they neither panic nor end the program. Only a poolcheck build panics.
func TestNoPanic(t *testing.T) {
	checked := false
	for _, s := range sources(t) {
		if s.test() || storey(s.dir) == "cmd" || storey(s.dir) == "examples" {
			continue
		}
		s.calls(func(name string, call *ast.CallExpr) {
			switch {
			case name == "panic" && s.only("poolcheck"):
				checked = true
			case name == "panic", name == "os.Exit", strings.HasPrefix(name, "log.Fatal"), strings.HasPrefix(name, "log.Panic"):
				t.Errorf("%s: %s in a library", s.at(call), name)
			}
		})
	}
	if !checked {
		t.Error("no panic in poolcheck builds: is this test looking in the right place?")
	}
}

// On amd64 an atomic store or exchange is XCHG, which reads a register before it writes it: drivers and
// the bus only load atomically. Rings in memory that a device shares both ways, as virtio's, need the full barrier
// that it is, and so does a gate that two goroutines share.
var shared = []string{"driver/virtio/split.go", "driver/virtio/packed.go", "driver/virtio/order_other.go", "driver/virtio/gate.go", "driver/afpacket/ring_linux_unsafe.go", "driver/afxdp/ring_linux_unsafe.go",
	"driver/vhost/ring_unsafe.go", "driver/vhost/give.go", "driver/vhost/order_other.go"}

func TestNoAtomicStores(t *testing.T) {
	loads := 0
	for _, s := range sources(t) {
		if s.test() || storey(s.dir) != "driver" && storey(s.dir) != "bus" || slices.Contains(shared, s.path) {
			continue
		}
		s.calls(func(name string, call *ast.CallExpr) {
			op, ok := strings.CutPrefix(name, "atomic.")
			switch {
			case !ok:
			case strings.HasPrefix(op, "Load"):
				loads++
			case strings.HasPrefix(op, "Store"), strings.HasPrefix(op, "Swap"), strings.HasPrefix(op, "CompareAndSwap"),
				strings.HasPrefix(op, "Add"), strings.HasPrefix(op, "Or"), strings.HasPrefix(op, "And"):
				t.Errorf("%s: %s", s.at(call), name)
			}
		})
	}
	if loads == 0 {
		t.Error("no atomic load in drivers and bus: is this test looking in the right place?")
	}
}

// The stubs that write registers are plain stores.
func TestRegisterStubs(t *testing.T) {
	stubs, err := filepath.Glob(filepath.Join(root(t), "bus/mmio/*.s"))
	if err != nil || len(stubs) < 2 {
		t.Fatalf("%v, %v", stubs, err)
	}
	locked := regexp.MustCompile(`\b(XCHG\w*|LOCK|CMPXCHG\w*|SWP\w*|CAS\w*|LDADD\w*)\b`)
	for _, path := range stubs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			code, _, _ := strings.Cut(line, "//")
			if locked.MatchString(code) {
				t.Errorf("%s:%d: %s", path, i+1, line)
			}
		}
	}
}
