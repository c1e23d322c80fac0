package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// served is a modelled card that a process outside of the guest serves.
type served struct {
	device []string // QEMU's arguments for it
	proc   *exec.Cmd
	gone   chan error
	out    bytes.Buffer // JSON
	said   bytes.Buffer
}

// program builds glassnic and returns its path.
func program(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "glassnic")
	if out, err := exec.Command("go", "build", "-o", path, "glassnic/cmd/glassnic").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// serve has a program serve the modelled card that is the guest's n-th, on a wire, in a network namespace of its own in
// which commands come first.
func serve(t *testing.T, program string, n int, commands, wire string, args ...string) *served {
	t.Helper()
	return serveBy(t, program, "serve", n, commands, wire, args...)
}

// serveBy is serve by a command of glassnic sim.
func serveBy(t *testing.T, program, command string, n int, commands, wire string, args ...string) *served {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "card")
	s := &served{gone: make(chan error, 1), device: []string{
		"-device", fmt.Sprintf("pcie-root-port,id=rp%d,chassis=%d,slot=%d,addr=%x", n, n+1, n+1, n+2),
		"-device", fmt.Sprintf(`{"driver":"vfio-user-pci","socket":{"type":"unix","path":"%s"},"bus":"rp%d"}`, socket, n),
	}}
	s.proc = exec.Command("unshare", append([]string{"-n", "sh", "-ec", commands + `exec "$0" sim "$@"`,
		program, command, "--json", "-v", "--vfio-user", socket, "--port", wire}, args...)...)
	s.proc.Stdout, s.proc.Stderr = &s.out, &s.said
	s.proc.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.proc.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.gone <- s.proc.Wait() }()
	t.Cleanup(func() { _ = syscall.Kill(-s.proc.Process.Pid, syscall.SIGTERM) }) // and what the commands left behind
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return s
		}
		select {
		case err := <-s.gone:
			t.Fatalf("%v\n%s", err, s.said.String())
		default:
		}
		if time.Now().After(end) {
			t.Fatal("the card is not there after a minute")
		}
	}
}

// account is what a card and its wire have counted.
type account struct {
	Type string            `json:"type"`
	Card map[string]uint64 `json:"card"`
	Wire struct {
		RxFrames uint64 `json:"rx_frames"`
		TxFrames uint64 `json:"tx_frames"`
		Dropped  uint64 `json:"dropped"`
	} `json:"wire_totals"`
	Checked map[string]uint64 `json:"checked"`
}

// end ends the card and returns its totals.
func (s *served) end(t *testing.T) (total account) {
	t.Helper()
	_ = s.proc.Process.Signal(os.Interrupt)
	if err := <-s.gone; err != nil {
		t.Error(err)
	}
	if s.said.Len() > 0 {
		t.Log(s.said.String())
	}
	for d := json.NewDecoder(&s.out); d.More(); {
		if err := d.Decode(&total); err != nil {
			t.Fatal(err)
		}
	}
	if total.Type != "total" {
		t.Errorf("totals %+v", total)
	}
	return total
}

// TestServed has our driver in the guest, behind its IOMMU, forward between our modelled cards outside of it: what a source
// on the wire of the one sends goes through the guest to the other, comes back there, and is checked at the end.
func TestServed(t *testing.T) {
	t.Parallel()
	const frames = 20_000
	path := program(t)
	a := serve(t, path, 0, "", fmt.Sprintf("peer,count=%d,rate=20k,wait,size=60+590+1514", frames))
	b := serve(t, path, 1, "", "loop")
	guest{
		// Without its caching mode the emulated IOMMU does not tell others of what it maps.
		newer: true, shared: true, iommu: "intremap=on,caching-mode=on", modules: vfio(), cpus: 2, devices: append(a.device, b.device...),
		tests: []string{"TestServed"}, env: []string{"MODE=vfio", fmt.Sprint("FRAMES=", frames)},
	}.run(t)
	from, back := a.end(t), b.end(t)
	// Whatever the guest was late for has been counted.
	lost := from.Wire.Dropped + back.Wire.Dropped
	for name, n := range from.Card {
		if name == "rx_missed" || name == "rx_no_descriptor" {
			lost += n + back.Card[name]
		}
	}
	if ok := from.Checked["ok"]; from.Wire.RxFrames != frames || ok+lost != frames || ok < frames/2 {
		t.Errorf("%d frames, %d lost:\n%+v\n%+v", frames, lost, from, back)
	}
}
