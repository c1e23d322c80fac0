package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/internal/cpu"
	"glassnic/sim"
	"glassnic/sim/wire"
)

// servedJSON is a line of sim serve: type "ready" or "total" for each port.
type servedJSON struct {
	Type string `json:"type"`
	Port string `json:"port"` // its address
	Wire string `json:"wire"`
	*stations
}

func newSimServe() *cobra.Command {
	var (
		descs  []string
		memory number
		pin    cpus
		asJSON bool
		d      time.Duration
	)
	c := &cobra.Command{
		Use: "serve DIR", Short: "Publish simulated cards for drivers in other processes", Args: wants,
		Long: `Publish simulated 82599 cards in a directory, best below /dev/shm, for drivers in other processes:
port N has the address shm:DIR/pN. Prints a line for each port when all are ready, and totals on Ctrl-C.
Either side may be killed and started again. See sim wires for what --port takes.`,
	}
	fs := c.Flags()
	fs.StringArrayVar(&descs, "port", nil, "a card on this wire; once for each card (none: two cards on peer)")
	fs.Var(&memory, "memory", "bytes of memory for DMA, such as 1G (0: 256 MiB)")
	fs.Var(&pin, "cpu", "CPU of the cards")
	durationFlag(c, &d, 0, "end after so long (0: Ctrl-C)")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(pin) > 1 {
			return usage("--cpu %v: one thread serves all cards, give one CPU", &pin)
		}
		if memory > 1<<40 {
			return usage("--memory %v: want up to 1 TiB", &memory)
		}
		if len(descs) == 0 {
			descs = []string{"peer", "peer"}
		}
		wires, err := openWires(descs)
		if err != nil {
			return err
		}
		runtime.LockOSThread() // for good where the thread is pinned: the process ends soon after
		if len(pin) == 1 {
			if err := cpu.Pin(pin[0]); err != nil {
				return errors.Join(err, closeAll(wires))
			}
		}
		s, err := sim.NewServer(args[0], int(memory), wires)
		if err != nil {
			return err
		}
		p := servePrinter{w: c.OutOrStdout(), dir: args[0], descs: descs, json: asJSON}
		p.ready()
		ctx, cancel := limit(c, d)
		defer cancel()
		err = s.Run(ctx, nil)
		for i, port := range s.Ports() {
			port.Card.Sync()
			p.total(i, stationsOf(port.Card, port.Wire))
		}
		return errors.Join(err, s.Close())
	}
	return c
}

type servePrinter struct {
	w     io.Writer
	dir   string
	descs []string
	json  bool
}

func (p *servePrinter) address(i int) string {
	return "shm:" + filepath.Join(p.dir, fmt.Sprintf("p%d", i))
}

// ready is one write, so that whoever waits for a line finds all.
func (p *servePrinter) ready() {
	var b strings.Builder
	for i, desc := range p.descs {
		if p.json {
			_ = printJSON(&b, servedJSON{Type: "ready", Port: p.address(i), Wire: desc})
			continue
		}
		fmt.Fprintf(&b, "serving %s  %s\n", p.address(i), desc)
	}
	_, _ = io.WriteString(p.w, b.String())
}

func (p *servePrinter) total(i int, s stations) {
	if p.json {
		_ = printJSON(p.w, servedJSON{Type: "total", Port: p.address(i), Wire: p.descs[i], stations: &s})
		return
	}
	fmt.Fprintf(p.w, "total %s  %s\n", p.address(i), p.descs[i])
	rows := [][]string{
		{"  wire to card", fmt.Sprint(s.Wire.RxFrames)},
		{"  card received", fmt.Sprint(s.Card.RxFrames), reasons(s.Card.rxDrops())},
		{"  card to memory", fmt.Sprint(s.Card.RxHost)},
		{"  card sent", fmt.Sprint(s.Card.TxSent), reasons(s.Card.txDrops())},
		{"  card to wire", fmt.Sprint(s.Wire.TxFrames)},
	}
	if s.Wire.Dropped > 0 {
		rows = append(rows, []string{"  dropped by wire", fmt.Sprint(s.Wire.Dropped)})
	}
	if n := s.Checked.frames(); n > 0 {
		rows = append(rows, []string{"  sink checked", fmt.Sprint(n), or(reasons(s.Checked.bad()), "all ok")})
	}
	_ = table(p.w, rows)
}

// openWires opens the wires of ports; cable=NAME joins two of them.
func openWires(descs []string) (wires []wire.End, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll(wires))
		}
	}()
	loose := map[string]wire.End{}
	for _, desc := range descs {
		name, ok := strings.CutPrefix(desc, "cable=")
		if !ok {
			w, err := wire.Parse(desc)
			if err != nil {
				return wires, err
			}
			wires = append(wires, w)
			continue
		}
		end := loose[name]
		if end == nil {
			a, b := wire.Cable()
			end, loose[name] = a, b
		} else {
			delete(loose, name)
		}
		wires = append(wires, end)
	}
	for name := range loose {
		return wires, usage("--port cable=%s: a cable joins two ports, give the same name to another one", name)
	}
	return wires, nil
}

func closeAll(wires []wire.End) error {
	var errs []error
	for _, w := range wires {
		errs = append(errs, w.Close())
	}
	return errors.Join(errs...)
}
