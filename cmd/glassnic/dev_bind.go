package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glassnic/bus/pci"
)

// bindFlags are those of bind and unbind.
type bindFlags struct{ force, dryRun, json bool }

func (f *bindFlags) add(c *cobra.Command) {
	c.Flags().BoolVar(&f.force, "force", false, "also take a card that the system uses, which cuts what runs over it")
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the steps and change nothing")
	jsonFlag(c, &f.json)
}

// bindJSON is what bind and unbind did, or would do.
type bindJSON struct {
	Address string   `json:"address"`
	DryRun  bool     `json:"dry_run"`
	Steps   []string `json:"steps"`
	Undo    string   `json:"undo"`            // "" where nothing was changed
	Needs   []string `json:"needs,omitempty"` // what else --user takes
}

func newDevBind(sys *pci.Sysfs) *cobra.Command {
	var (
		f            bindFlags
		driver, name string
	)
	c := &cobra.Command{
		Use: "bind ADDR", Short: "Give a PCI card to a kernel driver", Args: wants, ValidArgsFunction: completePorts,
		Long: `Give a PCI card to a kernel driver, taking it from another one if need be. Prints the steps and
the command that undoes them. Refuses a card that the system uses.

With --driver vfio-pci the card can be opened here behind the IOMMU, which keeps it to the memory that it is
given. With --user as well, an ordinary user can open it; what else that takes is printed.`,
		RunE: func(c *cobra.Command, args []string) error {
			if name != "" {
				if driver == "" {
					driver = "vfio-pci"
				}
				if !pci.IsVFIO(driver) {
					return usage("--user %s: only a card at vfio-pci can be given to a user, not one at %s", name, driver)
				}
			}
			ch := change{
				plan: func(addr string) (_, _ pci.Plan, _ error) { return sys.PlanBind(addr, driver) },
				do:   func(addr string) (pci.Plan, error) { return sys.Bind(addr, driver, f.force) },
			}
			if name != "" {
				g, err := newGrant(sys, args[0], name)
				if err != nil {
					return err
				}
				ch.grant = g
			}
			return f.carryOut(c, sys, args[0], ch)
		},
	}
	c.Flags().StringVar(&driver, "driver", "", "kernel driver, such as ixgbe or vfio-pci (none: the kernel chooses)")
	c.Flags().StringVar(&name, "user", "", "an ordinary user who may open the card by vfio-pci")
	f.add(c)
	return c
}

func newDevUnbind(sys *pci.Sysfs) *cobra.Command {
	var (
		f      bindFlags
		driver string
	)
	c := &cobra.Command{
		Use: "unbind ADDR", Short: "Take a PCI card from its kernel driver, to open it here", Args: wants, ValidArgsFunction: completePorts,
		Long: `Take a PCI card from its kernel driver, so that glassnic can open it. Prints the steps and the
command that undoes them. Refuses a card that the system uses.`,
		RunE: func(c *cobra.Command, args []string) error {
			if d, err := sys.Device(args[0]); err == nil && driver != "" && d.Driver != driver {
				return fmt.Errorf("unbind %s: driver %q has it, not %q: leave --driver out to unbind all the same", d.Address, d.Driver, driver)
			}
			return f.carryOut(c, sys, args[0], change{plan: sys.PlanUnbind, do: func(addr string) (pci.Plan, error) { return sys.Unbind(addr, f.force) }})
		},
	}
	c.Flags().StringVar(&driver, "driver", "", "only if this kernel driver has the card")
	f.add(c)
	return c
}

// change is a bind or an unbind.
type change struct {
	plan  func(addr string) (plan, undo pci.Plan, err error)
	do    func(addr string) (undo pci.Plan, err error)
	grant *grant // nil for nobody
}

func (f *bindFlags) carryOut(c *cobra.Command, sys *pci.Sysfs, addr string, ch change) error {
	before, err := sys.Device(addr)
	if err != nil {
		return err
	}
	plan, _, err := ch.plan(addr)
	if err != nil {
		return err
	}
	if len(plan) == 0 && ch.grant == nil {
		fmt.Fprintf(c.ErrOrStderr(), "glassnic: %s: nothing to do, its kernel driver is %s\n", before.Address, or(before.Driver, "none"))
	}
	done := newBindJSON(before, plan, ch.grant)
	done.DryRun = f.dryRun
	if f.dryRun {
		if err := f.print(c, done); err != nil {
			return err
		}
		if len(plan) == 0 || f.force {
			return nil
		}
		if err := sys.InUse(addr); err != nil {
			return fmt.Errorf("it would be refused: %w", err)
		}
		return nil
	}
	if undo, err := ch.do(addr); err != nil {
		if len(undo) > 0 {
			fmt.Fprintf(c.ErrOrStderr(), "glassnic: stopped half-way; this undoes it:\n%v", undo)
		}
		return err
	}
	if err := ch.grant.carryOut(); err != nil {
		return fmt.Errorf("%w; what was done until then is undone by `%s`", err, done.Undo)
	}
	return f.print(c, done)
}

// newBindJSON describes a change of a device.
func newBindJSON(before pci.Device, plan pci.Plan, g *grant) bindJSON {
	j := bindJSON{Address: before.Address, Steps: []string{}}
	var undo []string
	for _, s := range plan {
		j.Steps = append(j.Steps, s.String())
	}
	if len(plan) > 0 {
		undo = append(undo, undoCommand(before))
	}
	if g != nil {
		j.Steps = append(j.Steps, g.String())
		j.Needs = g.needs()
		if g.stays {
			undo = append(undo, g.undo())
		}
	}
	j.Undo = strings.Join(undo, " && ")
	return j
}

// undoCommand gives a device back to whom it belonged before.
func undoCommand(before pci.Device) string {
	if before.Driver == "" {
		return "glassnic dev unbind " + before.Address
	}
	return fmt.Sprintf("glassnic dev bind %s --driver %s", before.Address, before.Driver)
}

func (f *bindFlags) print(c *cobra.Command, j bindJSON) error {
	if f.json {
		return printJSON(c.OutOrStdout(), j)
	}
	if len(j.Steps) == 0 {
		return nil
	}
	_, err := fmt.Fprintf(c.OutOrStdout(), "steps:\n  %s\nundo:\n  %s\n", strings.Join(j.Steps, "\n  "), j.Undo)
	if err == nil && len(j.Needs) > 0 {
		_, err = fmt.Fprintf(c.OutOrStdout(), "also needed:\n  %s\n", strings.Join(j.Needs, "\n  "))
	}
	return err
}
