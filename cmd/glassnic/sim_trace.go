package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	chip "glassnic/chip/ixgbe"
	"glassnic/nic"
	"glassnic/sim"
	"glassnic/sim/ixgbe"
	"glassnic/sim/wire"
)

// accessJSON is a register access as --json prints it.
type accessJSON struct {
	Op       string `json:"op"` // "read" or "write"
	Register string `json:"register"`
	Offset   uint32 `json:"offset"`
	Value    uint32 `json:"value"`
	Section  string `json:"section"`
	Times    int    `json:"times"` // in a row
}

func newSimTrace() *cobra.Command {
	var (
		asJSON, closing bool
		f               portFlags
	)
	c := &cobra.Command{
		Use: "trace", Short: "Print what driver and card say to each other at start-up", Args: wants,
		Long: `Start the driver on a simulated 82599 that sees every register access, and print each with its
fields and the datasheet's section. The same access many times in a row is one line.`,
	}
	f.add(c, false, linkWait)
	c.Flags().BoolVar(&closing, "close", false, "also the way down")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		t := &tracer{w: c.OutOrStdout(), json: asJSON}
		card, err := sim.NewTrapped(ixgbe.Config{Wire: wire.NewLoop(), Trace: t.add})
		if err != nil {
			return err
		}
		d, err := nic.OpenFunction(c.Context(), card.Function("sim:trace"), f.config(c, 0))
		if err != nil {
			t.flush()
			return err
		}
		if !closing {
			t.flush()
			t.w = io.Discard
		}
		err = d.Close()
		t.flush()
		return err
	}
	return c
}

// tracer prints accesses, those that repeat each other as one.
type tracer struct {
	w     io.Writer
	json  bool
	last  ixgbe.Event
	times int
}

func (t *tracer) add(e ixgbe.Event) {
	if t.times > 0 && e == t.last {
		t.times++
		return
	}
	t.flush()
	t.last, t.times = e, 1
}

func (t *tracer) flush() {
	if t.times == 0 {
		return
	}
	if t.json {
		j := accessJSON{Op: "read", Offset: t.last.Off, Value: t.last.Value, Times: t.times}
		if t.last.Write {
			j.Op = "write"
		}
		if r, i := chip.Registers.Find(t.last.Off); r != nil {
			j.Register, j.Section = r.Label(i), r.Section
		}
		_ = printJSON(t.w, j)
	} else {
		again := ""
		if t.times > 1 {
			again = fmt.Sprintf(" %d times", t.times)
		}
		fmt.Fprintln(t.w, sim.Describe(t.last)+again)
	}
	t.times = 0
}
