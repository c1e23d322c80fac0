package pci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"glassnic/bus"
)

func TestInUse(t *testing.T) {
	const name = "eno1"
	for what, c := range map[string]struct {
		spoil func(tr tree, nd string, s *Sysfs)
		want  string // "" for free
	}{
		"down and bare": {func(tree, string, *Sysfs) {}, ""},
		"up":            {func(tr tree, nd string, _ *Sysfs) { tr.file(nd+"/flags", "0x1003\n") }, "eno1 is up"},
		"operstate up":  {func(tr tree, nd string, _ *Sysfs) { tr.file(nd+"/operstate", "up\n") }, "eno1 is up"},
		"enslaved":      {func(tr tree, nd string, _ *Sysfs) { tr.link(nd+"/master", "bus") }, "part of bus"},
		"VLAN above":    {func(tr tree, nd string, _ *Sysfs) { tr.link(nd+"/upper_eno1.7", "bus") }, "part of eno1.7"},
		"address": {func(_ tree, _ string, s *Sysfs) {
			s.State = func(n string) ([]string, []string, error) { return []string{"192.0.2.1/24 on " + n}, nil, nil }
		}, "address 192.0.2.1/24 on eno1"},
		"route": {func(_ tree, _ string, s *Sysfs) {
			s.State = func(n string) ([]string, []string, error) { return nil, []string{"00000000"}, nil }
		}, "route 00000000"},
		"unknown": {func(_ tree, _ string, s *Sysfs) {
			s.State = func(n string) ([]string, []string, error) { return nil, nil, errors.New("broken table") }
		}, "broken table"},
		"virtual functions":    {func(tr tree, _ string, _ *Sysfs) { tr.file(dev(card)+"/sriov_numvfs", "4\n") }, "4 virtual functions"},
		"no virtual functions": {func(tr tree, _ string, _ *Sysfs) { tr.file(dev(card)+"/sriov_numvfs", "0\n") }, ""},
		"other namespace":      {func(tr tree, _ string, _ *Sysfs) { tr.remove(dev(card) + "/net") }, "namespace"},
		"no driver":            {func(tr tree, _ string, _ *Sysfs) { tr.remove(dev(card) + "/driver") }, ""},
		"vfio": {func(tr tree, _ string, _ *Sysfs) {
			tr.remove(dev(card) + "/net")
			tr.remove(dev(card) + "/driver")
			tr.bound(card, "vfio-pci")
		}, ""},
		"virtual functions of vfio": {func(tr tree, _ string, _ *Sysfs) {
			tr.remove(dev(card) + "/driver")
			tr.bound(card, "vfio-pci")
			tr.file(dev(card)+"/sriov_numvfs", "2\n")
		}, "2 virtual functions"},
	} {
		tr := newTree(t)
		tr.addCard(card)
		tr.bound(card, "ixgbe")
		nd := tr.netdev(card, name)
		s := tr.sys()
		c.spoil(tr, nd, &s)
		err := s.InUse("03:00.0")
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), card) || !strings.Contains(err.Error(), "--force") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := s.Unbind(card, false); !errors.Is(err, bus.ErrInUse) {
			t.Errorf("%s: Unbind: %v", what, err)
		}
		if w := tr.read("bus/pci/drivers/ixgbe/unbind"); w != "" {
			t.Errorf("%s: Unbind wrote %q", what, w)
		}
	}
	if err := newTree(t).sys().InUse(card); err == nil || errors.Is(err, bus.ErrInUse) {
		t.Errorf("missing device: %v", err)
	}
}

// TestTaken has this process hold the file of an IOMMU group.
func TestTaken(t *testing.T) {
	tr := newTree(t)
	tr.addCard(card)
	tr.bound(card, "vfio-pci")
	tr.grouped("7", card)
	tr.file("vfio/7", "")
	s := tr.sys()
	s.VFIO = tr.path("vfio")
	if err := s.InUse(card); err != nil {
		t.Error(err)
	}
	for range 2 {
		f, err := os.Open(tr.path("vfio/7"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	me := fmt.Sprintf("process %d (%s)", os.Getpid(), strings.TrimSpace(string(comm)))
	err = s.InUse(card)
	if !errors.Is(err, bus.ErrInUse) || strings.Count(err.Error(), me) != 1 || !strings.Contains(err.Error(), card) {
		t.Errorf("%v lacks %q", err, me)
	}
	if _, err := s.Unbind(card, false); !errors.Is(err, bus.ErrInUse) || tr.read("bus/pci/drivers/vfio-pci/unbind") != "" {
		t.Errorf("unbound: %v", err)
	}
}

func TestKernelState(t *testing.T) {
	dir := t.TempDir()
	tables := map[string]string{
		"route": "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n" +
			"gn-a\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n" +
			"gn-b\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
		"ipv6_route": "fe800000000000000000000000000000 40 00000000000000000000000000000000 00 00000000000000000000000000000000 00000100 00000001 00000000 00000001     gn-c\n",
		"if_inet6":   "fe80000000000000021b21fffe000001 02 40 20 80     gn-c\n",
	}
	for f, v := range tables {
		if err := os.WriteFile(filepath.Join(dir, f), []byte(v), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	state := KernelState(dir)
	for name, want := range map[string][2][]string{
		"gn-a": {nil, {"00000000"}},
		"gn-b": {nil, {"000200C0"}},
		"gn-c": {{"fe80000000000000021b21fffe000001"}, {"fe800000000000000000000000000000"}},
		"gn-d": {nil, nil},
		"gn":   {nil, nil},
	} {
		addrs, routes, err := state(name)
		if err != nil || !reflect.DeepEqual([2][]string{addrs, routes}, want) {
			t.Errorf("%s: %v %v %v, want %v", name, addrs, routes, err, want)
		}
	}
	addrs, _, err := KernelState(t.TempDir())("lo")
	if err != nil || !strings.Contains(strings.Join(addrs, " "), "127.0.0.1") {
		t.Errorf("lo without tables: %v, %v", addrs, err)
	}
	if err := os.Remove(filepath.Join(dir, "route")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "route"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, _, err := state("gn-a"); err == nil {
		t.Error("a table that cannot be read passed for empty")
	}
}
