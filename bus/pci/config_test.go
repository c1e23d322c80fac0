package pci

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"glassnic/bus"
)

func TestConfig(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	c, err := tr.sys().OpenConfig("03:00.0", true)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	id, err := ReadID(c)
	if want := (bus.ID{Vendor: 0x8086, Device: 0x10fb, Subvendor: 0x8086, Subdevice: 3, Revision: 1, Class: 0x020000}); err != nil || id != want {
		t.Errorf("%+v, %v", id, err)
	}
	if err := errors.Join(c.Write8(0x3c, 0x11), c.Write16(0x04, 0x2233), c.Write32(0x10, 0x44556677)); err != nil {
		t.Error(err)
	}
	a, err1 := c.Read8(0x3c)
	b, err2 := c.Read16(0x04)
	d, err3 := c.Read32(0x10)
	if a != 0x11 || b != 0x2233 || d != 0x44556677 || errors.Join(err1, err2, err3) != nil {
		t.Errorf("%#x %#x %#x", a, b, d)
	}
	if raw := tr.read(dev(card) + "/config"); raw[0x10] != 0x77 || raw[0x13] != 0x44 || len(raw) != 4096 {
		t.Error("the file is not little-endian, or has grown")
	}
	for _, off := range []int{-4, 1, 2, 4096, 1 << 40} {
		if _, err := c.Read32(off); err == nil {
			t.Errorf("read 4 bytes at %#x", off)
		}
		if err := c.Write32(off, 0); err == nil {
			t.Errorf("wrote 4 bytes at %#x", off)
		}
	}
	ro := NewConfig(card, bytes.NewReader(header()))
	if err := ro.Write8(0, 1); err == nil {
		t.Error("wrote what can only be read")
	}
	if err := ro.Close(); err != nil {
		t.Error(err)
	}
}

func TestConfigOfOrdinaryUser(t *testing.T) {
	c := NewConfig(card, bytes.NewReader(header()[:64]))
	if _, err := ReadID(c); err != nil {
		t.Error(err)
	}
	if _, err := Capabilities(c); !errors.Is(err, io.ErrUnexpectedEOF) || !strings.Contains(err.Error(), "root") || !strings.Contains(err.Error(), card) {
		t.Errorf("capabilities: %v", err)
	}
}

func TestCapabilities(t *testing.T) {
	std := []Capability{{ID: 1, Offset: 0x40}, {ID: 5, Offset: 0x50}, {ID: 0x11, Offset: 0x70}, {ID: 0x10, Offset: 0xa0}}
	ext := []Capability{{ID: 1, Version: 1, Extended: true, Offset: 0x100}, {ID: 3, Version: 1, Extended: true, Offset: 0x140}}
	all := append(append([]Capability{}, std...), ext...)
	for name, c := range map[string]struct {
		spoil func(b []byte) []byte
		want  []Capability
		err   string
	}{
		"82599":            {func(b []byte) []byte { return b }, all, ""},
		"conventional bus": {func(b []byte) []byte { return b[:256] }, std, ""},
		"no list":          {func(b []byte) []byte { b[CfgStatus] = 0; return b }, nil, ""},
		"reserved bits":    {func(b []byte) []byte { b[CfgCapPtr] |= 3; b[0x41] |= 2; return b }, all, ""},
		"empty extended":   {func(b []byte) []byte { clear(b[0x100:]); return b }, std, ""},
		"gone":             {func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, 4096) }, nil, "does not answer"},
		"loop":             {func(b []byte) []byte { b[0x71] = 0x50; return b }, std[:3], "loop"},
		"self loop":        {func(b []byte) []byte { b[0x41] = 0x40; return b }, std[:1], "loop"},
		"into the header":  {func(b []byte) []byte { b[0x41] = 0x10; return b }, std[:1], "outside"},
		"extended loop":    {func(b []byte) []byte { b[0x143] = 0x10; return b }, all, "loop"},
		"extended below":   {func(b []byte) []byte { b[0x143] = 0x04; return b }, all, "outside"},
		"cut":              {func(b []byte) []byte { return b[:0x120] }, all[:5], "read"},
	} {
		got, err := Capabilities(NewConfig(card, bytes.NewReader(c.spoil(header()))))
		if !reflect.DeepEqual(got, c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", name, err, c.err)
		}
	}
	if n := all[2].Name() + ", " + all[4].Name() + ", " + (Capability{ID: 0x7e}).Name(); n != "MSI-X, Advanced Error Reporting, capability 0x7e" {
		t.Error(n)
	}
}

func FuzzCapabilities(f *testing.F) {
	f.Add(header())
	f.Add(header()[:256])
	f.Add(bytes.Repeat([]byte{0x50, 0x54, 0x10, 0x40}, 1024))
	f.Fuzz(func(t *testing.T, b []byte) {
		c := NewConfig(card, bytes.NewReader(b))
		_, _ = ReadID(c)
		list, err := Capabilities(c)
		if len(list) > 48+960 {
			t.Fatalf("%d capabilities", len(list))
		}
		seen := map[int]bool{}
		for _, k := range list {
			if seen[k.Offset] || k.Offset < 0x40 || k.Offset >= 4096 || k.Offset%4 != 0 || k.Extended != (k.Offset >= 0x100) {
				t.Fatalf("capability at %#x, %v", k.Offset, err)
			}
			seen[k.Offset] = true
		}
	})
}

func FuzzResources(f *testing.F) {
	f.Add("0x0 0x1ffff 0x200\n")
	f.Add("0xffffffffffffffff 0x0 0x100")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseResources(s)
		for _, b := range r {
			if err == nil && b.Size != 0 && b.Start+b.Size-1 < b.Start {
				t.Fatalf("%+v wraps around", b)
			}
		}
	})
}
