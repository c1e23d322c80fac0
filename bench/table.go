package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Table writes results, of any order, as one table per mode: a line per batch size, a column per driver
// with the median and, in brackets, the tenth and ninetieth percentile, then what glassnic took in
// terms of the textbook and of the floor.
func Table(w io.Writer, results []Result) error {
	for n, mode := range unique(results, func(r Result) string { return r.Mode }) {
		var rows []Result
		for _, r := range results {
			if r.Mode == mode {
				rows = append(rows, r)
			}
		}
		if n > 0 {
			fmt.Fprintln(w)
		}
		if err := table(w, mode, rows); err != nil {
			return err
		}
	}
	return nil
}

func table(w io.Writer, mode string, rows []Result) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	drivers := unique(rows, func(r Result) string { return r.Driver })
	fmt.Fprintf(t, "%s\t%s\t", mode, strings.Join(drivers, "\t"))
	ratios := slices.Contains(drivers, "glassnic") && len(drivers) > 1
	if ratios {
		fmt.Fprintf(t, "of textbook\tof floor\t")
	}
	told := slices.Contains(drivers, Metadata) && slices.Contains(drivers, "glassnic")
	if told {
		fmt.Fprintf(t, "metadata of glassnic\t")
	}
	fmt.Fprintln(t)
	for _, batch := range unique(rows, func(r Result) int { return r.Batch }) {
		fmt.Fprintf(t, "batch %d\t", batch)
		var ours, metadata Result
		for _, d := range drivers {
			i := slices.IndexFunc(rows, func(r Result) bool { return r.Batch == batch && r.Driver == d })
			if i < 0 {
				fmt.Fprintf(t, "\t")
				continue
			}
			r := rows[i]
			fmt.Fprintf(t, "%.1f (%.1f–%.1f)\t", r.TicksP50, r.TicksP10, r.TicksP90)
			switch d {
			case "glassnic":
				ours = r
			case Metadata:
				metadata = r
			}
		}
		if ratios {
			fmt.Fprintf(t, "%s\t%s\t", ratio(ours.OfTextbook), ratio(ours.OfFloor))
		}
		if told {
			fmt.Fprintf(t, "%s\t", ratio(metadata.OfGlassnic))
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

func ratio(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", v)
}

// unique returns the different values of key in the order of their first appearance.
func unique[K comparable](results []Result, key func(Result) K) (keys []K) {
	for _, r := range results {
		if k := key(r); !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	return keys
}
