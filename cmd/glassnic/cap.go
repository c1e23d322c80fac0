package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/capture"
	"glassnic/internal/filter"
	"glassnic/nic"
)

func newCap() *cobra.Command {
	var (
		f      portFlags
		cfg    capture.Config
		n      count
		pin    cpus
		asJSON bool
		file   string
		format choice
		d      time.Duration
		dump   int
	)
	c := &cobra.Command{
		Use: "cap A [FILTER]...", Short: "Capture what a port receives", Args: atLeastPort, ValidArgsFunction: completePorts,
		Long: `Capture what a port receives to a file, to stdout (-w -), or without -w as a line of text for each
packet, until a count, a duration or Ctrl-C. Reports go to stdout with -w FILE, otherwise to stderr.

FILTER, of one or several arguments, says which packets are captured, in tcpdump's language (pcap-filter(7)); -d prints
what it is compiled to. Frames are those of Ethernet, tags are in the frame, and a port's frames are all inbound.

The worker polls and keeps a CPU busy. With --adaptive it sleeps when it has nothing to do; see fwd.`,
	}
	f.add(c, true, linkWait)
	fs := c.Flags()
	fs.StringVarP(&file, "write", "w", "", "file to write, - for stdout")
	fs.IntVarP(&cfg.SnapLen, "snaplen", "s", 0, fmt.Sprintf("most bytes to store of a packet (0: %d)", capture.MaxSnap))
	fs.VarP(&n, "count", "c", "packets to capture (0: no end)")
	format.add(c, "format", "format of the file", string(capture.Pcap), string(capture.Pcap), string(capture.PcapNG))
	fs.Var(&pin, "cpu", "CPU of the worker")
	fs.CountVarP(&dump, "dump", "d", "print the compiled filter and end (-dd: as C, -ddd: as numbers); A is not opened")
	adaptiveFlag(c, &cfg.Adaptive)
	durationFlag(c, &d, 0, "end after so long (0: no end)")
	fs.BoolVar(&asJSON, "json", false, "reports as one JSON object a line")
	c.RunE = func(c *cobra.Command, args []string) error {
		if cfg.SnapLen < 0 || cfg.SnapLen > capture.MaxSnap {
			return usage("--snaplen %d: want 1 to %d", cfg.SnapLen, capture.MaxSnap)
		}
		if file == "" && fs.Changed("format") {
			return usage("--format: there is no file without -w")
		}
		var err error
		if cfg.Filter, err = compileFilter(c, args[1:], cfg.SnapLen); err != nil {
			return err
		}
		if dump > 0 {
			_, err := io.WriteString(c.OutOrStdout(), dumpFilter(cfg.Filter, dump))
			return err
		}
		if len(args) == 1 {
			cfg.Filter = nil // takes all
		}
		f.interrupts = cfg.Adaptive
		cfg.Format, cfg.Count, cfg.CPUs = capture.Format(format.value), uint64(n), pin
		out, reports, err := open(c, file)
		if err != nil {
			return err
		}
		err = f.with(c, args[:1], func(ports []nic.Device) error {
			ctx, cancel := limit(c, d)
			defer cancel()
			cfg.Port, cfg.Output, cfg.Trouble = ports[0], out, complain(c)
			show := func(r capture.Report) { fmt.Fprintln(reports, captured(r)) }
			if asJSON {
				show = func(r capture.Report) { _ = printJSON(reports, r) }
			}
			total, err := capture.Run(ctx, cfg, func(r capture.Report) {
				if asJSON || file != "" && r.Seconds >= 0.01 {
					show(r)
				}
			})
			// All lines of packets come before the totals.
			err = errors.Join(err, out.Close())
			show(total)
			return err
		})
		return errors.Join(err, out.Close())
	}
	return c
}

// atLeastPort checks that there is a port; a filter may follow.
func atLeastPort(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usage("want A, the port to capture from")
	}
	return nil
}

// compileFilter compiles a filter of some words.
func compileFilter(c *cobra.Command, words []string, snap int) (*filter.Program, error) {
	p, err := filter.Compile(c.Context(), strings.Join(words, " "), filter.Options{Snap: uint32(snap)})
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// dumpFilter prints a filter as tcpdump -d, -dd or -ddd does.
func dumpFilter(p *filter.Program, how int) string {
	switch how {
	case 1:
		return p.String()
	case 2:
		return p.C()
	}
	return p.Decimal()
}

// open returns where frames go and where reports go.
func open(c *cobra.Command, file string) (out io.WriteCloser, reports io.Writer, err error) {
	switch file {
	case "":
		return newText(c.OutOrStdout()), c.ErrOrStderr(), nil
	case "-":
		if st, err := os.Stdout.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			return nil, nil, usage("-w -: stdout is a terminal: pipe it somewhere, or leave -w out for text")
		}
		return noClose{c.OutOrStdout()}, c.ErrOrStderr(), nil
	}
	f, err := os.Create(file)
	if err != nil {
		return nil, nil, fmt.Errorf("capture: %w", err)
	}
	return &onceCloser{File: f}, c.OutOrStdout(), nil
}

type noClose struct{ io.Writer }

func (noClose) Close() error { return nil }

// onceCloser is a file whose second Close does nothing.
type onceCloser struct {
	*os.File
	closed bool
}

func (o *onceCloser) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	return o.File.Close()
}

// captured is a report in a line.
func captured(r capture.Report) string {
	s := fmt.Sprintf("%-8s %6.1fs  received %d  stored %d  %.3f Mpps  %.1f Mbit/s  missed %d",
		r.Type, r.Seconds, r.RxPackets, r.Written, r.Mpps, r.Mbit, r.Missed)
	if r.Filtered > 0 {
		s += fmt.Sprintf("  filtered %d", r.Filtered)
	}
	if bad := reasons(r.Drops); bad != "" {
		s += "  drops " + bad
	}
	if r.Sleeps != nil && r.Type == "total" {
		s += "  " + slept(*r.Sleeps)
	}
	return s
}
