package pci

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
)

func TestUnbind(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.bound(card, "ixgbe")
	tr.netdev(card, "eno1")
	s, log := tr.recorded(tr.sys())
	undo, err := s.Unbind("03:00.0", false)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"bus/pci/drivers/ixgbe/unbind=" + card}; !reflect.DeepEqual(*log, want) {
		t.Errorf("wrote %q, want %q", *log, want)
	}
	if w := tr.read("bus/pci/drivers/ixgbe/unbind"); w != card+"\n" {
		t.Errorf("unbind holds %q", w)
	}
	want := "echo ixgbe > " + tr.path(dev(card)+"/driver_override") + "\n" +
		"echo " + card + " > " + tr.path("bus/pci/drivers/ixgbe/bind") + "\n" +
		"echo > " + tr.path(dev(card)+"/driver_override") + "\n"
	if undo.String() != want {
		t.Errorf("undo:\n%swant:\n%s", undo, want)
	}
	tr.remove(dev(card) + "/driver")
	*log = nil
	if undo, err := s.Unbind(card, false); err != nil || undo != nil || len(*log) != 0 {
		t.Errorf("unbound already: %v, %v, %q", undo, err, *log)
	}
}

func TestBindFromAnotherDriver(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.bound(card, "ixgbe")
	tr.netdev(card, "eno1")
	tr.driver("vfio-pci")
	s, log := tr.recorded(tr.sys())
	before := tr.snapshot()
	plan, _, err := s.PlanBind(card, "vfio-pci")
	if err != nil || len(plan) != 4 || !reflect.DeepEqual(before, tr.snapshot()) {
		t.Errorf("plan %v, %v, or it changed the tree", plan, err)
	}
	undo, err := s.Bind(card, "vfio-pci", false)
	if err != nil {
		t.Fatal(err)
	}
	override := dev(card) + "/driver_override="
	if want := []string{
		"bus/pci/drivers/ixgbe/unbind=" + card, override + "vfio-pci", "bus/pci/drivers/vfio-pci/bind=" + card, override,
	}; !reflect.DeepEqual(*log, want) {
		t.Errorf("wrote %q\nwant %q", *log, want)
	}
	*log = nil
	for _, step := range undo {
		if err := s.put(step); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{
		"bus/pci/drivers/vfio-pci/unbind=" + card, override + "ixgbe", "bus/pci/drivers/ixgbe/bind=" + card, override,
	}; !reflect.DeepEqual(*log, want) {
		t.Errorf("undo wrote %q\nwant %q", *log, want)
	}
}

func TestBindKeepsOverride(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.driver("ixgbe")
	tr.file(dev(card)+"/driver_override", "mine\n")
	s, log := tr.recorded(tr.sys())
	if _, err := s.Bind(card, "ixgbe", false); err != nil {
		t.Fatal(err)
	}
	if last := (*log)[len(*log)-1]; last != dev(card)+"/driver_override=mine" {
		t.Errorf("the last write was %q", last)
	}
}

func TestBindEdges(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	s, log := tr.recorded(tr.sys())
	if _, err := s.Bind(card, "ixgbe", false); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "modprobe ixgbe") {
		t.Errorf("driver that is not loaded: %v", err)
	}
	for _, name := range []string{"../../x", "a b", "a\nb", "..", "."} {
		if _, err := s.Bind(card, name, true); err == nil {
			t.Errorf("bound to %q", name)
		}
	}
	if len(*log) != 0 {
		t.Errorf("wrote %q", *log)
	}
	if undo, err := s.Bind(card, "", false); err != nil || undo.String() != "echo "+card+" > "+tr.path(dev(card)+"/driver/unbind")+"\n" {
		t.Errorf("undo %q, %v", undo, err)
	}
	if want := []string{dev(card) + "/driver_override=", "bus/pci/drivers_probe=" + card}; !reflect.DeepEqual(*log, want) {
		t.Errorf("wrote %q, want %q", *log, want)
	}
	tr.bound(card, "ixgbe")
	*log = nil
	for _, driver := range []string{"", "ixgbe"} {
		if undo, err := s.Bind(card, driver, false); err != nil || undo != nil || len(*log) != 0 {
			t.Errorf("bound already: %v, %v, %q", undo, err, *log)
		}
	}
}

func TestBindFails(t *testing.T) {
	for _, c := range []struct {
		path string // whose write fails
		undo bool   // something is to undo
		last string // the last write tried
	}{
		{"drivers/ixgbe/unbind", false, "bus/pci/drivers/ixgbe/unbind=" + card},
		{"drivers/vfio-pci/bind", true, dev(card) + "/driver_override="},
	} {
		tr := newTree(t)
		tr.addCard(card)
		tr.bound(card, "ixgbe")
		tr.driver("vfio-pci")
		s, log := tr.recorded(tr.sys())
		record := s.write
		s.write = func(path, text string) error {
			err := record(path, text)
			if strings.HasSuffix(path, c.path) {
				return &os.PathError{Op: "write", Path: path, Err: os.ErrPermission}
			}
			return err
		}
		undo, err := s.Bind(card, "vfio-pci", true)
		if err == nil || !strings.Contains(err.Error(), card) || !strings.Contains(err.Error(), "echo "+card+" > "+tr.path("bus/pci/"+c.path)) || !strings.Contains(err.Error(), "run as root") {
			t.Errorf("%s: %v", c.path, err)
		}
		if (len(undo) > 0) != c.undo {
			t.Errorf("%s: undo %q", c.path, undo)
		}
		if last := (*log)[len(*log)-1]; last != c.last {
			t.Errorf("%s: last write %q, want %q", c.path, last, c.last)
		}
		// What VFIO lacks is said of VFIO alone, and only where it is lacking.
		if strings.Contains(err.Error(), "no IOMMU") != c.undo {
			t.Errorf("%s: %v", c.path, err)
		}
		tr.grouped("7", card)
		if _, err := s.Bind(card, "vfio-pci", true); err == nil || strings.Contains(err.Error(), "no IOMMU") {
			t.Errorf("%s in a group: %v", c.path, err)
		}
	}
}

func TestForce(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.bound(card, "ixgbe")
	nd := tr.netdev(card, "eno1")
	tr.file(nd+"/flags", "0x1003\n")
	if _, err := tr.sys().Unbind(card, true); err != nil {
		t.Error(err)
	}
	if w := tr.read("bus/pci/drivers/ixgbe/unbind"); w != card+"\n" {
		t.Errorf("unbind holds %q", w)
	}
}
