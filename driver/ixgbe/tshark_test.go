package ixgbe_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// dissected has tshark read frames, checksums and all, and returns the fields of each in a line, separated by tabs.
func dissected(t *testing.T, frames [][]byte, fields ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "sent.pcap")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := pcapgo.NewWriter(f)
	err = w.WriteFileHeader(65536, layers.LinkTypeEthernet)
	for _, data := range frames {
		if err == nil {
			err = w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(data), Length: len(data)}, data)
		}
	}
	if err != nil || f.Close() != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-r", file, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-T", "fields"}
	for _, field := range fields {
		args = append(args, "-e", field)
	}
	out, err := exec.Command("tshark", args...).Output()
	if err != nil {
		t.Fatalf("tshark: %v: apt-get install -y tshark\n%s", err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}
