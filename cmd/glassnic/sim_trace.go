package main

import (
	"fmt"
	"io"
	"sync"
	"time"

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
		asJSON, closing, module bool
		socket, port            string
		d                       time.Duration
		f                       portFlags
	)
	c := &cobra.Command{
		Use: "trace", Short: "Print what a driver and a card say to each other", Args: wants,
		Long: `Start our driver on a simulated 82599 that sees every register access, and print each with its
fields and the datasheet's section. The same access many times in a row is one line.

With --vfio-user SOCKET the driver is that of a virtual machine, which gets the card as by sim serve --vfio-user, and
accesses are printed as they come, until Ctrl-C.`,
	}
	f.add(c, false, linkWait)
	fs := c.Flags()
	fs.BoolVar(&closing, "close", false, "also the way down")
	fs.StringVar(&socket, "vfio-user", "", "socket to serve the card on to a virtual machine")
	fs.StringVar(&port, "port", "peer", "with --vfio-user: the card's wire, see sim wires")
	fs.BoolVar(&module, "sfp", false, "with --vfio-user: the card has a cage with an SFP+ module in it instead of a backplane")
	durationFlag(c, &d, 0, "with --vfio-user: end after so long (0: Ctrl-C)")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, _ []string) error {
		t := &tracer{w: c.OutOrStdout(), json: asJSON}
		if socket != "" {
			w, err := wire.Parse(port)
			if err != nil {
				return err
			}
			ctx, cancel := limit(c, d)
			defer cancel()
			defer t.flush()
			return serveVFIOUser(ctx, c, vfioCard{socket: socket, module: module, wire: w, trace: t.add}, func() {}, func(*ixgbe.Card) {})
		}
		if module || d != 0 || c.Flags().Changed("port") {
			return usage("--port, --sfp and --duration: want --vfio-user")
		}
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
	mu    sync.Mutex // for what follows
	last  ixgbe.Event
	times int
}

func (t *tracer) add(e ixgbe.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.times > 0 && e == t.last {
		t.times++
		return
	}
	t.print()
	t.last, t.times = e, 1
}

// flush prints what may have been repeated.
func (t *tracer) flush() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.print()
}

func (t *tracer) print() {
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
