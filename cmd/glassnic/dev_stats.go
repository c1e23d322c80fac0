package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"glassnic/app/capture"
	"glassnic/nic"
)

func newDevStats() *cobra.Command {
	var (
		asJSON, zero bool
		d            time.Duration
	)
	c := &cobra.Command{
		Use: "stats ADDR", Short: "Print a card's counters", Args: wants, ValidArgsFunction: completePorts,
		Long: `Open a port, receive for a while, and print what its counters counted, by datasheet name. Without
--all, those that are zero are left out. What arrives is thrown away.`,
	}
	f := &portFlags{}
	f.add(c, true, linkWait)
	durationFlag(c, &d, time.Second, "how long to receive (0: until Ctrl-C)")
	c.Flags().BoolVar(&zero, "all", false, "also counters that are zero")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		return f.with(c, args, func(ports []nic.Device) error {
			ctx, cancel := limit(c, d)
			defer cancel()
			if _, err := capture.Run(ctx, capture.Config{Port: ports[0], Output: io.Discard}, nil); err != nil {
				return err
			}
			s, err := ports[0].Stats()
			if err != nil {
				return err
			}
			p := newPortStats(args[0], s)
			for _, k := range s.Counters {
				if zero || k.Value != 0 {
					p.Counters = append(p.Counters, k)
				}
			}
			if asJSON {
				return printJSON(c.OutOrStdout(), p)
			}
			rows := [][]string{
				{"rx_packets", fmt.Sprint(p.RxPackets)}, {"rx_bytes", fmt.Sprint(p.RxBytes)},
				{"tx_packets", fmt.Sprint(p.TxPackets)}, {"tx_bytes", fmt.Sprint(p.TxBytes)},
			}
			for _, name := range []string{"rx_missed", "rx_errors", "rx_dropped", "rx_no_buffer", "tx_dropped"} {
				rows = append(rows, []string{name, fmt.Sprint(p.losses()[name])})
			}
			for _, k := range p.Counters {
				rows = append(rows, []string{k.Name, fmt.Sprint(k.Value), k.Doc})
			}
			return table(c.OutOrStdout(), rows)
		})
	}
	return c
}
