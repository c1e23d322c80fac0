package traffic

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
)

// TestKernelCoalesced joins two hosts by modelled cards that put their TCP segments together and cut them again
// (fwd --large-frames): the kernels find all that arrives right, and forward has fewer frames to move than the cards.
func TestKernelCoalesced(t *testing.T) {
	need(t, "ip", "ping", "iperf3", "curl")
	hosts := newHosts(t)
	cfg := nic.Config{MTU: 1500, Promiscuous: true, Buffers: 8192, Offloads: nic.RxPartial | nic.RxSegment | nic.TxSegment}
	ports := [2]nic.Device{hosts[0].openTap(t, cfg)}
	cfg.Pool = ports[0].Info().Pool
	ports[1] = hosts[1].openTap(t, cfg)
	f := startForward(t, ports[0], ports[1], false)
	t.Run("ping", func(t *testing.T) { testPing(t, hosts, 1500) })
	t.Run("iperf3", func(t *testing.T) { testIperf(t, hosts, f) })
	t.Run("http", func(t *testing.T) { testHTTP(t, hosts) })
	testIntact(t, hosts)
	for i, port := range ports {
		in, err := port.Stats()
		if err != nil {
			t.Fatal(err)
		}
		d := f.direction(i)
		// Of some thousand frames of UDP and ICMP there are as many on both sides.
		if in.RxDropped != 0 || d.Drops["unfit"] != 0 || d.RxPackets > in.RxPackets*9/10 {
			t.Errorf("from host %d: %d frames at the card, %d for forward, %d dropped by the driver, %v by forward", i, in.RxPackets, d.RxPackets, in.RxDropped, d.Drops)
		}
	}
	f.stop(t)
}

// TestCoalescingServerKilled kills cards while they put segments together, under fwd that goes on. What comes out is right for
// tshark, also what was on its way when a card died, and the last card's stream comes through.
func TestCoalescingServerKilled(t *testing.T) {
	need(t, "tshark")
	const connections, segments, turns = 3, 200, 20
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.pcap"), filepath.Join(dir, "out.pcap")
	capture(t, in, connections, segments)
	ports := newPorts(t)
	server := ports.serve(t, "pcap="+in+",loop", "discard")
	fwd := run(t, "fwd", ports.address(0), ports.address(1), "--large-frames", "--patience", "1000000000")
	for range rounds - 1 {
		ports.flowing(t, server, fwd, 1)
		server.kill(t)
		fwd.running(t)
		server = ports.serve(t, "pcap="+in+",loop", "discard")
	}
	ports.flowing(t, server, fwd, 1)
	server.kill(t)
	before := ports.register(t, 1, chip.GPTC)
	server = ports.serve(t, fmt.Sprintf("pcap=%s,loop=%d", in, turns), "pcap=,"+out)
	fwd.wait(t, patience, "the last stream", func() error {
		if n := ports.register(t, 1, chip.GPTC) - before; n < connections*segments*turns {
			return fmt.Errorf("%d frames", n)
		}
		return nil
	})
	sent := uint64(ports.register(t, 1, chip.GPTC))
	fwd.interrupt(t)
	server.interrupt(t)

	total := fwd.all("total")[0].Directions[0]
	if total.TxPackets > sent/2 || total.Drops["unfit"] != 0 {
		t.Errorf("the card made %d frames of %d, which were not put together: %v", sent, total.TxPackets, total.Drops)
	}
	text, err := exec.Command("tshark", "-n", "-r", out, "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "tcp.analyze_sequence_numbers:FALSE",
		"-T", "fields", "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "tcp.len").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	wrong := 0
	for _, line := range lines {
		if line != "1\t1\t1448" {
			if wrong++; wrong < 10 {
				t.Errorf("%q", line)
			}
		}
	}
	t.Logf("%d frames received by fwd, %d sent by the card, %d in the last capture", total.RxPackets, sent, len(lines))
	if len(lines) < connections*segments*turns*9/10 {
		t.Errorf("%d frames", len(lines))
	}
}

// capture writes segments of some connections in turn.
func capture(t *testing.T, path string, connections, segments int) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w := pcapgo.NewWriter(f)
	err = w.WriteFileHeader(65536, layers.LinkTypeEthernet)
	for i := range connections * segments {
		eth := &layers.Ethernet{DstMAC: net.HardwareAddr{2, 0, 0, 0, 0, 2}, SrcMAC: net.HardwareAddr{2, 0, 0, 0, 0, 1}, EthernetType: layers.EthernetTypeIPv4}
		ip := &layers.IPv4{Version: 4, TTL: 64, Protocol: layers.IPProtocolTCP, SrcIP: net.IP{198, 18, 0, 1}, DstIP: net.IP{198, 19, 0, 1}}
		tcp := &layers.TCP{SrcPort: layers.TCPPort(i % connections), DstPort: 80, Seq: uint32(i / connections * 1448), ACK: true, Window: 1000}
		_ = tcp.SetNetworkLayerForChecksum(ip) // IPv4 is one
		b := gopacket.NewSerializeBuffer()
		if err == nil {
			err = gopacket.SerializeLayers(b, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, eth, ip, tcp, gopacket.Payload(make([]byte, 1448)))
		}
		if err == nil {
			err = w.WritePacket(gopacket.CaptureInfo{CaptureLength: len(b.Bytes()), Length: len(b.Bytes())}, b.Bytes())
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}
