package vm

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestJudge gives our modelled 82599 to Linux's own driver of that card, which never saw our code.
func TestJudge(t *testing.T) {
	t.Parallel()
	guest{
		newer: true, shared: true, modules: []string{"ixgbe"}, cpus: 2, tests: []string{"TestJudge"}, devices: modelled(t),
	}.run(t)
}

// modelled starts a modelled card whose wire is a TAP interface, in a network namespace with the address 192.0.2.1, and
// returns QEMU's arguments for it.
func modelled(t *testing.T) []string {
	t.Helper()
	dir := t.TempDir()
	program, socket := filepath.Join(dir, "glassnic"), filepath.Join(dir, "card")
	if out, err := exec.Command("go", "build", "-o", program, "glassnic/cmd/glassnic").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	server := exec.Command("unshare", "-n", "sh", "-ec", `
ip tuntap add w0 mode tap
ip link set lo up
ip addr add 192.0.2.1/24 dev w0
ip link set w0 addrgenmode none mtu 9000 up
iperf3 -s >/dev/null 2>&1 &
exec "$0" sim serve --vfio-user "$1" --port tap=w0 -v
`, program, socket)
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	server.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() { gone <- server.Wait() }()
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt)
		if err := <-gone; err != nil {
			t.Error(err)
		}
		_ = syscall.Kill(-server.Process.Pid, syscall.SIGTERM) // iperf3
		t.Log(said.String())
	})
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		select {
		case err := <-gone:
			gone <- err
			t.Fatal(err)
		default:
		}
		if time.Now().After(end) {
			t.Fatal("the card is not there after a minute")
		}
	}
	return []string{
		"-device", "pcie-root-port,id=rp0,chassis=1,slot=1,addr=2",
		"-device", fmt.Sprintf(`{"driver":"vfio-user-pci","socket":{"type":"unix","path":"%s"},"bus":"rp0"}`, socket),
	}
}
