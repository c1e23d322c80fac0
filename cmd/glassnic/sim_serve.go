package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/internal/cpu"
	"glassnic/sim"
	"glassnic/sim/ixgbe"
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
		descs    []string
		socket   string
		accesses string
		module   bool
		memory   number
		pin      cpus
		asJSON   bool
		d        time.Duration
	)
	c := &cobra.Command{
		Use: "serve DIR", Short: "Publish simulated cards for drivers in other processes, or one for a virtual machine",
		Long: `Publish simulated 82599 cards in a directory, best below /dev/shm, for drivers in other processes:
port N has the address shm:DIR/pN. Prints a line for each port when all are ready, and totals on Ctrl-C.
Either side may be killed and started again. See sim wires for what --port takes.

With --vfio-user SOCKET, and without a directory, one card becomes a PCI device of a virtual machine, whose memory is
shared with it. QEMU from 10.1 on takes it by these arguments:
  -object memory-backend-memfd,id=mem,size=1G,share=on -M q35,memory-backend=mem
  -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"SOCKET"}}'`,
	}
	c.Args = func(c *cobra.Command, args []string) error {
		if socket == "" {
			return wants(c, args)
		}
		if len(args) > 0 {
			return usage("--vfio-user: takes no directory")
		}
		return nil
	}
	fs := c.Flags()
	fs.StringArrayVar(&descs, "port", nil, "a card on this wire; once for each card (none: two cards on peer)")
	fs.StringVar(&socket, "vfio-user", "", "socket to serve one card on to a virtual machine")
	fs.StringVar(&accesses, "accesses", "", "with --vfio-user: write to this file, at the end, which registers were read and written how often")
	fs.BoolVar(&module, "sfp", false, "with --vfio-user: the card has a cage with an SFP+ module in it instead of a backplane")
	fs.Var(&memory, "memory", "bytes of memory for DMA, such as 1G (0: 256 MiB)")
	fs.Var(&pin, "cpu", "CPU of the cards")
	durationFlag(c, &d, 0, "end after so long (0: Ctrl-C)")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		if accesses != "" && socket == "" {
			return usage("--accesses: wants --vfio-user, whose cards see reads")
		}
		if module && socket == "" {
			return usage("--sfp: wants --vfio-user, whose cards see reads")
		}
		if len(pin) > 1 {
			return usage("--cpu %v: one thread serves all cards, give one CPU", &pin)
		}
		if memory > 1<<40 {
			return usage("--memory %v: want up to 1 TiB", &memory)
		}
		if len(descs) == 0 {
			descs = []string{"peer", "peer"}
			if socket != "" {
				descs = descs[:1]
			}
		}
		if socket != "" && len(descs) > 1 {
			return usage("--port: with --vfio-user there is one card")
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
		ctx, cancel := limit(c, d)
		defer cancel()
		p := servePrinter{w: c.OutOrStdout(), descs: descs, json: asJSON}
		if socket != "" {
			p.address = func(int) string { return "vfio-user:" + socket }
			return serveCard(ctx, c, vfioCard{socket: socket, module: module, wire: wires[0]}, accesses, p)
		}
		s, err := sim.NewServer(args[0], int(memory), wires)
		if err != nil {
			return err
		}
		p.address = func(i int) string { return "shm:" + filepath.Join(args[0], fmt.Sprintf("p%d", i)) }
		p.ready()
		err = s.Run(ctx, nil)
		for i, port := range s.Ports() {
			port.Card.Sync()
			p.total(i, stationsOf(port.Card, port.Wire))
		}
		return errors.Join(err, s.Close())
	}
	return c
}

// vfioCard is a card for a virtual machine.
type vfioCard struct {
	socket string
	module bool // in a cage, else a backplane
	wire   wire.End
	trace  func(ixgbe.Event) // nil: none
}

// serveCard gives a card to virtual machines. What they did to its registers is written to a file in the end, if one is named.
func serveCard(ctx context.Context, c *cobra.Command, v vfioCard, accesses string, p servePrinter) (failed error) {
	if accesses != "" {
		f, err := os.Create(accesses)
		if err != nil {
			return errors.Join(err, v.wire.Close())
		}
		var count ixgbe.Accesses
		v.trace = count.Add
		defer func() { failed = errors.Join(failed, count.Print(f), f.Close()) }()
	}
	return serveVFIOUser(ctx, c, v, p.ready, func(card *ixgbe.Card) { p.total(0, stationsOf(card, v.wire)) })
}

type servePrinter struct {
	w       io.Writer
	address func(i int) string
	descs   []string
	json    bool
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
