package traffic

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"glassnic/nic"
)

// TestKernelTraffic joins two hosts by TAP, card, driver, forward, driver, card, TAP, and nothing else.
func TestKernelTraffic(t *testing.T) {
	need(t, "ip", "ping", "iperf3", "curl")
	for _, mtu := range []int{1500, 9000} {
		t.Run(fmt.Sprintf("mtu %d", mtu), func(t *testing.T) {
			hosts := newHosts(t)
			cfg := nic.Config{MTU: mtu, Promiscuous: true, Buffers: 8192}
			a := hosts[0].openTap(t, cfg)
			cfg.Pool = a.Info().Pool
			f := startForward(t, a, hosts[1].openTap(t, cfg), false)
			t.Run("ping", func(t *testing.T) { testPing(t, hosts, mtu) })
			t.Run("iperf3", func(t *testing.T) { testIperf(t, hosts, f) })
			t.Run("http", func(t *testing.T) { testHTTP(t, hosts) })
			f.testAccount(t, hosts)
			testIntact(t, hosts)
			f.stop(t)
		})
	}
}

// TestPingTwoProcesses has the cards in one process and the driver in another.
func TestPingTwoProcesses(t *testing.T) {
	need(t, "ip", "ping")
	hosts, yard := newHosts(t), newNamespace(t)
	ports := newPorts(t)
	// The interfaces are made where the server runs and then carried to the hosts.
	server := ports.serveWith(t, yard.start, "tap=left", "tap=right")
	for i, name := range []string{"left", "right"} {
		yard.run(t, "ip", "link", "set", name, "netns", hosts[i].path, "name", tap)
		hosts[i].up(t, 1500)
	}
	fwd := run(t, "fwd", ports.address(0), ports.address(1), "--idle-sleep", "20us")
	fwd.wait(t, patience, "start", func() error {
		if len(fwd.all("interval")) == 0 {
			return errors.New("no report yet")
		}
		return nil
	})
	testPing(t, hosts, 1500)
	fwd.interrupt(t)
	server.interrupt(t)
	for _, d := range fwd.all("total")[0].Directions {
		if d.RxPackets != d.TxPackets+sum(d.Drops) || d.RxPackets < 4000 {
			t.Errorf("%+v", d)
		}
	}
}

// testAccount checks that every frame that one kernel handed over is with the other kernel or in a counter.
func (f *forwarding) testAccount(t *testing.T, hosts [2]host) {
	for i := range 2 {
		eventually(t, patience, fmt.Sprintf("account from host %d", i), func() error {
			from, to := hosts[i].stats(t, tap), hosts[1-i].stats(t, tap)
			in, out, err := f.account(i)
			if err != nil {
				return err
			}
			if got := in.RxPackets + in.RxMissed + in.RxErrors; got != from.Tx.Packets {
				return fmt.Errorf("the kernel sent %d, the card received %d, missed %d, refused %d", from.Tx.Packets, in.RxPackets, in.RxMissed, in.RxErrors)
			}
			// What the kernel dropped, it had received.
			if to.Rx.Packets != out.TxPackets {
				return fmt.Errorf("the card sent %d, the kernel received %d and dropped %d", out.TxPackets, to.Rx.Packets, to.Rx.Dropped)
			}
			if to.Rx.Dropped > 0 {
				t.Errorf("host %d dropped %d frames, such as are no IP", 1-i, to.Rx.Dropped)
			}
			t.Logf("from host %d: %d frames sent by the kernel, %d received by the other; kernel dropped %d before, card missed %d, forward dropped %v",
				i, from.Tx.Packets, to.Rx.Packets, from.Tx.Dropped, in.RxMissed, f.direction(i).Drops)
			return nil
		})
	}
}

// testIntact fails if anything arrived damaged that TCP then mended.
func testIntact(t *testing.T, hosts [2]host) {
	for i := range hosts {
		for _, c := range [][2]string{
			{"Ip", "InHdrErrors"}, {"Icmp", "InCsumErrors"}, {"Tcp", "InErrs"}, {"Tcp", "InCsumErrors"}, {"Udp", "InCsumErrors"},
		} {
			if n := hosts[i].counter(t, c[0], c[1]); n > 0 {
				t.Errorf("host %d: %s %s is %d", i, c[0], c[1], n)
			}
		}
	}
}

// ping sends 1,000 echo requests with so many bytes of payload and fails the test if an answer is missing.
//
// It sends ten at a time and waits for their answers. Without that, on a machine where a CPU is late for half
// a second, answers queue up in ping's socket, and the kernel drops those for which it has no room.
func (h *host) ping(t *testing.T, to string, payload int) {
	t.Helper()
	const count, at = 1000, "10"
	for n := 0; n < count; n += 10 {
		out := h.run(t, "ping", "-q", "-n", "-c", at, "-l", at, "-W", "20", "-s", strconv.Itoa(payload), "-M", "do", to)
		if !strings.Contains(out, "10 packets transmitted, 10 received, 0% packet loss") {
			t.Fatalf("ping %s with %d bytes, after %d: not every answer came, or one came twice:\n%s", to, payload, n, out)
		}
	}
}

func testPing(t *testing.T, hosts [2]host, mtu int) {
	hosts[0].ping(t, hosts[1].v4, 56)
	hosts[1].ping(t, hosts[0].v6, 56)
	// The longest that fit: IPv4 and IPv6 header, ICMP header.
	hosts[1].ping(t, hosts[0].v4, mtu-20-8)
	hosts[0].ping(t, hosts[1].v6, mtu-40-8)
}

// iperfResult is a part of what iperf3 -J prints at the end.
type iperfResult struct {
	Error string
	End   struct {
		Sum struct {
			Packets, Lost_packets float64
		}
		Sum_sent, Sum_received struct{ Bytes float64 }
	}
}

func testIperf(t *testing.T, hosts [2]host, f *forwarding) {
	server, client := &hosts[0], &hosts[1]
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	cmd := server.command(ctx, "iperf3", "-s", "--forceflush")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.start(cmd); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cancel()
	lines := bufio.NewScanner(out)
	listening := func() { // for the next test; before, the server refuses it
		for lines.Scan() {
			if strings.Contains(lines.Text(), "listening") {
				return
			}
		}
		t.Fatalf("iperf3 -s does not listen: %v", lines.Err())
	}

	for _, c := range []struct {
		name string
		args []string
	}{
		{"TCP", nil}, {"TCP back", []string{"-R"}}, {"UDP", []string{"-u", "-b", "50M"}}, {"UDP back", []string{"-u", "-b", "50M", "-R"}},
	} {
		listening()
		before := losses(t, hosts, f)
		var r iperfResult
		text := client.run(t, "iperf3", append([]string{"-c", server.v4, "-t", "2", "-J"}, c.args...)...)
		if err := json.Unmarshal([]byte(text), &r); err != nil || r.Error != "" {
			t.Fatalf("%s: %v: %s", c.name, err, text)
		}
		if strings.HasPrefix(c.name, "TCP") {
			if r.End.Sum_received.Bytes == 0 {
				t.Errorf("%s: nothing arrived: %s", c.name, text)
			}
			t.Logf("%s: %.2f Gbit/s", c.name, r.End.Sum_received.Bytes*8/2e9)
			continue
		}
		lost := r.End.Sum.Lost_packets
		if r.End.Sum.Packets == 0 {
			t.Errorf("%s: nothing was sent: %s", c.name, text)
		}
		eventually(t, patience, c.name+": account of lost datagrams", func() error {
			if counted := losses(t, hosts, f) - before; lost > float64(counted) {
				return fmt.Errorf("%v of %v are missing, %d are counted anywhere", lost, r.End.Sum.Packets, counted)
			}
			return nil
		})
		t.Logf("%s: %v datagrams, %v lost", c.name, r.End.Sum.Packets, lost)
	}
}

// losses counts all frames and datagrams that the kernels, the cards and forward say they dropped; on a
// busy machine there are some.
func losses(t *testing.T, hosts [2]host, f *forwarding) (n uint64) {
	t.Helper()
	for i := range hosts {
		h := &hosts[i]
		n += h.counter(t, "Udp", "InErrors") + h.counter(t, "Udp", "SndbufErrors")
		k := h.stats(t, tap)
		s, err := f.ports[i].Stats()
		if err != nil {
			t.Fatal(err)
		}
		n += k.Tx.Dropped + s.RxMissed + s.RxErrors + s.RxDropped + s.TxDropped + sum(f.direction(i).Drops)
	}
	return n
}

// fileSize is what is downloaded.
const fileSize = 100e6

// file is the same random bytes each time.
func file() io.Reader { return io.LimitReader(rand.NewChaCha8([32]byte{82, 59, 9}), fileSize) }

// testHTTP downloads a file by IPv4 and IPv6 and compares checksums.
func testHTTP(t *testing.T, hosts [2]host) {
	server, client := &hosts[0], &hosts[1]
	sum := sha256.New()
	if _, err := io.Copy(sum, file()); err != nil {
		t.Fatal(err)
	}
	want := hex.EncodeToString(sum.Sum(nil))
	var l net.Listener
	err := server.do(func() (err error) {
		l, err = net.Listen("tcp", "[::]:8080")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(fileSize))
		_, _ = io.Copy(w, file())
	})}
	go web.Serve(l)
	defer web.Close()
	for _, addr := range []string{server.v4, "[" + server.v6 + "]"} {
		got := client.download(t, "http://"+addr+":8080/")
		if got != want {
			t.Errorf("from %s: SHA-256 %s, want %s", addr, got, want)
		}
	}
}
