package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Table writes results, of any order, as one table per mode: a line per batch size, a column per driver
// with the median and, in brackets, the tenth and ninetieth percentile, and how glassnic compares
// with the others.
func Table(w io.Writer, results []Result) error {
	for n, mode := range unique(results, func(r Result) string { return r.Mode }) {
		if n > 0 {
			fmt.Fprintln(w)
		}
		t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
		var rows []Result
		for _, r := range results {
			if r.Mode == mode {
				rows = append(rows, r)
			}
		}
		drivers := unique(rows, func(r Result) string { return r.Driver })
		fmt.Fprintf(t, "%s\t", mode)
		for _, d := range drivers {
			fmt.Fprintf(t, "%s\t", d)
		}
		compare := slices.Contains(drivers, "glassnic")
		for _, d := range drivers {
			if compare && d != "glassnic" {
				fmt.Fprintf(t, "of %s\t", d)
			}
		}
		fmt.Fprintln(t)
		for _, b := range unique(rows, func(r Result) int { return r.Batch }) {
			line(t, rows, drivers, b, compare)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func line(w io.Writer, rows []Result, drivers []string, batch int, compare bool) {
	at := func(driver string) *Result {
		i := slices.IndexFunc(rows, func(r Result) bool { return r.Batch == batch && r.Driver == driver })
		if i < 0 {
			return &Result{}
		}
		return &rows[i]
	}
	fmt.Fprintf(w, "batch %d\t", batch)
	for _, d := range drivers {
		r := at(d)
		fmt.Fprintf(w, "%.1f (%.1f–%.1f)\t", r.TicksP50, r.TicksP10, r.TicksP90)
	}
	for _, d := range drivers {
		if compare && d != "glassnic" {
			fmt.Fprintf(w, "%.2f\t", Ratio(*at("glassnic"), *at(d)))
		}
	}
	fmt.Fprintln(w)
}

// Ratio is the median of a in terms of b's, 0 where b has none.
func Ratio(a, b Result) float64 {
	if b.TicksP50 == 0 {
		return 0
	}
	return a.TicksP50 / b.TicksP50
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
