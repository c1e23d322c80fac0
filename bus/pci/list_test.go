package pci

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"glassnic/bus"
)

func TestList(t *testing.T) {
	tr := newTree(t)
	tr.addCard("0000:81:00.1")
	tr.addCard(card)
	tr.bound(card, "ixgbe")
	nd := tr.netdev(card, "eno1")
	tr.file(nd+"/flags", "0x1003\n")
	tr.file(nd+"/operstate", "up\n")
	tr.mkdir("kernel/iommu_groups/17")
	tr.link(dev(card)+"/iommu_group", "kernel/iommu_groups/17")
	tr.link(nd+"/master", "bus") // any target
	tr.link(nd+"/upper_bus", "bus")
	tr.link(nd+"/upper_eno1.5", "bus")
	// A virtual function's interface is not the physical function's.
	tr.addCard("0000:03:10.0")
	tr.netdev("0000:03:10.0", "vf0")
	tr.link(dev(card)+"/virtfn0", dev("0000:03:10.0"))
	// A virtio card's interface is one level lower.
	tr.addCard("0000:00:04.0")
	tr.file(dev("0000:00:04.0")+"/virtio1/net/ens4/operstate", "unknown\n")
	// No network card.
	tr.addCard("0000:00:02.0")
	tr.file(dev("0000:00:02.0")+"/class", "0x030000\n")

	before := tr.snapshot()
	list, err := tr.sys().List()
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(before, tr.snapshot()) {
		t.Error("List changed the tree")
	}
	var addrs []string
	for _, d := range list {
		addrs = append(addrs, d.Address)
	}
	if want := []string{"0000:00:04.0", card, "0000:03:10.0", "0000:81:00.1"}; !reflect.DeepEqual(addrs, want) {
		t.Fatalf("listed %v, want %v", addrs, want)
	}
	want := Device{
		Address: card, Vendor: "Intel Corporation", Name: "82599ES 10-Gigabit SFI/SFP+ Network Connection",
		ID:     bus.ID{Vendor: 0x8086, Device: 0x10fb, Subvendor: 0x8086, Subdevice: 3, Revision: 1, Class: 0x020000},
		Driver: "ixgbe", NUMANode: 1, IOMMUGroup: 17,
		Interfaces: []Interface{{Name: "eno1", State: "up", Up: true, MAC: "00:1b:21:00:00:01", Over: []string{"bus", "eno1.5"}}},
	}
	if !reflect.DeepEqual(list[1], want) {
		t.Errorf("got  %+v\nwant %+v", list[1], want)
	}
	if d := list[0]; len(d.Interfaces) != 1 || d.Interfaces[0].Name != "ens4" {
		t.Errorf("virtio interfaces %+v", d.Interfaces)
	}
	if d := list[3]; d.Driver != "" || d.IOMMUGroup != -1 || d.Interfaces != nil {
		t.Errorf("bare card %+v", d)
	}
}

// snapshot returns sizes and times of all files.
func (tr tree) snapshot() map[string]string {
	m := map[string]string{}
	_ = filepath.WalkDir(tr.root, func(p string, e fs.DirEntry, err error) error {
		if i, err := os.Lstat(p); err == nil {
			m[p] = i.ModTime().String() + " " + i.Mode().String()
		}
		return nil
	})
	return m
}

func TestListEdges(t *testing.T) {
	if list, err := (Sysfs{Root: t.TempDir()}).List(); err != nil || len(list) != 0 {
		t.Errorf("a machine without PCI: %v, %v", list, err)
	}
	tr := newTree(t)
	tr.addCard(card)
	tr.file(dev(card)+"/vendor", "garbage")
	if _, err := tr.sys().List(); err == nil || !strings.Contains(err.Error(), card) {
		t.Errorf("unreadable vendor: %v", err)
	}
	tr.remove(dev(card) + "/vendor") // unplugged between two reads
	if list, err := tr.sys().List(); err != nil || len(list) != 0 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestDevice(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	for _, a := range []string{card, "03:00.0"} {
		if d, err := tr.sys().Device(a); err != nil || d.Address != card {
			t.Errorf("%s: %q, %v", a, d.Address, err)
		}
	}
	for _, a := range []string{"04:00.0", "eth0", "", "../../etc", "0000:03:00.0/.."} {
		if _, err := tr.sys().Device(a); err == nil {
			t.Errorf("found %q", a)
		}
	}
	if _, err := tr.sys().Device("04:00.0"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "dev list") {
		t.Errorf("missing device: %v", err)
	}
}

func TestNormalise(t *testing.T) {
	for in, want := range map[string]string{
		"03:00.0": card, "0000:03:00.0": card, "0001:AB:1F.7": "0001:ab:1f.7", "AB:1f.0": "0000:ab:1f.0", "10000:e1:00.0": "10000:e1:00.0",
	} {
		if got, err := Normalise(in); err != nil || got != want {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func TestNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pci.ids")
	ids := "# comment\n8086  Intel, says the file\n\t10fb  First\n\t\t8086 0003  Subsystem\n1af4  Red Hat\n\t10fb  Wrong vendor\n" +
		"C 02  Network controller\n\t00  Ethernet\n8086  Too late\n"
	if err := os.WriteFile(path, []byte(ids), 0o600); err != nil {
		t.Fatal(err)
	}
	list := []Device{
		{ID: bus.ID{Vendor: 0x8086, Device: 0x10fb}},
		{ID: bus.ID{Vendor: 0x8086, Device: 0x1528}},
		{ID: bus.ID{Vendor: 0xdead, Device: 0x0003}},
	}
	Sysfs{IDs: []string{"/nonexistent", path}}.name(list)
	for i, want := range [][2]string{
		{"Intel, says the file", "First"},
		{"Intel, says the file", "Ethernet Controller 10-Gigabit X540-AT2"},
		{"", ""},
	} {
		if list[i].Vendor != want[0] || list[i].Name != want[1] {
			t.Errorf("device %d is %q %q, want %q", i, list[i].Vendor, list[i].Name, want)
		}
	}
}
