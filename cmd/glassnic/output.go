package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sort"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

// output is stdout. When nobody takes what is written any more, it ends the work.
type output struct {
	w    io.Writer
	stop func()
	err  error // the first one
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if err != nil && o.err == nil {
		o.err = err
		o.stop()
	}
	return n, err
}

// logger returns what --verbose asks for, nil without it.
func logger(c *cobra.Command) *slog.Logger {
	if v, _ := c.Flags().GetBool("verbose"); !v {
		return nil
	}
	return slog.New(slog.NewTextHandler(c.ErrOrStderr(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command, on *bool) {
	c.Flags().BoolVar(on, "json", false, "print one JSON object a line")
}

// printJSON writes v as one line.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// table writes rows of cells in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// pairs writes names and values in two columns, leaving out what has no value.
func pairs(w io.Writer, list ...[2]string) error {
	var rows [][]string
	for _, p := range list {
		if p[1] != "" {
			rows = append(rows, p[:])
		}
	}
	return table(w, rows)
}

// reasons writes the counts that are not zero, in the order of their names.
func reasons(counts map[string]uint64) string {
	var names []string
	for n, v := range counts {
		if v > 0 {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	for i, n := range names {
		names[i] = fmt.Sprintf("%s %d", n, counts[n])
	}
	return strings.Join(names, ", ")
}

// sum adds counts up.
func sum(counts map[string]uint64) (n uint64) {
	for _, v := range counts {
		n += v
	}
	return n
}

// orNone writes a number that is negative where there is none.
func orNone(n int) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// or returns s, or other where s is empty.
func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
