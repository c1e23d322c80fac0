//go:build guest

package guest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"glassnic/bus/pci"
	_ "glassnic/driver/all"
	"glassnic/nic"
)

// patience bounds every wait for something that must happen, on a slow machine.
const patience = 30 * time.Second

// card is a network card of the guest and the kernel driver that had it first.
type card struct{ addr, driver string }

// cards returns the guest's network cards in the order of their addresses.
func cards(t *testing.T) (list []card) {
	t.Helper()
	devs, err := pci.Sysfs{}.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range devs {
		list = append(list, card{d.Address, d.Driver})
	}
	slices.SortFunc(list, func(a, b card) int { return strings.Compare(a.addr, b.addr) })
	return list
}

// vfio tells whether cards are reached through VFIO in this guest.
func vfio() bool { return os.Getenv("MODE") == "vfio" }

// take takes cards from the kernel's driver, by the program, and returns a function that gives them back by the
// commands that it printed.
func take(t *testing.T, list ...card) (giveBack func()) {
	t.Helper()
	var undo []string
	for _, c := range list {
		args := []string{"dev", "unbind", c.addr}
		if vfio() {
			args = []string{"dev", "bind", c.addr, "--driver", "vfio-pci"}
		}
		out := glassnic(t, args...)
		_, back, ok := strings.Cut(out, "undo:\n")
		if !ok {
			t.Fatalf("no undo in %q", out)
		}
		undo = append(undo, strings.TrimSpace(back))
	}
	if !vfio() {
		hugePages(t, pages)
	}
	return func() {
		t.Helper()
		for i, u := range undo {
			glassnic(t, strings.Fields(strings.TrimPrefix(u, "glassnic "))...)
			d, err := pci.Sysfs{}.Device(list[i].addr)
			if err != nil || d.Driver != list[i].driver {
				t.Errorf("after %s, kernel driver %q has %s, %v", u, d.Driver, list[i].addr, err)
			}
		}
	}
}

const (
	pool  = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
	pages = "160" // enough for all cards of a guest
)

// hugePages sets how many huge pages the kernel has.
func hugePages(t *testing.T, n string) {
	t.Helper()
	if err := os.WriteFile(pool+"nr_hugepages", []byte(n), 0); err != nil {
		t.Fatal(err)
	}
	if got := text(t, pool+"nr_hugepages"); got != n {
		t.Fatalf("%s of %s huge pages", got, n)
	}
}

func text(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// glassnic runs the program and returns what it prints on stdout.
func glassnic(t *testing.T, args ...string) string {
	t.Helper()
	return command(t, "glassnic", args...)
}

func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return string(out)
}

// open opens ports of this process, all at a time.
func open(t *testing.T, cfg nic.Config, list ...card) []nic.Device {
	t.Helper()
	cfg.Promiscuous = true
	ports := make([]nic.Device, len(list))
	var wg sync.WaitGroup
	for i, c := range list {
		wg.Go(func() {
			var err error
			if ports[i], err = nic.Open(context.Background(), c.addr, cfg); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return ports
}

// await waits until a condition holds.
func await(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !cond(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}
