//go:build guest

package guest

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"glassnic/test/vm/plan"
)

// peer is the address of the machine at the other end of the modelled card's wire.
const peer = "192.0.2.1"

// TestJudge has the kernel's own driver of the 82599 use our modelled card: it finds what it looks for, its self-test
// passes, and traffic flows with offloads on and off.
func TestJudge(t *testing.T) {
	c := cards(t)
	if len(c) != 1 || c[0].driver != "ixgbe" {
		t.Fatalf("cards %+v", c)
	}
	j := &judge{netdev(t, c[0])}
	command(t, "ip", "addr", "add", "192.0.2.2/24", "dev", j.name)
	j.up(t)
	j.says(t, "driver: ixgbe", "ethtool", "-i", j.name)
	j.says(t, "Speed: 10000Mb/s", "ethtool", j.name)
	j.says(t, "tcp-segmentation-offload: on", "ethtool", "-k", j.name)
	j.says(t, "Combined:\t2", "ethtool", "-l", j.name)
	j.says(t, "with 2 RX ring(s)", "ethtool", "-x", j.name)
	j.says(t, "hardware-receive", "ethtool", "-T", j.name)
	j.says(t, "0x042A4: LINKS", "ethtool", "-d", j.name)

	t.Log(command(t, "ethtool", "-t", j.name, "offline"))
	j.up(t)
	j.ping(t, peer, 56)
	for _, offloads := range [][]string{
		nil, {"rx", "off"}, {"tso", "off"}, {"tx", "off", "rx", "on"}, {"rxvlan", "off", "txvlan", "off"},
		{"tx", "on", "tso", "on", "rxvlan", "on", "txvlan", "on", "rxhash", "off"},
	} {
		if offloads != nil {
			command(t, "ethtool", append([]string{"-K", j.name}, offloads...)...)
			j.up(t)
		}
		j.transfer(t, strings.Join(offloads, " "), peer, false)
		j.transfer(t, strings.Join(offloads, " "), peer, true)
	}
	j.coalescing(t, false)
	j.steering(t)
	j.limits(t)
	j.vlans(t)
	command(t, "ip", "link", "set", j.name, "mtu", "9000")
	j.up(t)
	j.ping(t, peer, 8972)
	j.transfer(t, "jumbo frames", peer, false)
	j.transfer(t, "jumbo frames", peer, true)
	j.coalescing(t, true)
	j.clock(t)
	j.counters(t)
}

// judge is the kernel's interface.
type judge struct{ name string }

// up waits for the link.
func (j *judge) up(t *testing.T) {
	t.Helper()
	command(t, "ip", "link", "set", j.name, "up")
	await(t, "the link", func() bool {
		out, err := exec.Command("ip", "link", "show", j.name).CombinedOutput()
		return err == nil && strings.Contains(string(out), "LOWER_UP")
	})
}

// says runs a command whose output must have some text.
func (j *judge) says(t *testing.T, want string, args ...string) {
	t.Helper()
	if out := command(t, args[0], args[1:]...); !strings.Contains(out, want) {
		t.Errorf("%s does not say %q:\n%s", strings.Join(args, " "), want, out)
	}
}

// ping waits for a first answer, then wants all of them.
func (j *judge) ping(t *testing.T, to string, size int) {
	t.Helper()
	args := []string{"-M", "do", "-s", fmt.Sprint(size), "-w", "20", to}
	await(t, "a first answer from "+to, func() bool {
		return exec.Command("ping", append([]string{"-c", "1", "-W", "1"}, args...)...).Run() == nil
	})
	out := command(t, "ping", append([]string{"-c", "10", "-i", "0.01"}, args...)...)
	if n := plan.Unanswered(out, 10); n != 0 {
		t.Errorf("no answer to %d\n%s", n, out)
	}
}

// transfer sends some megabytes by TCP, or receives them.
func (j *judge) transfer(t *testing.T, what, to string, receive bool) {
	t.Helper()
	j.carry(t, what, to, 8, receive)
}

// carry is transfer for a number of megabytes. It returns the rate at which they arrived.
func (j *judge) carry(t *testing.T, what, to string, megabytes int, receive bool) (bitsPerSecond float64) {
	t.Helper()
	args := []string{"-c", to, "-n", fmt.Sprintf("%dM", megabytes), "-J", "--connect-timeout", "5000"}
	if receive {
		args = append(args, "-R")
	}
	var report struct {
		End struct {
			Received struct {
				Bytes float64 `json:"bytes"`
				Rate  float64 `json:"bits_per_second"`
			} `json:"sum_received"`
			Sent struct {
				Again int `json:"retransmits"`
			} `json:"sum_sent"`
		} `json:"end"`
	}
	// iperf3 ends when all is sent, and what is still on its way then has not arrived.
	least := float64(megabytes<<20) / 8
	if err := json.Unmarshal([]byte(command(t, "iperf3", args...)), &report); err != nil || report.End.Received.Bytes < least {
		t.Errorf("%s: %v, %+v", what, err, report)
	}
	t.Logf("%s, receive %v: %.0f Mbit/s, %d segments again", what, receive, report.End.Received.Rate/1e6, report.End.Sent.Again)
	return report.End.Received.Rate
}

// limits has the kernel limit the rate of each transmit queue (datasheet 7.7.2.2), which its driver takes back only with a
// new start of the card.
func (j *judge) limits(t *testing.T) {
	t.Helper()
	const limit, queues = 10, 2 // Mbit/s
	for i := range queues {
		path := fmt.Sprintf("/sys/class/net/%s/queues/tx-%d/tx_maxrate", j.name, i)
		if err := os.WriteFile(path, []byte(fmt.Sprint(limit)), 0); err != nil {
			t.Fatal(err)
		}
	}
	if rate := j.carry(t, "limited", peer, 2, false); rate > limit*queues*1e6 {
		t.Errorf("%.0f Mbit/s by %d queues of %d Mbit/s", rate/1e6, queues, limit)
	}
	command(t, "ip", "link", "set", j.name, "down")
	j.up(t)
	j.ping(t, peer, 56)
}

// counters compares what the card counted with what the driver did, and wants both queues used and no error.
func (j *judge) counters(t *testing.T) {
	t.Helper()
	n := j.statistics(t)
	for _, name := range []string{"rx_errors", "tx_errors", "rx_crc_errors", "rx_csum_offload_errors", "rx_length_errors", "rx_missed_errors", "tx_timeout_count"} {
		if n[name] != 0 {
			t.Errorf("%s: %d", name, n[name])
		}
	}
	for _, name := range []string{"tx_queue_0_packets", "tx_queue_1_packets", "rx_queue_0_packets", "rx_queue_1_packets", "rx_pkts_nic", "tx_pkts_nic"} {
		if n[name] == 0 {
			t.Errorf("%s: 0", name)
		}
	}
	t.Logf("%v", n)
}
