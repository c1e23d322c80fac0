package ixgbe_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"testing"

	"glassnic/bus/mmio"
	facts "glassnic/chip/ixgbe"
	"glassnic/driver/ixgbe"
	"glassnic/nic"
	model "glassnic/sim/ixgbe"
)

var (
	own       = net.HardwareAddr{0x02, 0x00, 0x00, 0x82, 0x59, 0x90}
	stranger  = net.HardwareAddr{0x02, 0x00, 0x00, 0x82, 0x59, 0x91}
	broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	group     = net.HardwareAddr{0x01, 0x00, 0x5e, 0x01, 0x02, 0x03}
)

// hears tells whether a frame to an address comes in.
func (r *rig) hears(to net.HardwareAddr) bool {
	r.t.Helper()
	f := frame(60, 7)
	copy(f, to)
	r.wire.put(f)
	r.step()
	got := r.receive()
	if len(got) > 1 || len(got) == 1 && !bytes.Equal(got[0], f) {
		r.t.Fatal("another frame than the one that was sent")
	}
	return len(got) == 1
}

func TestPromiscuous(t *testing.T) {
	r := open(t, nic.Config{})
	d := r.dev
	for i, step := range []struct {
		what              string
		do                func() error
		own, other, multi bool
	}{
		{what: "after open", own: true},
		{what: "promiscuous", do: func() error { return d.SetPromiscuous(true) }, own: true, other: true, multi: true},
		{what: "and all multicast", do: func() error { return d.SetAllMulticast(true) }, own: true, other: true, multi: true},
		{what: "only all multicast", do: func() error { return d.SetPromiscuous(false) }, own: true, multi: true},
		{what: "promiscuous again", do: func() error { return d.SetPromiscuous(true) }, own: true, other: true, multi: true},
		{what: "without all multicast", do: func() error { return d.SetAllMulticast(false) }, own: true, other: true, multi: true},
		{what: "neither", do: func() error { return d.SetPromiscuous(false) }, own: true},
		{what: "only all multicast", do: func() error { return d.SetAllMulticast(true) }, own: true, multi: true},
	} {
		if step.do != nil {
			if err := step.do(); err != nil {
				t.Fatal(err)
			}
		}
		if !r.hears(broadcast) {
			t.Errorf("step %d, %s: no broadcast", i, step.what)
		}
		for _, c := range []struct {
			to   net.HardwareAddr
			want bool
		}{{own, step.own}, {stranger, step.other}, {group, step.multi}} {
			if got := r.hears(c.to); got != c.want {
				t.Errorf("step %d, %s: frame to %v received %v", i, step.what, c.to, got)
			}
		}
	}
	r = open(t, nic.Config{Promiscuous: true})
	if !r.hears(stranger) || !r.hears(group) {
		t.Error("Config.Promiscuous is without effect")
	}
}

func TestMulticast(t *testing.T) {
	r := open(t, nic.Config{})
	rnd := rand.New(rand.NewPCG(1, 2))
	random := func() net.HardwareAddr {
		a := make(net.HardwareAddr, 6)
		for i := range a {
			a[i] = byte(rnd.Uint32())
		}
		a[0] |= 1
		return a
	}
	// Bits 47:36 of the address, first byte lowest (7.1.1.2).
	hash := func(a net.HardwareAddr) [2]byte { return [2]byte{a[4] >> 4, a[5]} }
	for round := range 40 {
		list := []net.HardwareAddr{random(), random(), random()}
		if err := r.dev.SetMulticast(list); err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if !r.hears(a) {
				t.Fatalf("round %d: %v is in the list and not received", round, a)
			}
		}
		for range 20 {
			a := random()
			want := hash(a) == hash(list[0]) || hash(a) == hash(list[1]) || hash(a) == hash(list[2])
			if r.hears(a) != want {
				t.Fatalf("round %d: %v received %v, with a list of %v", round, a, !want, list)
			}
		}
		if r.hears(stranger) || !r.hears(own) {
			t.Fatal("the list changes unicast")
		}
	}
	if err := r.dev.SetMulticast([]net.HardwareAddr{group}); err != nil || !r.hears(group) {
		t.Fatal(err)
	}
	for _, bad := range []net.HardwareAddr{own, nil, {1, 2, 3}, {1, 2, 3, 4, 5, 6, 7, 8}} {
		err := r.dev.SetMulticast([]net.HardwareAddr{group, bad})
		if err == nil || !strings.Contains(err.Error(), "sim:test: set multicast: "+bad.String()) {
			t.Errorf("%v in the list: %v", bad, err)
		}
		if !r.hears(group) {
			t.Errorf("a list that was refused replaced the one before")
		}
	}
	if err := r.dev.SetMulticast(nil); err != nil || r.hears(group) {
		t.Errorf("after an empty list: %v", err)
	}
}

func TestMAC(t *testing.T) {
	r := open(t, nic.Config{})
	if got := r.dev.Info().MAC; !bytes.Equal(got, own) {
		t.Errorf("MAC %v, want the card's %v", got, own)
	}
	given := bytes.Clone(stranger)
	if err := r.dev.SetMAC(given); err != nil {
		t.Fatal(err)
	}
	given[5]++ // the port keeps a copy
	if r.hears(own) || !r.hears(stranger) || !bytes.Equal(r.dev.Info().MAC, stranger) {
		t.Errorf("after SetMAC(%v): own %v", stranger, r.dev.Info().MAC)
	}
	r.dev.Info().MAC[5]++
	if !bytes.Equal(r.dev.Info().MAC, stranger) {
		t.Error("Info lets one change the port's address")
	}
	for _, bad := range []net.HardwareAddr{nil, {2, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 0, 0, 1}, group, broadcast, make(net.HardwareAddr, 6)} {
		if err := r.dev.SetMAC(bad); err == nil || !strings.Contains(err.Error(), "sim:test: set MAC address: "+bad.String()) {
			t.Errorf("SetMAC(%v): %v", bad, err)
		}
	}
	if !r.hears(stranger) {
		t.Error("an address that was refused replaced the one before")
	}
}

// bare is a card whose EEPROM has no address.
type bare struct {
	mmio.Hook
	written bool
}

func (b *bare) Read32(off uint32) uint32 {
	if !b.written && (off == facts.RAL(0) || off == facts.RAH(0)) {
		return 0
	}
	return b.Hook.Read32(off)
}

func (b *bare) Write32(off, v uint32) {
	b.written = b.written || off == facts.RAL(0)
	b.Hook.Write32(off, v)
}

func TestNoMAC(t *testing.T) {
	s, w := card(t, model.Config{})
	region := mmio.Trap(facts.BARSize, &bare{Hook: s.Card})
	d, err := nic.OpenFunction(context.Background(), &function{Function: s.Function("sim:test"), region: &region}, nic.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	mac := d.Info().MAC
	if len(mac) != 6 || mac[0]&3 != 2 {
		t.Fatalf("MAC %v, want a unicast address that is locally administered", mac)
	}
	r := &rig{t: t, sim: s, wire: w, dev: d.(*ixgbe.Device)}
	if !r.hears(mac) || r.hears(own) {
		t.Errorf("the card does not listen to %v", mac)
	}
}

// The port receives the VLANs that it was told, and frames without a tag.
func TestVLANs(t *testing.T) {
	r := open(t, nic.Config{VLANs: []uint16{5, 4094}})
	hears := func(what string, want ...int) {
		t.Helper()
		var frames [][]byte
		for _, id := range []int{-1, 0, 5, 6, 4094} {
			f := frame(60, 7)
			copy(f, own)
			if id >= 0 {
				copy(f[12:], []byte{0x81, 0, 0x60 | byte(id>>8), byte(id)})
			}
			r.wire.put(f)
			if slices.Contains(want, id) {
				frames = append(frames, f)
			}
		}
		r.step()
		same(t, what, r.receive(), frames)
	}
	hears("as opened", -1, 5, 4094)
	for _, c := range []struct {
		what string
		ids  []uint16
		want []int
	}{{"others", []uint16{0, 6}, []int{-1, 0, 6}}, {"none", nil, []int{-1}}} {
		if err := r.dev.SetVLANs(c.ids); err != nil {
			t.Fatal(err)
		}
		hears(c.what, c.want...)
	}
	if err := r.dev.SetPromiscuous(true); err != nil {
		t.Fatal(err)
	}
	hears("promiscuous", -1)
	if err := r.dev.SetVLANs([]uint16{4095}); err == nil || !strings.Contains(err.Error(), "VLAN 4095: want 0 to 4094") {
		t.Error(err)
	}
	r = open(t, nic.Config{})
	hears("no filter", -1, 0, 5, 6, 4094)
	if err := r.dev.SetVLANs([]uint16{1}); err == nil || !strings.Contains(err.Error(), "opened without a list of VLANs") {
		t.Error(err)
	}
}
