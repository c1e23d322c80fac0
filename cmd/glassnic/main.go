// Command glassnic runs network cards from user space: it lists, forwards, generates, captures,
// simulates and measures. Each verb is a file.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"glassnic/bus/pci"
	_ "glassnic/driver/all"
	_ "glassnic/sim" // the address sim:WIRE
)

// Exit codes.
const (
	exitFailure = 1
	exitUsage   = 2
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run runs one command line and returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	// The first signal ends the work in order, a second one the process.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	// A reader that goes away must not kill the process while a card does DMA.
	signal.Ignore(syscall.SIGPIPE)
	out := &output{w: stdout, stop: stop}

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(out)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	pprof.StopCPUProfile()
	var wrong usageError
	switch {
	case errors.As(err, &wrong):
		fmt.Fprintf(stderr, "%s: %v\nsee `%s --help`\n", cmd.CommandPath(), err, cmd.CommandPath())
		return exitUsage
	case errors.Is(err, syscall.EPIPE) || errors.Is(out.err, syscall.EPIPE):
		return exitFailure
	case err != nil:
		fmt.Fprintf(stderr, "glassnic: %v\n", err)
		return exitFailure
	case out.err != nil:
		fmt.Fprintf(stderr, "glassnic: write output: %v\n", out.err)
		return exitFailure
	}
	return 0
}

func newRoot() *cobra.Command {
	root := group("glassnic", "Network cards driven from user space", newDev(), newSim(), newBench())
	root.AddCommand(newFwd(), newGen(), newCap(), newLadder(), newDoctor(), newMan())
	root.Long = `glassnic drives network cards from user space.

A port is addressed as
  0000:03:00.0, 03:00.0  a PCI card that no kernel driver has (dev list, dev unbind)
  shm:DIR/pN             a simulated card in another process (sim serve)
  sim:WIRE               a simulated card in this process (sim wires)
  pcap:[IN][,OUT]        capture files: received from IN, sent to OUT; then options:
                         ,pace ,loop[=N] ,pad ,rotate=SIZE ,every=TIME ,files=N
  vhost-user:PATH        a virtual machine's card, or that of another process's virtio driver, which connects to this
                         socket; PATH,client where we connect
  virtio-user:PATH       a virtual switch, as Open vSwitch and DPDK have it, by the socket of its vhost-user port;
                         PATH,server where it connects to us
  xdp:IFNAME             an interface of the kernel, by AF_XDP sockets; then options:
                         ,mode=native|generic ,copy ,busy-poll[=FRAMES], and
                         ,filter=EXPRESSION: the kernel keeps what does not match
  packet:IFNAME          an interface of the kernel, by a packet socket
  tap:NAME               a TAP interface, which is made if there is none; by vhost-net where this user may open it,
                         unless ,vhost=off follows
  vhost-net:NAME         a TAP interface by vhost-net

Data goes to stdout, messages to stderr. Exit codes: 0 ok, 1 failure, 2 wrong usage.`
	root.Version = version()
	root.SilenceErrors, root.SilenceUsage, root.DisableAutoGenTag = true, true, true
	root.PersistentFlags().BoolP("verbose", "v", false, "log every step to stderr")
	root.PersistentFlags().String("cpuprofile", "", "write a CPU profile to this file, such as default.pgo is made of")
	root.PersistentPreRunE = profile
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return root
}

// profile starts the CPU profile that --cpuprofile asks for.
func profile(c *cobra.Command, _ []string) error {
	path, err := c.Flags().GetString("cpuprofile")
	if err != nil || path == "" {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}

// usageError is a command line that cannot be carried out as it is written.
type usageError struct{ error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// group makes a command that only has verbs.
func group(name, short string, verbs ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: name, Short: short, SuggestionsMinimumDistance: 2}
	c.AddCommand(verbs...)
	c.Args = func(c *cobra.Command, args []string) error {
		var names []string
		for _, v := range c.Commands() {
			if v.IsAvailableCommand() {
				names = append(names, v.Name())
			}
		}
		have := strings.Join(names, ", ")
		if len(args) == 0 {
			return usage("a command is missing: %s", have)
		}
		if near := c.SuggestionsFor(args[0]); len(near) > 0 {
			return usage("no command %q: did you mean %s?", args[0], strings.Join(near, " or "))
		}
		return usage("no command %q: have %s", args[0], have)
	}
	c.RunE = func(*cobra.Command, []string) error { return nil }
	return c
}

// completePorts offers the addresses of PCI cards to shells.
func completePorts(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	// A, B and ADDR stand for ports.
	if len(args) >= strings.Count(c.Use, " A")+strings.Count(c.Use, " B") {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var found []string
	list, _ := pci.Sysfs{}.List()
	for _, d := range list {
		found = append(found, d.Address+"\t"+title(d))
	}
	return append(found, "sim:\ta simulated card", "shm:\ta simulated card in another process", "pcap:\tcapture files",
		"packet:\tan interface of the kernel", "xdp:\tan interface of the kernel, by AF_XDP", "tap:\ta TAP interface", "vhost-net:\ta TAP interface, by vhost-net", "vhost-user:\ta virtual machine's card",
		"virtio-user:\ta virtual switch's vhost-user port"), cobra.ShellCompDirectiveNoFileComp
}

// wants checks that there is one argument for each word of a command's Use after the first.
func wants(c *cobra.Command, args []string) error {
	names := strings.Fields(c.Use)[1:]
	if len(args) == len(names) {
		return nil
	}
	if len(names) == 0 {
		return usage("takes no argument, not %q", args)
	}
	return usage("want %s, got %d arguments", strings.Join(names, " "), len(args))
}
