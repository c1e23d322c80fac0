package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"glassnic/bench"
)

func newBenchVhost() *cobra.Command {
	var (
		opt    bench.VhostOptions
		pin    cpus
		asJSON bool
	)
	c := &cobra.Command{
		Use: "vhost", Short: "Measure both ends of vhost-user beside DPDK", Args: wants,
		Long: `Measure the ticks of the time stamp counter that either end of a vhost-user connection takes to receive
a frame of 64 bytes and to send it back, beside DPDK's dpdk-testpmd (apt-get install dpdk-dev) in the same
role. Frames circulate between the end, on one CPU, and its partner, a dpdk-testpmd on another. Ours and
DPDK's take turns in short slices. Roles:

  driver  ours at virtio-user:, the partner is DPDK's net_vhost
  device  ours at vhost-user:, the partner is DPDK's net_virtio_user

Ticks are of the turns that received something; the slower of the two ends rules how many frames go round
in a second. The table has medians over the slices, in brackets the 10th and 90th percentile, each
followed by the ratio to DPDK. Rings:

`,
	}
	for _, r := range bench.Rings() {
		c.Long += fmt.Sprintf("  %-17s %s\n", r, bench.DescribeRings(r))
	}
	fs := c.Flags()
	fs.StringSliceVar(&opt.Roles, "roles", []string{bench.RoleDriver, bench.RoleDevice}, "roles")
	fs.StringSliceVar(&opt.Rings, "rings", bench.Rings(), "rings")
	fs.StringSliceVar(&opt.Ends, "ends", []string{bench.EndGlassnic, bench.EndDPDK}, "what is measured")
	periodFlag(c, &opt.Slice, "slice", 250*time.Millisecond, "length of a measurement")
	fs.IntVar(&opt.Rounds, "rounds", 10, "measurements of each role, rings and end")
	fs.Var(&pin, "cpus", "two CPUs: the end's, its partner's")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := checkBenchVhost(opt); err != nil {
			return err
		}
		opt.CPUs = pin
		var all []bench.VhostResult
		err := bench.Vhost(c.Context(), opt, func(r bench.VhostResult) {
			if asJSON {
				_ = printJSON(c.OutOrStdout(), r)
			}
			all = append(all, r)
		})
		if asJSON || len(all) == 0 {
			return err
		}
		if tableErr := bench.VhostTable(c.OutOrStdout(), all); err == nil {
			err = tableErr
		}
		return err
	}
	return c
}

// checkBenchVhost finds what is wrong with the flags before anything is measured.
func checkBenchVhost(opt bench.VhostOptions) error {
	for _, f := range []struct {
		name      string
		got, have []string
	}{
		{"roles", opt.Roles, []string{bench.RoleDriver, bench.RoleDevice}},
		{"rings", opt.Rings, bench.Rings()},
		{"ends", opt.Ends, []string{bench.EndGlassnic, bench.EndDPDK}},
	} {
		for _, v := range f.got {
			if !slices.Contains(f.have, v) {
				return usage("--%s %s: want some of %v", f.name, v, f.have)
			}
		}
	}
	if opt.Slice <= 0 || opt.Rounds < 1 {
		return usage("--slice %v --rounds %d: want more than none", opt.Slice, opt.Rounds)
	}
	return nil
}
