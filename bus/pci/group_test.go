package pci

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"glassnic/bus"
)

// grouped puts devices into an IOMMU group.
func (tr tree) grouped(number string, addrs ...string) string {
	g := "kernel/iommu_groups/" + number
	tr.mkdir(g + "/devices")
	for _, a := range addrs {
		tr.link(dev(a)+"/iommu_group", g)
		tr.link(g+"/devices/"+a, dev(a))
	}
	return g
}

func TestGroup(t *testing.T) {
	tr := newTree(t)
	const bridge, sound, idle, stub = "0000:02:00.0", "0000:03:00.1", "0000:03:00.2", "0000:03:00.3"
	for _, a := range []string{card, bridge, sound, idle, stub} {
		tr.addCard(a)
	}
	tr.file(dev(bridge)+"/class", "0x060400\n")
	tr.bound(bridge, "pcieport")
	tr.bound(card, "mlx5_vfio_pci")
	tr.bound(sound, "snd_hda_intel")
	tr.bound(stub, "pci-stub")
	tr.grouped("7", card, bridge, sound, idle, stub)
	s := tr.sys()
	g, ok, err := s.Group("03:00.0")
	want := Group{Number: 7, Node: "/dev/vfio/7", Members: []Member{
		{bridge, 0x060400, "pcieport"}, {card, 0x020000, "mlx5_vfio_pci"}, {sound, 0x020000, "snd_hda_intel"},
		{idle, 0x020000, ""}, {stub, 0x020000, "pci-stub"},
	}}
	if err != nil || !ok || !reflect.DeepEqual(g, want) {
		t.Errorf("%+v, %v, %v", g, ok, err)
	}
	if b := g.Blocking(); !reflect.DeepEqual(b, want.Members[2:3]) {
		t.Errorf("blocked by %v", b)
	}
	tr.file("kernel/iommu_groups/7/name", "vfio-noiommu\n")
	s.VFIO = "/x"
	if g, _, err := s.Group(card); err != nil || !g.NoIOMMU || g.Node != "/x/noiommu-7" {
		t.Errorf("no-IOMMU mode: %+v, %v", g, err)
	}
	tr.remove("kernel/iommu_groups/7/devices")
	if _, _, err := s.Group(card); err == nil || !strings.Contains(err.Error(), card) {
		t.Errorf("no members: %v", err)
	}
	tr.remove(dev(card) + "/iommu_group")
	if _, ok, err := s.Group(card); ok || err != nil {
		t.Errorf("no group: %v, %v", ok, err)
	}
	if _, _, err := s.Group("0000:99:00.0"); err == nil {
		t.Error("no device")
	}
}

// TestHandOver checks that a device bound to VFIO is opened by that scheme, and not touched here.
func TestHandOver(t *testing.T) {
	taken := errors.New("taken")
	var got string
	bus.Register("vfio", func(_ context.Context, rest string, opt bus.Options) (bus.Function, error) {
		got = rest
		if opt.HugePageSize != 1<<30 {
			t.Errorf("options %+v", opt)
		}
		return nil, taken
	})
	tr := newTree(t)
	tr.addCard(card)
	tr.bound(card, "vfio-pci")
	before := tr.snapshot()
	_, err := tr.sys().Open(context.Background(), "03:00.0", bus.Options{HugePageSize: 1 << 30})
	if !errors.Is(err, taken) || got != card {
		t.Errorf("%q, %v", got, err)
	}
	if !reflect.DeepEqual(before, tr.snapshot()) {
		t.Error("the device was touched")
	}
}

func TestWindows(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	got, err := tr.sys().Windows("03:00.0")
	want := []Resource{{Start: 0xdf200000, Size: 128 << 10}, {Start: 0xdf404080, Size: 128}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	// A bridge's windows follow its two BARs and its ROM.
	lines := strings.Repeat("0x0 0x0 0x0\n", 13)
	tr.file(dev(card)+"/resource", lines+"0x3000 0x3fff 0x101\n0xdf000000 0xdf4fffff 0x200\n0x3800000000 0x38000fffff 0x102201\n")
	got, err = tr.sys().Windows(card)
	want = []Resource{{Start: 0xdf000000, Size: 5 << 20}, {Start: 0x3800000000, Size: 1 << 20}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("bridge: %+v, %v", got, err)
	}
	if _, err := tr.sys().Windows("0000:99:00.0"); err == nil {
		t.Error("no device")
	}
}
