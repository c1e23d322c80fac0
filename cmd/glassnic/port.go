package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"glassnic/bus/pci"
	"glassnic/nic"
	"glassnic/packet"
)

// portFlags are the settings of ports.
type portFlags struct {
	queues, ring, buffers, mtu int
	promiscuous, partial       bool
	large                      bool
	outer                      bool // VLAN tag
	all                        bool // offloads are asked for, to see which there are
	vlans                      vlans
	rss                        hashing
	interrupts, timestamps     bool
	rules                      rules
	linkWait                   time.Duration
	huge                       choice
	privileges                 privileges
}

// add adds the flags; promiscuous and wait are the defaults of --promisc and --link-wait.
func (f *portFlags) add(c *cobra.Command, promiscuous bool, wait time.Duration) {
	fs := c.Flags()
	fs.IntVar(&f.queues, "queues", 1, "receive and transmit queues of each port")
	fs.IntVar(&f.ring, "ring", 512, "descriptors of each queue")
	fs.IntVar(&f.buffers, "buffers", 0, "packet buffers of each port (0: what the rings need, and 1024)")
	fs.IntVar(&f.mtu, "mtu", 1500, "longest frame in bytes, without Ethernet header and FCS")
	fs.BoolVar(&f.promiscuous, "promisc", promiscuous, "also receive frames for other addresses")
	fs.BoolVar(&f.partial, "partial-checksums", true, "take frames of other machines on this host with their checksums as they were made, not complete")
	fs.Var(&f.vlans, "vlan", "receive, besides frames without a tag, only those of these VLANs, such as 5,100 (none: no others)")
	fs.BoolVar(&f.outer, "outer-vlan", false, "frames carry an outer VLAN tag (0x88a8), and --vlan, --rss, --steer and what the card does are of what is behind it")
	fs.Var(&f.rss, "rss", "spread frames over queues by a hash of these: "+nic.HashAll.String()+" (with the key symmetric, standard or key=DIGITS)")
	fs.Var(&f.rules, "steer", "lead frames to a queue, or drop them, such as 'tcp4 dport 80=2', 'ip4 src 10.0.0.0/8 vlan 5=drop', 'tcp6 dst 2001:db8::1=0', 'ethertype 0x88cc=1', syn=0; again for more rules, of which the first counts; those of IPv6 an 82599 knows by a hash, which a few other flows share")
	periodFlag(c, &f.linkWait, "link-wait", wait, "how long to wait for the link")
	f.huge.add(c, "huge-page", "size of huge pages for a PCI card", "2M", "2M", "1G")
	f.privileges.add(c)
}

// config returns the settings; port is the number that received buffers carry.
func (f *portFlags) config(c *cobra.Command, port uint8) nic.Config {
	cfg := nic.Config{
		RxQueues: f.queues, TxQueues: f.queues, RxRing: f.ring, TxRing: f.ring, MTU: f.mtu, Buffers: f.buffers,
		Port: port, Promiscuous: f.promiscuous, Interrupts: f.interrupts, LinkWait: f.linkWait, Logger: logger(c),
		VLANs: f.vlans,
	}
	if f.all {
		cfg.Offloads = nic.RxChecksum | nic.RxHash | nic.RxVLAN | nic.RxPartial | nic.RxSegment | nic.TxSegment | nic.Timestamps | nic.OuterVLAN
	}
	if f.partial {
		cfg.Offloads |= nic.RxPartial
	}
	if f.large {
		cfg.Offloads |= nic.RxPartial | nic.RxSegment | nic.TxSegment
	}
	if f.outer {
		cfg.Offloads |= nic.OuterVLAN
	}
	if f.timestamps {
		cfg.Offloads |= nic.Timestamps
	}
	if cfg.LinkWait == 0 {
		cfg.LinkWait = -1
	}
	if f.huge.value == "1G" {
		cfg.HugePageSize = 1 << 30
	}
	return cfg
}

// with opens ports, drops privileges, calls do, and closes them. Ports start at the same time, for each may wait for
// its link. A port without one is named on stderr.
func (f *portFlags) with(c *cobra.Command, addrs []string, do func([]nic.Device) error) (err error) {
	if err := f.privileges.check(); err != nil {
		return err
	}
	ports, errs, down := make([]nic.Device, len(addrs)), make([]error, len(addrs)), make([]bool, len(addrs))
	var wg sync.WaitGroup
	for i, a := range addrs {
		wg.Go(func() {
			if ports[i], errs[i] = nic.Open(c.Context(), a, f.config(c, uint8(i))); errs[i] == nil {
				// At once: a traffic source unplugs itself when it has sent all.
				l, err := ports[i].Link()
				down[i] = err == nil && !l.Up
			}
		})
	}
	wg.Wait()
	opened := slices.DeleteFunc(slices.Clone(ports), func(d nic.Device) bool { return d == nil })
	defer func() { err = errors.Join(err, nic.CloseAll(opened...)) }()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, d := range down {
		if d {
			fmt.Fprintf(c.ErrOrStderr(), "glassnic: %s: %v: is the cable plugged in at both ends?\n", addrs[i], nic.ErrLinkDown)
		}
	}
	for _, d := range ports {
		if err := errors.Join(f.rss.apply(d), f.rules.apply(d)); err != nil {
			return err
		}
	}
	if err := f.privileges.drop(c, pci.Sysfs{}, addrs); err != nil {
		return err
	}
	return do(ports)
}

// complain returns a function that prints the trouble of a port while a command goes on.
func complain(c *cobra.Command) func(error) {
	return func(err error) { fmt.Fprintf(c.ErrOrStderr(), "glassnic: %v\n", err) }
}

// limit ends the context of a command after d; 0 means never.
func limit(c *cobra.Command, d time.Duration) (context.Context, context.CancelFunc) {
	if d <= 0 {
		return context.WithCancel(c.Context())
	}
	return context.WithTimeout(c.Context(), d)
}

// linkWait is how long a link takes to come up at most, as a rule.
const linkWait = 10 * time.Second

// periodFlag adds a flag for a length of time.
func periodFlag(c *cobra.Command, d *time.Duration, name string, def time.Duration, what string) {
	*d = def
	c.Flags().Var(period{d}, name, what)
}

// durationFlag adds --duration.
func durationFlag(c *cobra.Command, d *time.Duration, def time.Duration, what string) {
	periodFlag(c, d, "duration", def, what)
}

// batchFlag adds --batch.
func batchFlag(c *cobra.Command, n *int, def int) {
	c.Flags().IntVar(n, "batch", def, fmt.Sprintf("most frames handled at once, 1 to %d", packet.MaxTake))
}

func checkBatch(n int) error {
	if n < 1 || n > packet.MaxTake {
		return usage("--batch %d: want 1 to %d", n, packet.MaxTake)
	}
	return nil
}

// portStats are the statistics of a port as --json prints them.
type portStats struct {
	Type       string        `json:"type"` // "port"
	Port       string        `json:"port"`
	RxPackets  uint64        `json:"rx_packets"`
	RxBytes    uint64        `json:"rx_bytes"`
	TxPackets  uint64        `json:"tx_packets"`
	TxBytes    uint64        `json:"tx_bytes"`
	RxMissed   uint64        `json:"rx_missed"`
	RxErrors   uint64        `json:"rx_errors"`
	RxDropped  uint64        `json:"rx_dropped"`
	RxNoBuffer uint64        `json:"rx_no_buffer"`
	TxDropped  uint64        `json:"tx_dropped"`
	Counters   []nic.Counter `json:"counters,omitempty"`
}

func newPortStats(addr string, s nic.Stats) portStats {
	return portStats{
		Type: "port", Port: addr, RxPackets: s.RxPackets, RxBytes: s.RxBytes, TxPackets: s.TxPackets, TxBytes: s.TxBytes,
		RxMissed: s.RxMissed, RxErrors: s.RxErrors, RxDropped: s.RxDropped, RxNoBuffer: s.RxNoBuffer, TxDropped: s.TxDropped,
	}
}

// losses lists what a port lost or refused.
func (s portStats) losses() map[string]uint64 {
	return map[string]uint64{
		"rx_missed": s.RxMissed, "rx_errors": s.RxErrors, "rx_dropped": s.RxDropped,
		"rx_no_buffer": s.RxNoBuffer, "tx_dropped": s.TxDropped,
	}
}
