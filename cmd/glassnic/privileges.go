package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"glassnic/bus"
	"glassnic/bus/pci"
	"glassnic/internal/sandbox"
)

// privileges say what a process keeps once its ports are open.
type privileges struct {
	user string
	keep bool
}

func (p *privileges) add(c *cobra.Command) {
	c.Flags().StringVar(&p.user, "user", "", "drop privileges with ports of any kind; root becomes this user (over VFIO that is the default, and the user nobody)")
	c.Flags().BoolVar(&p.keep, "no-drop", false, "keep privileges")
}

func (p *privileges) check() error {
	if p.keep && p.user != "" {
		return usage("--user %s and --no-drop: give one of them", p.user)
	}
	return nil
}

// reach is what memory of the machine a port's card can get at.
type reach int

const (
	reachNone  reach = iota // there is no such card: it is a model
	reachGiven              // an IOMMU keeps it to what the port gave it
	reachAll
	reachSocket // there is none, and whoever plays the other side comes and goes by a socket
)

func reachOf(sys pci.Sysfs, addr string) reach {
	scheme, rest := bus.SplitAddress(addr)
	switch scheme {
	case "vfio":
		return reachGiven
	case "pci":
		if d, err := sys.Device(rest); err == nil && pci.IsVFIO(d.Driver) {
			return reachGiven
		}
		return reachAll
	case "vhost-user", "virtio-user":
		return reachSocket
	}
	return reachNone
}

// wanted tells whether privileges are dropped: with a card behind an IOMMU, or where a user was named. By physical
// address they are not by default, as what is dropped could be had back through the card.
func (p *privileges) wanted(ports []reach) bool {
	return !p.keep && (p.user != "" || slices.Contains(ports, reachGiven))
}

// drop drops privileges when the ports at some addresses are open. It says on stderr what is not as safe as it could be,
// and with --verbose what is in force.
func (p *privileges) drop(c *cobra.Command, sys pci.Sysfs, addrs []string) error {
	var ports []reach
	for _, a := range addrs {
		r := reachOf(sys, a)
		ports = append(ports, r)
		if r == reachAll {
			fmt.Fprintf(c.ErrOrStderr(), "glassnic: %s is driven by physical address: it can reach all memory of this machine, and so can who takes over this process; "+
				"behind an IOMMU, `glassnic dev bind %s --driver vfio-pci` keeps it to its own\n", a, a)
		}
	}
	if !p.wanted(ports) {
		return nil
	}
	if i := slices.Index(ports, reachSocket); i >= 0 {
		// The next partner's connection and memory take system calls that a process without privileges does not have.
		if p.user != "" {
			return fmt.Errorf("--user %s: %s needs sockets for as long as it is open: leave --user out, and start glassnic as that user", p.user, addrs[i])
		}
		fmt.Fprintf(c.ErrOrStderr(), "glassnic: privileges are kept: %s needs sockets for as long as it is open\n", addrs[i])
		return nil
	}
	r, err := sandbox.Drop(sandbox.Options{User: p.user})
	if err != nil {
		return fmt.Errorf("drop privileges: %w; --no-drop keeps them", err)
	}
	if l := logger(c); l != nil {
		l.Info(fmt.Sprintf("privileges dropped: %v", r))
	}
	if r.Landlock == 0 {
		fmt.Fprintln(c.ErrOrStderr(), "glassnic: this kernel has no Landlock: files are shut by seccomp alone; boot with landlock in lsm=")
	}
	return nil
}
