package bus_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"glassnic/bus"
)

func TestSplitAddress(t *testing.T) {
	for _, c := range []struct{ in, scheme, rest string }{
		{"0000:03:00.0", "pci", "0000:03:00.0"},
		{"03:00.1", "pci", "03:00.1"},
		{"10000:E1:1F.7", "pci", "10000:E1:1F.7"},
		{"03:00.8", "03", "00.8"},
		{"shm:/run/x/p0", "shm", "/run/x/p0"},
		{"sim:a:b", "sim", "a:b"},
		{"eth0", "", "eth0"},
		{"", "", ""},
		{"g3:00.0", "g3", "00.0"},
		{"003:00.0", "003", "00.0"},
		{"000:03:00.0", "000", "03:00.0"},
	} {
		scheme, rest := bus.SplitAddress(c.in)
		if scheme != c.scheme || rest != c.rest {
			t.Errorf("SplitAddress(%q) = %q, %q, want %q, %q", c.in, scheme, rest, c.scheme, c.rest)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"0000:03:00.0", "03:00.0", "shm:/x/p0", "::.", "0000:03:00.0:", "é3:00.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		scheme, rest := bus.SplitAddress(s)
		if bus.IsPCIAddress(s) {
			if scheme != "pci" || rest != s {
				t.Fatalf("PCI address %q was split into %q, %q", s, scheme, rest)
			}
			if len(s) < 7 || len(s) > 16 || strings.Trim(s, "0123456789abcdefABCDEF:.") != "" {
				t.Fatalf("%q passed for a PCI address", s)
			}
			return
		}
		if joined := scheme + ":" + rest; scheme != "" && joined != s || scheme == "" && rest != s && ":"+rest != s {
			t.Fatalf("%q was split into %q, %q", s, scheme, rest)
		}
	})
}

func TestOpenFindsScheme(t *testing.T) {
	want := errors.New("opened")
	var got string
	scheme := fmt.Sprintf("bustest%d", len(bus.Schemes())) // there is no unregistering
	bus.Register(scheme, func(_ context.Context, rest string, opt bus.Options) (bus.Function, error) {
		got = rest
		if opt.HugePageSize != 1<<30 {
			t.Errorf("options did not arrive: %+v", opt)
		}
		return nil, want
	})
	bus.Register(scheme, func(context.Context, string, bus.Options) (bus.Function, error) {
		t.Error("the second opener of a scheme replaced the first")
		return nil, nil
	})
	_, err := bus.Open(context.Background(), scheme+":a:b", bus.Options{HugePageSize: 1 << 30})
	if !errors.Is(err, want) || got != "a:b" {
		t.Errorf("opened %q: %v", got, err)
	}
	if !slices.Contains(bus.Schemes(), scheme) {
		t.Errorf("schemes %v lack %s", bus.Schemes(), scheme)
	}
	_, err = bus.Open(context.Background(), "nosuch:x", bus.Options{})
	if err == nil || !strings.Contains(err.Error(), "nosuch") || !strings.Contains(err.Error(), scheme) {
		t.Errorf("unknown scheme: %v", err)
	}
}

func TestID(t *testing.T) {
	if s := (bus.ID{Vendor: 0x8086, Device: 0x10fb}).String(); s != "8086:10fb" {
		t.Error(s)
	}
}
