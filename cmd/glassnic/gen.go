package main

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/generate"
	"glassnic/internal/traffic"
	"glassnic/nic"
)

// trafficFlags describe test frames.
type trafficFlags struct {
	spec                     traffic.Spec
	template                 choice
	sizes                    string
	smac, dmac, src, dst     string
	stream, srcPort, dstPort uint16
}

func (f *trafficFlags) add(c *cobra.Command) {
	fs := c.Flags()
	f.template.add(c, "template", "headers of the frames", traffic.UDP4, traffic.Names()...)
	fs.IntVar(&f.spec.Size, "size", 0, "bytes of a frame, without FCS (0: the template's least)")
	fs.StringVar(&f.sizes, "sizes", "", "sizes used in turn, such as 60+590+1514, or imix")
	fs.IntVar(&f.spec.Flows, "flows", 1, "source ports used in turn")
	fs.BoolVar(&f.spec.Seq, "seq", true, "number the frames, so that a sink finds loss and reordering")
	fs.Uint16Var(&f.stream, "stream", 0, "number that tells streams apart at a sink")
	fs.StringVar(&f.smac, "smac", "", "source MAC (none: 02:00:00:00:00:01)")
	fs.StringVar(&f.dmac, "dmac", "", "destination MAC (none: 02:00:00:00:00:02)")
	fs.StringVar(&f.src, "src", "", "source IP (none: the template's)")
	fs.StringVar(&f.dst, "dst", "", "destination IP (none: the template's)")
	fs.Uint16Var(&f.srcPort, "sport", 0, "source port (0: 49152)")
	fs.Uint16Var(&f.dstPort, "dport", 0, "destination port (0: 9)")
}

// parse returns the frames that the flags describe.
func (f *trafficFlags) parse() (traffic.Spec, error) {
	s := f.spec
	s.Template, s.Stream, s.SrcPort, s.DstPort = f.template.value, f.stream, f.srcPort, f.dstPort
	var err error
	if f.sizes != "" {
		if s.Size != 0 {
			return s, usage("--size and --sizes: give one of them")
		}
		if s.Sizes, err = traffic.ParseSizes(f.sizes); err != nil {
			return s, usage("--sizes: %w", err)
		}
	}
	for _, m := range []struct {
		flag, text string
		to         *net.HardwareAddr
	}{{"smac", f.smac, &s.SrcMAC}, {"dmac", f.dmac, &s.DstMAC}} {
		if m.text != "" {
			if *m.to, err = net.ParseMAC(m.text); err != nil {
				return s, usage("--%s: %w", m.flag, err)
			}
		}
	}
	for _, a := range []struct {
		flag, text string
		to         *netip.Addr
	}{{"src", f.src, &s.Src}, {"dst", f.dst, &s.Dst}} {
		if a.text != "" {
			if *a.to, err = netip.ParseAddr(a.text); err != nil {
				return s, usage("--%s: %w", a.flag, err)
			}
		}
	}
	if _, err := traffic.New(s); err != nil {
		return s, usage("%w", err)
	}
	return s, nil
}

func newGen() *cobra.Command {
	var (
		f      portFlags
		frames trafficFlags
		cfg    generate.Config
		rate   number
		n      count
		pin    cpus
		asJSON bool
		d      time.Duration
	)
	c := &cobra.Command{
		Use: "gen A", Short: "Generate test frames from a port, and check what comes back", Args: wants, ValidArgsFunction: completePorts,
		Long: `Generate test frames from a port, as fast as it takes them or at a rate, until a count, a duration
or Ctrl-C. With --receive, what comes back is checked for loss, order and damage.`,
	}
	f.add(c, false, linkWait)
	frames.add(c)
	batchFlag(c, &cfg.Batch, 32)
	c.Flags().Var(&rate, "rate", "frames a second, such as 14.88M (0: as fast as the port takes them)")
	c.Flags().BoolVar(&cfg.ByCard, "rate-by-card", false, "have the card keep the rate, by its limit of bits for each queue")
	c.Flags().Var(&n, "count", "frames to send, such as 100M (0: no end)")
	c.Flags().BoolVar(&cfg.Receive, "receive", false, "check what comes back (implies --promisc)")
	c.Flags().BoolVar(&cfg.Timestamps, "timestamps", false, "with --receive, send a message of PTP a thousand times a second and report how long they take until they are back: by the card's clock on an 82599, by the kernel's for what arrives at packet:, else by this machine's")
	c.Flags().Var(&pin, "cpus", "CPUs of the workers, such as 2-3")
	durationFlag(c, &d, 0, "end after so long (0: no end)")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkBatch(cfg.Batch); err != nil {
			return err
		}
		if rate > 1e9 {
			return usage("--rate %v: want up to 1G", rate)
		}
		if cfg.Timestamps && !cfg.Receive {
			return usage("--timestamps goes with --receive")
		}
		f.timestamps = cfg.Timestamps
		if cfg.ByCard && rate == 0 {
			return usage("--rate-by-card: wants --rate")
		}
		spec, err := frames.parse()
		if err != nil {
			return err
		}
		if cfg.Receive && !c.Flags().Changed("promisc") {
			f.promiscuous = true // what comes back is for the frames' address, not the card's
		}
		return f.with(c, args, func(ports []nic.Device) error {
			ctx, cancel := limit(c, d)
			defer cancel()
			cfg.Port, cfg.Spec, cfg.Rate, cfg.Count, cfg.CPUs = ports[0], spec, float64(rate), uint64(n), pin
			cfg.Trouble = complain(c)
			show := func(r generate.Report) { fmt.Fprintln(c.OutOrStdout(), generated(r)) }
			if asJSON {
				show = func(r generate.Report) { _ = printJSON(c.OutOrStdout(), r) }
			}
			total, err := generate.Run(ctx, cfg, func(r generate.Report) {
				if r.Seconds >= 0.01 || asJSON {
					show(r)
				}
			})
			show(total)
			return err
		})
	}
	return c
}

// generated is a report in a line.
func generated(r generate.Report) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%-8s %6.1fs  sent %d  %.3f Mpps  %.1f Mbit/s  %.1f framed  %.1f ticks",
		r.Type, r.Seconds, r.TxPackets, r.Mpps, r.Mbit, r.MbitFramed, r.TicksPerPacket)
	if k := r.Checked; k != nil {
		fmt.Fprintf(&s, "  back %d ok  %d missing", k.OK, k.Missing)
		if bad := reasons(map[string]uint64{
			"reordered": k.Reordered, "duplicate": k.Duplicate, "stale": k.Stale, "corrupt": k.Corrupt, "foreign": k.Foreign,
		}); bad != "" {
			s.WriteString("  " + bad)
		}
	}
	if l := r.Latency; l != nil {
		s.WriteString("  " + timed(l, "probes"))
	}
	return s.String()
}

// timed says how long things took.
func timed(l *generate.Latency, what string) string {
	s := fmt.Sprintf("%d %s by the %s's clock: min %v p50 %v p99 %v max %v", l.Probes, what, l.Clock, time.Duration(l.Min), time.Duration(l.P50), time.Duration(l.P99), time.Duration(l.Max))
	if l.Lost > 0 {
		s += fmt.Sprintf(", lost %d", l.Lost)
	}
	return s
}
