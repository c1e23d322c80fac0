package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"glassnic/bus/pci"
)

// dropTo is a user to drop to, by number: nobody as root, otherwise who runs the test.
func dropTo() string {
	if uid := os.Getuid(); uid != 0 {
		return strconv.Itoa(uid)
	}
	return "65534"
}

// A running forwarder has no privileges, in none of its threads, and ends in order.
func TestForwardWithoutPrivileges(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "glassnic", "fwd", "sim:peer", "sim:peer", "--adaptive", "--json", "--user", dropTo())
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !strings.Contains(lines.Text(), `"type":"interval"`) {
		t.Fatalf("%q, %v", lines.Text(), cmd.Wait())
	}
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", cmd.Process.Pid))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // a thread that has ended
		}
		for _, want := range []string{
			fmt.Sprintf("\nUid:\t%[1]s\t%[1]s\t%[1]s\t%[1]s\n", dropTo()), "\nCapInh:\t0000000000000000\n", "\nCapPrm:\t0000000000000000\n",
			"\nCapEff:\t0000000000000000\n", "\nCapAmb:\t0000000000000000\n", "\nNoNewPrivs:\t1\n", "\nSeccomp:\t2\n",
		} {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s: no %q", f, want)
			}
		}
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(last, `"type":"total"`) {
		t.Errorf("%v, last line %q\n%s", err, last, stderr.Bytes())
	}
}

// Every verb that opens ports works without privileges once they are open.
func TestVerbsWithoutPrivileges(t *testing.T) {
	dir := t.TempDir()
	for _, line := range []string{
		"fwd sim:peer sim:peer --duration 100ms --queues 2",
		"fwd sim:peer sim:peer --duration 100ms --cpuprofile " + dir + "/profile",
		"gen sim:loop --count 5k --receive",
		"cap sim:gen,count=20 -c 4",
		"cap sim:gen,count=20 -c 4 -w " + dir + "/frames",
		"dev info sim:loop",
		"dev regs sim:loop",
		"dev stats sim:loop --duration 10ms",
		"dev led sim:loop 2 blink --duration 1ms",
	} {
		cmd := exec.CommandContext(t.Context(), "glassnic", append(strings.Fields(line), "--user", dropTo(), "--verbose")...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Run(); err != nil || !strings.Contains(stderr.String(), "no capabilities, no new privileges, seccomp") {
			t.Errorf("%s: %v\n%s", line, err, stderr.Bytes())
		}
	}
	for _, name := range []string{"profile", "frames"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Size() < 100 {
			t.Errorf("%s: %v, %v", name, st, err)
		}
	}
}

// By default privileges go where an IOMMU keeps a card to its memory.
func TestWhoDrops(t *testing.T) {
	const card, vfio = "0000:03:00.0", "0000:03:00.1"
	root := t.TempDir()
	for _, a := range []string{card, vfio} {
		dir := filepath.Join(root, "bus/pci/devices", a)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"vendor": "0x8086", "device": "0x10fb", "subsystem_vendor": "0x8086", "subsystem_device": "0x0003",
			"revision": "0x01", "class": "0x020000",
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Symlink("../../drivers/vfio-pci", filepath.Join(root, "bus/pci/devices", vfio, "driver")); err != nil {
		t.Fatal(err)
	}
	sys := pci.Sysfs{Root: root}
	for _, c := range []struct {
		addr   string
		reach  reach
		with   privileges
		wanted bool
	}{
		{vfio, reachGiven, privileges{}, true},
		{"03:00.1", reachGiven, privileges{}, true},
		{"vfio:" + vfio, reachGiven, privileges{}, true},
		{vfio, reachGiven, privileges{keep: true}, false},
		{card, reachAll, privileges{}, false},
		{"pci:" + card, reachAll, privileges{}, false},
		{card, reachAll, privileges{user: "nobody"}, true},
		{"sim:loop", reachNone, privileges{}, false},
		{"sim:loop", reachNone, privileges{user: "nobody"}, true},
		{"vhost-user:/tmp/s", reachSocket, privileges{}, false},
		{"virtio-user:/tmp/s", reachSocket, privileges{}, false},
	} {
		r := reachOf(sys, c.addr)
		if r != c.reach || c.with.wanted([]reach{reachNone, r}) != c.wanted {
			t.Errorf("%s %+v: %v, wanted %v", c.addr, c.with, r, !c.wanted)
		}
	}
	// What a card can reach is said, and nothing is dropped for it.
	c := newFwd()
	var stderr bytes.Buffer
	c.SetErr(&stderr)
	before, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		t.Fatal(err)
	}
	none := privileges{}
	if err := none.drop(c, sys, []string{card, "sim:loop"}); err != nil {
		t.Fatal(err)
	}
	if said := stderr.String(); strings.Count(said, "can reach all memory") != 1 || !strings.Contains(said, "dev bind "+card+" --driver vfio-pci") {
		t.Errorf("%q", said)
	}
	// Beside a port at a socket nothing is dropped either, although the card is behind an IOMMU.
	stderr.Reset()
	if err := none.drop(c, sys, []string{vfio, "vhost-user:/tmp/s"}); err != nil || !strings.Contains(stderr.String(), "privileges are kept: vhost-user:/tmp/s") {
		t.Errorf("%v, %q", err, stderr.String())
	}
	filters := func(status []byte) string { return regexp.MustCompile(`(?m)^Seccomp.*`).FindString(string(status)) }
	if after, err := os.ReadFile("/proc/thread-self/status"); err != nil || filters(after) != filters(before) {
		t.Errorf("%s, then %s, %v", filters(before), filters(after), err)
	}
}
