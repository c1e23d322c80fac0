package ladder

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Table writes results as a table, then how to read it, what each rung gives up, and what the talk has.
func Table(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "rung\tMpps\tticks/packet\t(p10–p90)\tcalls/packet\tcopies\tmissed\tdropped\tcore\twanted\t")
	for _, r := range results {
		if r.Skipped != "" {
			fmt.Fprintf(t, "%s\t-\t-\t\t\t\t\t\t\t\t\n", r.Rung)
			continue
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.0f\t(%.0f–%.0f)\t%.2f\t%d\t%.0f%%\t%.1f%%\t%.0f%%\t%.0f%%\t\n", r.Rung, r.Mpps, r.TicksPerPacket, r.TicksP10, r.TicksP90,
			r.SystemCalls, r.Copies, percent(r.Missed, r.Offered), percent(r.Dropped, r.Received), 100*r.CoreShare, 100*r.CoreWanted)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprint(w, `
One core receives frames of 60 bytes, changes a byte of each and sends them; another core is source and sink. The source was
not the limit where frames missed the forwarder and it wanted all of its core: "missed" is the part of the offered frames, "core"
that of the time in which it had the core, and "wanted" counts that in which it was ready and others had it, too. Mpps are those of a core that the forwarder has for itself.

`)
	t = tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range results {
		about := "gives up " + r.GivesUp
		if r.Skipped != "" {
			about = r.Skipped
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", r.Rung, r.What, about)
	}
	for _, f := range Talk() {
		fmt.Fprintf(t, "the talk\t%s\t%.1f Mpps\n", f.What, f.Mpps)
	}
	return t.Flush()
}

// Figure is one that others have measured, on another machine.
type Figure struct {
	What string
	Mpps float64
}

// Talk returns the figures of the talk that this program began with: a core's, with a card of 10 Gbit/s.
func Talk() []Figure {
	return []Figure{{"raw socket", 0.3}, {"libpcap", 1}, {"kernel", 2}, {"user space", 13}}
}

func percent(part, whole uint64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}
