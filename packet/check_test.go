//go:build poolcheck

package packet

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// line returns where its caller is, as sites are printed.
func line(offset int) string {
	_, file, n, _ := runtime.Caller(1)
	return fmt.Sprintf("%s:%d", file, n+offset)
}

// panics runs f and returns what it panics with.
func panics(t *testing.T, f func()) (text string) {
	t.Helper()
	defer func() { text = fmt.Sprint(recover()) }()
	f()
	t.Error("no panic")
	return ""
}

func wants(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not name %q", text, part)
		}
	}
}

func TestDoubleFree(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	c := p.NewCache()
	for name, free := range map[string]func([]*Buf){"cache": c.Put, "pool": Free} {
		b := append([]*Buf(nil), c.Take(1)...)
		free(b)
		first := line(-1)
		var second string
		text := panics(t, func() {
			second = line(1)
			free(b)
		})
		wants(t, text, "freed twice", first, second)
		if t.Failed() {
			t.Log(name)
		}
	}
	c.Flush()
	if n := p.Available(); n != 64 {
		t.Errorf("%d of 64 available: the second free was carried out", n)
	}
}

func TestUseAfterFree(t *testing.T) {
	p, _ := newPool(t, PoolConfig{Buffers: 64})
	var b [1]*Buf
	p.Alloc(b[:])
	took := line(-1)
	Free(b[:])
	gave := line(-1)
	for name, use := range map[string]func(){
		"Bytes":    func() { b[0].Bytes() },
		"Span":     func() { b[0].Span() },
		"Reset":    func() { b[0].Reset() },
		"SetBytes": func() { b[0].SetBytes([]byte{1}) },
		"Append":   func() { b[0].Append(1) },
		"Truncate": func() { b[0].Truncate(0) },
		"AppendTo": func() { b[0].AppendTo(nil) },
	} {
		wants(t, panics(t, use), "used after free", took, gave, "check_test.go")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestLeakNamesSites(t *testing.T) {
	mem := newMemory(2<<20, 1<<30)
	p, err := NewPool(mem, PoolConfig{Buffers: 128}) // a block for the cache and one for the others
	if err != nil {
		t.Fatal(err)
	}
	c := p.NewCache()
	a := append([]*Buf(nil), c.Take(1)...)
	first := line(-1)
	var b [1]*Buf
	p.Alloc(b[:])
	second := line(-1)
	c.Flush()
	err = p.Close()
	if err == nil {
		t.Fatal("closed with buffers out")
	}
	wants(t, err.Error(), "2 of 128", first, second)
	c.Put(a)
	c.Flush()
	Free(b[:])
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
