//go:build guest

package guest

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"glassnic/bus"
	"glassnic/bus/irq"
	"glassnic/bus/pci"
	chip "glassnic/chip/e1000"
)

// TestGroup has two cards that no IOMMU can keep apart, behind one bridge of conventional PCI: the error about the one
// that the kernel still has names it, and its cure helps.
func TestGroup(t *testing.T) {
	c := cards(t)
	giveBack := take(t, c[0])
	_, err := bus.Open(context.Background(), c[0].addr, bus.Options{})
	if !errors.Is(err, bus.ErrInUse) || !strings.Contains(err.Error(), c[1].addr+" (bound to e1000)") {
		t.Fatal(err)
	}
	cure := regexp.MustCompile("`glassnic ([^`]*)`").FindStringSubmatch(err.Error())
	if cure == nil {
		t.Fatalf("no cure in %v", err)
	}
	glassnic(t, strings.Fields(cure[1])...)
	a, b := function(t, c[0], bus.Options{}), function(t, c[1], bus.Options{})
	if a.DMA().Domain() != b.DMA().Domain() {
		t.Error("two address spaces")
	}
	m := alloc(t, b, 4096)
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	transmit(t, b, m, m.IOVA)
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	// A neighbour that nobody has is in nobody's way.
	if _, err := (pci.Sysfs{}).Unbind(c[1].addr, false); err != nil {
		t.Fatal(err)
	}
	if err := function(t, c[0], bus.Options{}).Close(); err != nil {
		t.Error(err)
	}
	glassnic(t, "dev", "bind", c[1].addr, "--driver", c[1].driver)
	giveBack()
}

// TestPin has a card of conventional PCI interrupt by its pin, which it has alone.
func TestPin(t *testing.T) {
	c := cards(t)
	defer take(t, c...)()
	fn := function(t, c[0], bus.Options{})
	defer fn.Close()
	r := registers(t, fn)
	set, err := fn.Interrupts()
	if err != nil || set.Kind() != irq.INTx || set.Vectors() != 1 {
		t.Fatalf("%+v, %v", set, err)
	}
	events, err := set.Enable(1)
	if err != nil {
		t.Fatal(err)
	}
	interrupt(t, r, irq.INTx, events, lsc)
	if err := set.Disable(); err != nil {
		t.Error(err)
	}
	cmd, err := fn.Config().Read16(pci.CfgCommand)
	if err != nil || cmd&pci.CmdNoINTx == 0 {
		t.Errorf("Command %#x, %v after Disable", cmd, err)
	}
	r.Write32(chip.IMC, ^uint32(0))
}

// TestGiga takes DMA memory of a page of 1 GiB.
func TestGiga(t *testing.T) {
	const pool = "/sys/kernel/mm/hugepages/hugepages-1048576kB/"
	c := cards(t)
	defer take(t, c...)()
	fn := function(t, c[0], bus.Options{HugePageSize: 1 << 30})
	m := alloc(t, fn, 64<<20)
	if free := text(t, pool+"free_hugepages"); free != "0" {
		t.Errorf("%s pages of 1 GiB are free", free)
	}
	transmit(t, fn, m, m.IOVA+32<<20)
	if err := fn.Close(); err != nil {
		t.Error(err)
	}
	if free := text(t, pool+"free_hugepages"); free != "1" {
		t.Errorf("%s pages of 1 GiB are free after Close", free)
	}
}
