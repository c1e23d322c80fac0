package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"glassnic/bench/ladder"
)

func newLadder() *cobra.Command {
	var (
		opt    ladder.Options
		pin    cpus
		asJSON bool
		svg    string
	)
	c := &cobra.Command{
		Use: "ladder", Short: "Measure the ways of a frame through this machine", Args: wants,
		Long: `Do the same job on each way that a frame can take through a machine, and measure what it costs there: receive a frame of
60 bytes, change one byte, send it, on one core. It runs in network namespaces that it makes and that end with it; no
interface of the machine is touched. It needs two CPUs, and root for all that the kernel has a part in: without, those rungs
are left out.

What the kernel has a part in runs between two pairs of veth interfaces. The other core sends batches of frames through XDP,
without sockets or copies, more than any forwarder takes, and throws away what arrives. Ticks are the processor time of the forwarding
thread and of the kernel's thread that receives for it, both on one core. Forwarders that only poll are timed by the passes in
which they received something. Rungs take turns in short slices; the table has the median of the slices.

Rungs:
`,
	}
	for _, r := range ladder.Rungs() {
		what := r.What
		if r.Aside {
			what += " (only where named)"
		}
		c.Long += fmt.Sprintf("  %-11s %s\n", r.Name, what)
	}
	fs := c.Flags()
	fs.StringSliceVar(&opt.Rungs, "rungs", nil, "some of the rungs (default all that stand by themselves)")
	periodFlag(c, &opt.Duration, "duration", 20*time.Second, "length of all measurements together")
	fs.Var(&pin, "cpus", "two CPUs: the forwarder's, then the source's and sink's")
	fs.StringVar(&svg, "svg", "", "draw a picture into this file, too")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		for _, r := range opt.Rungs {
			if !slices.Contains(ladder.Names(), r) {
				return usage("--rungs %s: want some of %v", r, ladder.Names())
			}
		}
		if opt.Duration <= 0 {
			return usage("--duration %v: want more than none", opt.Duration)
		}
		if len(pin) == 1 {
			return usage("--cpus: want two")
		}
		opt.CPUs = pin
		results, err := ladder.Run(c.Context(), opt)
		if err != nil {
			return err
		}
		if svg != "" {
			if err := drawLadder(svg, results); err != nil {
				return err
			}
		}
		if !asJSON {
			return ladder.Table(c.OutOrStdout(), results)
		}
		for _, r := range results {
			if err := printJSON(c.OutOrStdout(), r); err != nil {
				return err
			}
		}
		return nil
	}
	return c
}

// drawLadder writes the picture.
func drawLadder(path string, results []ladder.Result) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := ladder.SVG(f, results); err != nil {
		_ = f.Close()
		return err
	}
	return f.Close()
}
