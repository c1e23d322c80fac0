package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"glassnic/bench"
)

func newBench() *cobra.Command {
	return group("bench", "Measure", newBenchDriver(), newBenchVhost())
}

func newBenchDriver() *cobra.Command {
	var (
		opt    bench.Options
		pin    cpus
		ladder bool
		asJSON bool
	)
	c := &cobra.Command{
		Use: "driver", Short: "Measure what a driver costs for each packet", Args: wants,
		Long: `Measure the ticks of the time stamp counter that a driver takes to receive, touch and send a frame of
60 bytes, in both directions between two simulated cards. Drivers take turns in short slices. Mode
inline takes the cards' own time off; in mode cross the cards are on another CPU.

The table has the median over the slices, in brackets the 10th and 90th percentile, and how glassnic
compares. Drivers:
`,
	}
	for _, d := range bench.Drivers() {
		c.Long += fmt.Sprintf("  %-9s %s\n", d, bench.Describe(d))
	}
	fs := c.Flags()
	fs.IntSliceVar(&opt.Batches, "batches", []int{1, 2, 4, 8, 16, 32, 64, 128, 256}, "batch sizes, 1 to 256")
	fs.StringSliceVar(&opt.Modes, "modes", []string{bench.Inline, bench.Cross}, "modes")
	fs.StringSliceVar(&opt.Drivers, "drivers", []string{"glassnic", "textbook", "floor"}, "drivers")
	fs.BoolVar(&ladder, "ladder", false, "all drivers, each one step better than the one before")
	periodFlag(c, &opt.Slice, "slice", 25*time.Millisecond, "length of a measurement")
	fs.IntVar(&opt.Rounds, "rounds", 20, "measurements of each driver, batch size and mode")
	fs.Var(&pin, "cpus", "two CPUs: the driver's, the cards'")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if ladder && fs.Changed("drivers") {
			return usage("--ladder and --drivers: give one of them")
		}
		if ladder {
			opt.Drivers = bench.Ladder()
		}
		if err := checkBench(opt); err != nil {
			return err
		}
		opt.CPUs = pin
		var all []bench.Result
		err := bench.Driver(c.Context(), opt, func(r bench.Result) {
			if asJSON {
				_ = printJSON(c.OutOrStdout(), r)
			}
			all = append(all, r)
		})
		if asJSON {
			return err
		}
		if tableErr := bench.Table(c.OutOrStdout(), all); err == nil {
			err = tableErr
		}
		return err
	}
	return c
}

// checkBench finds what is wrong with the flags before anything is measured.
func checkBench(opt bench.Options) error {
	for _, b := range opt.Batches {
		if b < 1 || b > 256 {
			return usage("--batches %d: want 1 to 256", b)
		}
	}
	for _, m := range opt.Modes {
		if m != bench.Inline && m != bench.Cross {
			return usage("--modes %s: want %s or %s", m, bench.Inline, bench.Cross)
		}
	}
	for _, d := range opt.Drivers {
		if !slices.Contains(bench.Drivers(), d) {
			return usage("--drivers %s: want some of %v", d, bench.Drivers())
		}
	}
	if opt.Slice <= 0 || opt.Rounds < 1 {
		return usage("--slice %v --rounds %d: want more than none", opt.Slice, opt.Rounds)
	}
	return nil
}
