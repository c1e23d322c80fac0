package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/capture"
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
	)
	c := &cobra.Command{
		Use: "cap A", Short: "Capture what a port receives", Args: wants, ValidArgsFunction: completePorts,
		Long: `Capture what a port receives to a file, to stdout (-w -), or without -w as a line of text for each
packet, until a count, a duration or Ctrl-C. Reports go to stdout with -w FILE, otherwise to stderr.

The worker polls and keeps a CPU busy. With --adaptive it sleeps when it has nothing to do; see fwd.`,
	}
	f.add(c, true, linkWait)
	fs := c.Flags()
	fs.StringVarP(&file, "write", "w", "", "file to write, - for stdout")
	fs.IntVarP(&cfg.SnapLen, "snaplen", "s", 0, fmt.Sprintf("most bytes to store of a packet (0: %d)", capture.MaxSnap))
	fs.VarP(&n, "count", "c", "packets to capture (0: no end)")
	format.add(c, "format", "format of the file", string(capture.Pcap), string(capture.Pcap), string(capture.PcapNG))
	fs.Var(&pin, "cpu", "CPU of the worker")
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
		f.interrupts = cfg.Adaptive
		cfg.Format, cfg.Count, cfg.CPUs = capture.Format(format.value), uint64(n), pin
		out, reports, err := open(c, file)
		if err != nil {
			return err
		}
		err = f.with(c, args, func(ports []nic.Device) error {
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
	if bad := reasons(r.Drops); bad != "" {
		s += "  drops " + bad
	}
	if r.Sleeps != nil && r.Type == "total" {
		s += "  " + slept(*r.Sleeps)
	}
	return s
}
