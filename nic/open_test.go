package nic_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"glassnic/bus"
	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
	"glassnic/nic"
	"glassnic/nic/nictest"
)

// function is a bus.Function that only counts how often it was closed.
type function struct {
	id       bus.ID
	closed   int
	closeErr error
}

func (f *function) Address() string              { return "made-up:1" }
func (f *function) ID() bus.ID                   { return f.id }
func (f *function) NUMANode() int                { return -1 }
func (f *function) Config() bus.ConfigSpace      { return nil }
func (f *function) BAR(int) (mmio.Region, error) { return mmio.Region{}, errors.New("no BAR") }
func (*function) Interrupts() (irq.Set, error)   { return nil, nil }
func (f *function) DMA() dma.Allocator           { return nil }
func (f *function) Reset() error                 { return nil }
func (f *function) Close() error                 { f.closed++; return f.closeErr }

var (
	errBroken = errors.New("card is broken")
	errStuck  = errors.New("stuck")
	opened    nic.Config // of the last call of a driver or opener
	functions = map[string]*function{}
	offloads  nic.Offloads // of ports that are opened
)

// The made-up family has vendor 0xfff1. Device 1 works, device 2 fails to open.
func init() {
	match := func(device uint16) func(bus.ID) bool {
		return func(id bus.ID) bool { return id.Vendor == 0xfff1 && id.Device == device }
	}
	nic.RegisterDriver(nic.Driver{
		Name: "working", Match: match(1),
		Open: func(_ context.Context, fn bus.Function, cfg nic.Config) (nic.Device, error) {
			opened = cfg
			return nictest.New(nictest.Config{Name: fn.Address(), Offloads: offloads})
		},
	})
	nic.RegisterDriver(nic.Driver{
		Name: "shadowed", Match: match(1),
		Open: func(context.Context, bus.Function, nic.Config) (nic.Device, error) {
			panic("the second driver was asked")
		},
	})
	nic.RegisterDriver(nic.Driver{
		Name: "broken", Match: match(2),
		Open: func(_ context.Context, fn bus.Function, _ nic.Config) (nic.Device, error) {
			return nil, errors.Join(errBroken, fn.Close())
		},
	})
	bus.Register("made-up", func(_ context.Context, rest string, _ bus.Options) (bus.Function, error) {
		if f := functions[rest]; f != nil {
			return f, nil
		}
		return nil, bus.ErrInUse
	})
	nic.RegisterScheme("direct", func(_ context.Context, rest string, cfg nic.Config) (nic.Device, error) {
		opened = cfg
		return nictest.New(nictest.Config{Name: rest, Offloads: offloads})
	})
	nic.RegisterScheme("direct", func(context.Context, string, nic.Config) (nic.Device, error) {
		panic("a scheme registered twice changed its opener")
	})
}

func TestOpenUnknown(t *testing.T) {
	for _, addr := range []string{"nowhere:1", "eth0", "", ":", "made-up", "direct"} {
		d, err := nic.Open(t.Context(), addr, nic.Config{})
		if err == nil {
			t.Errorf("%q: opened %v", addr, d.Info())
			continue
		}
		for _, part := range []string{`"` + addr + `"`, "0000:03:00.0", "direct:", "made-up:"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q: %v does not mention %s", addr, err, part)
			}
		}
	}
}

func TestOpenScheme(t *testing.T) {
	d, err := nic.Open(t.Context(), "direct:a:b", nic.Config{MTU: 2000})
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Info().Address; got != "a:b" {
		t.Errorf("the opener was handed %q", got)
	}
	if opened.MTU != 2000 || opened.RxRing != 512 || opened.Logger == nil {
		t.Errorf("the opener was handed %+v", opened)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// A filter of VLANs behind an outer tag is refused where it would be one of outer tags.
func TestOpenOuterVLAN(t *testing.T) {
	outer := nic.Config{Offloads: nic.OuterVLAN}
	filter := nic.Config{Offloads: nic.OuterVLAN, VLANs: []uint16{5}}
	for _, addr := range []string{"direct:a", "made-up:1"} {
		functions["1"] = &function{id: bus.ID{Vendor: 0xfff1, Device: 1}}
		offloads = 0
		d, err := nic.Open(t.Context(), addr, outer)
		if err != nil {
			t.Fatalf("without a filter: %v", err)
		}
		_ = d.Close()
		if d, err = nic.Open(t.Context(), addr, filter); err == nil || !strings.Contains(err.Error(), "outer tag") || d != nil {
			t.Errorf("%s: %v", addr, err)
		}
		offloads = nic.OuterVLAN
		if d, err = nic.Open(t.Context(), addr, filter); err != nil {
			t.Fatalf("%s: %v", addr, err)
		}
		_ = d.Close()
	}
	offloads = 0
}

func TestOpenFunctionByAddress(t *testing.T) {
	fn := &function{id: bus.ID{Vendor: 0xfff1, Device: 1}}
	functions["1"] = fn
	d, err := nic.Open(t.Context(), "made-up:1", nic.Config{RxQueues: 3})
	if err != nil {
		t.Fatal(err)
	}
	if fn.closed != 0 || opened.RxQueues != 3 || opened.TxQueues != 1 {
		t.Errorf("closed %d times, settings %+v", fn.closed, opened)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := nic.Open(t.Context(), "made-up:taken", nic.Config{}); !errors.Is(err, nic.ErrInUse) {
		t.Errorf("a function in use: %v", err)
	}
}

func TestFailureClosesFunction(t *testing.T) {
	for name, c := range map[string]struct {
		id   bus.ID
		cfg  nic.Config
		want string
	}{
		"no driver":   {bus.ID{Vendor: 0xfff1, Device: 99}, nic.Config{}, "no driver for a device fff1:0063"},
		"bad setting": {bus.ID{Vendor: 0xfff1, Device: 1}, nic.Config{MTU: 5}, "MTU 5"},
		"broken card": {bus.ID{Vendor: 0xfff1, Device: 2}, nic.Config{}, errBroken.Error()},
	} {
		fn := &function{id: c.id, closeErr: errStuck}
		_, err := nic.OpenFunction(t.Context(), fn, c.cfg)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, errStuck) {
			t.Errorf("%s: %v", name, err)
		}
		if fn.closed != 1 {
			t.Errorf("%s: function closed %d times", name, fn.closed)
		}
		if name != "broken card" && !strings.Contains(err.Error(), fn.Address()) {
			t.Errorf("%s: %v does not name the device", name, err)
		}
	}
}

func TestBadSettingsOpenNothing(t *testing.T) {
	fn := &function{id: bus.ID{Vendor: 0xfff1, Device: 1}}
	functions["2"] = fn
	for _, addr := range []string{"made-up:2", "direct:x"} {
		if _, err := nic.Open(t.Context(), addr, nic.Config{ReportEvery: 65}); err == nil || !strings.Contains(err.Error(), addr) {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if fn.closed != 0 {
		t.Error("the function was opened")
	}
}

func TestDriverFor(t *testing.T) {
	for id, want := range map[bus.ID]string{
		{Vendor: 0xfff1, Device: 1}: "working", // the first that matches
		{Vendor: 0xfff1, Device: 2}: "broken",
		{Vendor: 0xfff1, Device: 3}: "",
		{}:                          "",
	} {
		if got := nic.DriverFor(id); got != want {
			t.Errorf("%v: driver %q, want %q", id, got, want)
		}
	}
}
