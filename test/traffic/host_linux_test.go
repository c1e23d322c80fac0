package traffic

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"glassnic/nic"
)

const tap = "tap0"

// host is one of two that see nothing but the TAP interface of a port.
type host struct {
	*namespace
	v4, v6 string
}

func newHosts(t *testing.T) [2]host {
	return [2]host{{newNamespace(t), "10.82.59.1", "fd82:59::1"}, {newNamespace(t), "10.82.59.2", "fd82:59::2"}}
}

// up gives the interface its addresses and starts it.
func (h *host) up(t *testing.T, mtu int) {
	t.Helper()
	h.run(t, "ip", "link", "set", tap, "mtu", strconv.Itoa(mtu), "up")
	h.run(t, "ip", "address", "add", h.v4+"/24", "dev", tap)
	h.run(t, "ip", "address", "add", h.v6+"/64", "dev", tap, "nodad")
}

// openTap opens a modelled card whose wire is the TAP interface that it makes in the namespace.
func (h *host) openTap(t *testing.T, cfg nic.Config) nic.Device {
	t.Helper()
	var dev nic.Device
	err := h.do(func() (err error) {
		dev, err = nic.Open(t.Context(), "sim:tap="+tap, cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, dev)
	h.up(t, cfg.MTU)
	return dev
}

// counter reads a counter from /proc/net/snmp: a line of names, then a line of values.
func (h *host) counter(t *testing.T, group, name string) uint64 {
	t.Helper()
	var text []byte
	err := h.do(func() (err error) {
		text, err = os.ReadFile("/proc/thread-self/net/snmp")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if f[0] != group+":" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i := range names {
			if names[i] == name {
				n, _ := strconv.ParseUint(f[i], 10, 64)
				return n
			}
		}
	}
	t.Fatalf("no %s %s in /proc/net/snmp", group, name)
	return 0
}

// download returns the SHA-256 of what curl gets.
func (h *host) download(t *testing.T, url string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := h.command(ctx, "curl", "--silent", "--show-error", "--fail", "--noproxy", "*", url)
	sum := sha256.New()
	var errs strings.Builder
	cmd.Stdout, cmd.Stderr = sum, &errs
	if err := startAndWait(h, cmd); err != nil {
		t.Fatalf("curl: %v: %s", err, errs.String())
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func startAndWait(h *host, cmd *exec.Cmd) error {
	if err := h.start(cmd); err != nil {
		return err
	}
	return cmd.Wait()
}
