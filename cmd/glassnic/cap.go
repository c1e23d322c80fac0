package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/capture"
	"glassnic/bus/pci"
	"glassnic/internal/capfile"
	"glassnic/internal/filter"
	"glassnic/nic"
)

// capFlags are the settings of cap.
type capFlags struct {
	portFlags
	cfg      capture.Config
	n        count
	pin      cpus
	asJSON   bool
	port     string // -i
	in, file string // -r, -w
	format   choice
	duration time.Duration
	dump     int
	list     bool
	numeric  bool
	size     float64 // -C, in millions of bytes
	seconds  int     // -G
	files    int     // -W
	style    style
}

func newCap() *cobra.Command {
	var f capFlags
	c := &cobra.Command{
		Use: "cap A [FILTER]...", Short: "Capture what a port receives", Args: cobra.ArbitraryArgs, ValidArgsFunction: completePorts,
		Long: `Capture what a port receives to a file, to stdout (-w -), or without -w as a line of text for each
packet, until a count, a duration or Ctrl-C. Reports go to stdout with -w FILE, otherwise to stderr.
The port may also be given by -i A, or a file in its place by -r FILE.

FILTER, of one or several arguments, says which packets are captured, in tcpdump's language (pcap-filter(7)); -d prints
what it is compiled to. Frames are those of Ethernet, tags are in the frame, and a port's frames are all inbound.

With -C, -G and -W files follow each other, named as tcpdump does it. They are opened while packets are captured, which
needs privileges to be kept.

The worker polls and keeps a CPU busy. With --adaptive it sleeps when it has nothing to do; see fwd.`,
	}
	f.add(c, true, linkWait)
	fs := c.Flags()
	fs.StringVarP(&f.port, "interface", "i", "", "the port A")
	fs.StringVarP(&f.in, "read", "r", "", "file to read instead of a port, - for stdin")
	fs.StringVarP(&f.file, "write", "w", "", "file to write, - for stdout")
	fs.IntVarP(&f.cfg.SnapLen, "snaplen", "s", 0, fmt.Sprintf("most bytes to store of a packet (0: %d)", capture.MaxSnap))
	fs.VarP(&f.n, "count", "c", "packets to capture (0: no end)")
	f.format.add(c, "format", "format of the file", string(capture.Pcap), string(capture.Pcap), string(capture.PcapNG))
	fs.Var(&f.pin, "cpu", "CPU of the worker")
	fs.CountVarP(&f.dump, "dump", "d", "print the compiled filter and end (-dd: as C, -ddd: as numbers); A is not opened")
	fs.BoolVarP(&f.list, "list", "D", false, "list the ports of this machine and end")
	fs.BoolVarP(&f.numeric, "numeric", "n", false, "addresses and ports as numbers, which they always are")
	fs.BoolVarP(&f.style.link, "link", "e", false, "print the Ethernet header")
	fs.CountVarP(&f.style.verbose, "details", "v", "print all headers with their fields (-vv: and what is left)")
	fs.Bool("verbose", false, "log every step to stderr") // which is -v elsewhere
	fs.CountVarP(&f.style.hex, "hex", "x", "print the bytes of packets (-xx: with the Ethernet header)")
	fs.CountVarP(&f.style.both, "hex-ascii", "X", "the same, and as text beside it")
	fs.CountVarP(&f.style.ascii, "ascii", "A", "the same as text only")
	fs.Float64VarP(&f.size, "file-size", "C", 0, "begin the next file after so many million bytes")
	fs.IntVarP(&f.seconds, "rotate-seconds", "G", 0, "begin the next file after so many seconds; its name may hold the time as %H%M%S")
	fs.IntVarP(&f.files, "file-count", "W", 0, "how many files: with -C in turn, with -G until the end")
	fs.BoolVarP(&f.cfg.Unbuffered, "packet-buffered", "U", false, "write packets at once")
	fs.BoolVar(&f.cfg.Timestamps, "timestamps", false, "store the time by the card's own clock with packets that it stamps, an 82599 those of PTP, or the kernel's at packet:")
	adaptiveFlag(c, &f.cfg.Adaptive)
	durationFlag(c, &f.duration, 0, "end after so long (0: no end)")
	fs.BoolVar(&f.asJSON, "json", false, "reports as one JSON object a line")
	c.RunE = f.run
	return c
}

// run does what the flags say.
func (f *capFlags) run(c *cobra.Command, args []string) error {
	if f.list {
		return listPorts(c)
	}
	words := args
	if f.port == "" && f.in == "" {
		if len(args) == 0 {
			return usage("want A, the port to capture from")
		}
		f.port, words = args[0], args[1:]
	}
	if err := f.check(c); err != nil {
		return err
	}
	var err error
	if f.cfg.Filter, err = compileFilter(c, words, f.cfg.SnapLen); err != nil {
		return err
	}
	if f.dump > 0 {
		_, err := io.WriteString(c.OutOrStdout(), dumpFilter(f.cfg.Filter, f.dump))
		return err
	}
	if len(words) == 0 {
		f.cfg.Filter = nil // takes all
	}
	f.cfg.Format, f.cfg.Count, f.cfg.CPUs = capture.Format(f.format.value), uint64(f.n), f.pin
	f.cfg.Rotation = capfile.Rotation{Bytes: int64(f.size * 1e6), Every: time.Duration(f.seconds) * time.Second, Files: f.files}
	out, reports, err := f.open(c)
	if err != nil {
		return err
	}
	if f.in != "" {
		return f.read(c, out, reports)
	}
	f.interrupts, f.timestamps = f.cfg.Adaptive, f.cfg.Timestamps
	err = f.with(c, []string{f.port}, func(ports []nic.Device) error { return f.capture(c, ports[0], out, reports) })
	return errors.Join(err, out.Close())
}

// check refuses flags that do not go together.
func (f *capFlags) check(c *cobra.Command) error {
	rotates := f.size != 0 || f.seconds != 0 || f.files != 0
	switch {
	case f.port != "" && f.in != "":
		return usage("a port and -r: give one of them")
	case f.in != "" && f.cfg.Timestamps:
		return usage("--timestamps goes with a port: packets of a file keep their times")
	case f.cfg.SnapLen < 0 || f.cfg.SnapLen > capture.MaxSnap:
		return usage("--snaplen %d: want 1 to %d", f.cfg.SnapLen, capture.MaxSnap)
	case f.file == "" && c.Flags().Changed("format"):
		return usage("--format: there is no file without -w")
	case rotates && (f.file == "" || f.file == "-"):
		return usage("-C, -G and -W go with -w FILE")
	case f.size < 0 || f.size > 1e9 || f.seconds < 0 || f.files < 0:
		return usage("-C, -G and -W take positive numbers")
	case f.files > 0 && f.size == 0 && f.seconds == 0:
		return usage("-W goes with -C or -G")
	case rotates && f.in == "" && f.privileges.wanted([]reach{reachOf(pci.Sysfs{}, f.port)}):
		return usage("-C, -G and -W open files while packets are captured, which a process without privileges cannot: give --no-drop, or leave them out")
	}
	return nil
}

// capture captures from a port.
func (f *capFlags) capture(c *cobra.Command, port nic.Device, out io.WriteCloser, reports io.Writer) error {
	ctx, cancel := limit(c, f.duration)
	defer cancel()
	if f.cfg.Timestamps && port.Info().Offloads&nic.Timestamps == 0 {
		fmt.Fprintf(c.ErrOrStderr(), "glassnic: %s: nothing stamps packets here: they get the machine's time of their receipt\n", port.Info().Address)
	}
	f.cfg.Port, f.cfg.Output, f.cfg.Trouble = port, out, complain(c)
	total, err := capture.Run(ctx, f.cfg, func(r capture.Report) {
		if f.asJSON || f.file != "" && r.Seconds >= 0.01 {
			f.show(reports, r)
		}
	})
	// All lines of packets come before the totals.
	err = errors.Join(err, out.Close())
	f.show(reports, total)
	return err
}

// read reads a file.
func (f *capFlags) read(c *cobra.Command, out io.WriteCloser, reports io.Writer) error {
	in := c.InOrStdin()
	if f.in != "-" {
		file, err := os.Open(f.in)
		if err != nil {
			return errors.Join(fmt.Errorf("capture: %w", err), out.Close())
		}
		defer file.Close()
		in = file
	}
	total, err := capture.Read(c.Context(), capture.ReadConfig{
		Input: in, Name: f.in, Output: out, File: f.cfg.File, Rotation: f.cfg.Rotation, Format: f.cfg.Format, SnapLen: f.cfg.SnapLen,
		Filter: f.cfg.Filter, Count: f.cfg.Count,
	})
	err = errors.Join(err, out.Close())
	f.show(reports, total)
	return err
}

func (f *capFlags) show(w io.Writer, r capture.Report) {
	if f.asJSON {
		_ = printJSON(w, r)
		return
	}
	fmt.Fprintln(w, captured(r))
}

// listPorts lists what can be captured from: cards and interfaces of the kernel.
func listPorts(c *cobra.Command) error {
	var rows [][]string
	list, _ := pci.Sysfs{}.List()
	for _, d := range list {
		rows = append(rows, []string{d.Address, title(d), state(d)})
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range interfaces {
		rows = append(rows, []string{"packet:" + i.Name, i.HardwareAddr.String(), i.Flags.String()})
	}
	return table(c.OutOrStdout(), rows)
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

// open returns where frames go and where reports go. Files that follow each other are opened elsewhere.
func (f *capFlags) open(c *cobra.Command) (out io.WriteCloser, reports io.Writer, err error) {
	switch f.file {
	case "":
		return newText(c.OutOrStdout(), f.style), c.ErrOrStderr(), nil
	case "-":
		if st, err := os.Stdout.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			return nil, nil, usage("-w -: stdout is a terminal: pipe it somewhere, or leave -w out for text")
		}
		return noClose{c.OutOrStdout()}, c.ErrOrStderr(), nil
	}
	if f.cfg.Rotation != (capfile.Rotation{}) {
		f.cfg.File = f.file
		return noClose{io.Discard}, c.OutOrStdout(), nil
	}
	file, err := os.Create(f.file)
	if err != nil {
		return nil, nil, fmt.Errorf("capture: %w", err)
	}
	return &onceCloser{File: file}, c.OutOrStdout(), nil
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
	if r.Stamped != nil {
		s += fmt.Sprintf("  stamped %d", *r.Stamped)
	}
	if r.Sleeps != nil && r.Type == "total" {
		s += "  " + slept(*r.Sleeps)
	}
	return s
}
