package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/forward"
	"glassnic/nic"
)

func newFwd() *cobra.Command {
	var (
		f      portFlags
		cfg    forward.Config
		pin    cpus
		asJSON bool
		d      time.Duration
	)
	c := &cobra.Command{
		Use: "fwd A B", Short: "Forward frames between two ports, in both directions", Args: wants, ValidArgsFunction: completePorts,
		Long: `Forward frames between ports A and B, in both directions, until Ctrl-C. Prints a line a second, and
totals that add up at the end: rx = tx + drops. Worker i serves queue i of both ports.

Mbit/s are those of the frames; framed counts preamble, FCS and gap too, as they fill a link. Ticks are
those of the time stamp counter for each packet.

Workers poll and keep a CPU busy each. With --adaptive, one that has nothing to do sleeps until a card
interrupts: over VFIO, and modelled cards. Others, such as cards through sysfs, it looks at every 4 ms.`,
	}
	f.add(c, true, linkWait)
	c.Flags().BoolVar(&f.large, "large-frames", false, "take TCP segments of up to 64 KB as virtual machines, the kernel and an 82599 make them; they are cut before a port that does not take them")
	batchFlag(c, &cfg.Batch, 32)
	c.Flags().BoolVar(&cfg.Touch, "touch", false, "increment byte 1 of every frame, as an application reads data")
	c.Flags().IntVar(&cfg.Patience, "patience", forward.DefaultPatience, "how often frames that a full queue refuses are offered before they are dropped (-1: once)")
	c.Flags().Var(&pin, "cpus", "CPUs of the workers, such as 2-3")
	periodFlag(c, &cfg.IdleSleep, "idle-sleep", 0, "let a worker with nothing to do sleep so long at a time")
	adaptiveFlag(c, &cfg.Adaptive)
	c.Flags().BoolVar(&cfg.Timestamps, "timestamps", false, "report how long frames stay, from when the card or the kernel stamped them until the other port's queue has taken them; a card stamps messages of PTP only; where nothing does, from when they were received")
	durationFlag(c, &d, 0, "end after so long (0: Ctrl-C)")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := checkBatch(cfg.Batch); err != nil {
			return err
		}
		if cfg.Adaptive && cfg.IdleSleep > 0 {
			return usage("--adaptive and --idle-sleep: give one of them")
		}
		if cfg.Patience == 0 {
			cfg.Patience = -1
		}
		f.interrupts, f.timestamps = cfg.Adaptive, cfg.Timestamps
		return f.with(c, args, func(ports []nic.Device) error {
			ctx, cancel := limit(c, d)
			defer cancel()
			cfg.A, cfg.B, cfg.CPUs = ports[0], ports[1], pin
			cfg.Trouble = complain(c)
			out := c.OutOrStdout()
			p := &fwdPrinter{w: out, json: asJSON}
			total, err := forward.Run(ctx, cfg, p.interval)
			if asJSON {
				for i, port := range ports {
					if s, err := port.Stats(); err == nil {
						_ = printJSON(out, newPortStats(args[i], s))
					}
				}
				_ = printJSON(out, total)
				return err
			}
			if len(total.Directions) > 0 {
				printForwarded(out, total, ports)
			}
			return err
		})
	}
	return c
}

// fwdPrinter prints the lines of a run.
type fwdPrinter struct {
	w       io.Writer
	json    bool
	lines   int
	seconds float64
}

// headEvery is after how many lines the head comes again.
const headEvery = 20

const (
	fwdHead = "%9s %9s %9s %7s %8s"
	fwdLine = "%9.3f %9.1f %9.1f %7.1f %8d"
)

func (p *fwdPrinter) interval(r forward.Report) {
	if p.json {
		_ = printJSON(p.w, r)
		return
	}
	p.seconds += r.Seconds
	if r.Seconds < 0.01 {
		return // what is left over at the end is in the totals
	}
	var head, line strings.Builder
	var why []string
	dropped := uint64(0)
	if p.lines%headEvery == 0 {
		fmt.Fprintf(&head, "%7s", "")
		for range r.Directions {
			fmt.Fprintf(&head, " | "+fwdHead, "Mpps", "Mbit/s", "framed", "ticks", "drops")
		}
		if p.lines == 0 {
			fmt.Fprintf(p.w, "%7s", "")
			for _, d := range r.Directions {
				fmt.Fprintf(p.w, " | %-46s", short(d.From, 20)+" > "+short(d.To, 20))
			}
			fmt.Fprintln(p.w)
		}
		fmt.Fprintln(p.w, head.String())
	}
	p.lines++
	fmt.Fprintf(&line, "%6.1fs", p.seconds)
	for _, d := range r.Directions {
		fmt.Fprintf(&line, " | "+fwdLine, d.Mpps, d.Mbit, d.MbitFramed, d.TicksPerPacket, sum(d.Drops))
		why = append(why, or(reasons(d.Drops), "-"))
		dropped += sum(d.Drops)
	}
	if dropped > 0 {
		line.WriteString(" | " + strings.Join(why, " | "))
	}
	for _, d := range r.Directions {
		if l := d.Latency; l != nil && l.Probes > 0 {
			fmt.Fprintf(&line, " | p50 %v p99 %v", time.Duration(l.P50), time.Duration(l.P99))
		}
	}
	fmt.Fprintln(p.w, line.String())
}

// short cuts s to its last n characters, which tell ports apart.
func short(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return "…" + string(r[len(r)-n+1:])
}

// printForwarded prints the totals, and what the cards themselves lost.
func printForwarded(w io.Writer, t forward.Report, ports []nic.Device) {
	rows := [][]string{{fmt.Sprintf("total, %.1f s", t.Seconds), "rx packets", "tx packets", "drops", "Mpps", "Mbit/s", "framed", "ticks"}}
	row := func(name string, t forward.Traffic) {
		drops := "0"
		if sum(t.Drops) > 0 {
			drops = reasons(t.Drops)
		}
		rows = append(rows, []string{
			name, fmt.Sprint(t.RxPackets), fmt.Sprint(t.TxPackets), drops,
			fmt.Sprintf("%.3f", t.Mpps), fmt.Sprintf("%.1f", t.Mbit), fmt.Sprintf("%.1f", t.MbitFramed), fmt.Sprintf("%.1f", t.TicksPerPacket),
		})
	}
	for _, d := range t.Directions {
		row(d.From+" > "+d.To, d.Traffic)
	}
	row("both", t.Traffic)
	_ = table(w, rows)
	for _, d := range t.Directions {
		if l := d.Latency; l != nil && l.Probes+l.Lost > 0 {
			fmt.Fprintf(w, "%s > %s: %s\n", d.From, d.To, timed(l, "frames"))
		}
	}
	if s := t.Sleeps; s != nil {
		fmt.Fprintf(w, "%s\n", slept(*s))
	}
	for i, d := range ports {
		if s, err := d.Stats(); err == nil {
			lost := newPortStats("", s).losses()
			if fetched := t.Directions[i].RxPackets + s.RxDropped; s.RxPackets > fetched {
				lost["left in receive rings"] = s.RxPackets - fetched
			}
			if why := reasons(lost); why != "" {
				fmt.Fprintf(w, "%s: %s\n", d.Info().Address, why)
			}
		}
	}
}
