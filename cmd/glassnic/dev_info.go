package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/bus"
	"glassnic/bus/pci"
	"glassnic/nic"
)

// infoJSON is an open port as --json prints it.
type infoJSON struct {
	Address  string `json:"address"`
	Driver   string `json:"driver"` // the one here
	Card     string `json:"card"`
	MAC      string `json:"mac"`
	NUMANode int    `json:"numa_node"`
	LinkUp   bool   `json:"link_up"`
	Speed    int    `json:"speed_mbit_s"`
	MTU      int    `json:"mtu"`
	Offloads string `json:"offloads"`
	Hash     string `json:"hash"`  // what the card can spread frames by
	Rules    string `json:"rules"` // what kinds of rules it can lead them by
	RxQueues int    `json:"rx_queues"`
	TxQueues int    `json:"tx_queues"`
	RxRing   int    `json:"rx_ring"`
	TxRing   int    `json:"tx_ring"`
	Buffers  int    `json:"buffers"`
	LEDs     int    `json:"leds"`
}

func newDevInfo(sys *pci.Sysfs) *cobra.Command {
	var asJSON, opened bool
	c := &cobra.Command{
		Use: "info ADDR", Short: "Say all about a card", Args: wants, ValidArgsFunction: completePorts,
		Long: `Say all about a card. Of a PCI card it tells what the system knows and touches nothing, unless
--open is given, which resets the card and starts it. Other ports are opened.`,
	}
	f := &portFlags{all: true}
	f.add(c, false, time.Second)
	c.Flags().BoolVar(&opened, "open", false, "also open a PCI card")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		addr := args[0]
		if bus.IsPCIAddress(addr) {
			if err := deviceInfo(c, sys, addr, asJSON); err != nil || !opened {
				return err
			}
		}
		return f.with(c, args, func(ports []nic.Device) error { return portInfo(c, ports[0], asJSON) })
	}
	return c
}

// deviceInfo prints what sysfs knows.
func deviceInfo(c *cobra.Command, sys *pci.Sysfs, addr string, asJSON bool) error {
	d, err := sys.Device(addr)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), newDeviceJSON(d))
	}
	list := [][2]string{
		{"address", d.Address},
		{"name", title(d)},
		{"id", fmt.Sprintf("%v, subsystem %04x:%04x, revision %02x, class %06x", d.ID, d.ID.Subvendor, d.ID.Subdevice, d.ID.Revision, d.ID.Class)},
		{"kernel driver", or(d.Driver, "-")},
		{"served by", or(nic.DriverFor(d.ID), "no driver here")},
		{"NUMA node", orNone(d.NUMANode)},
		{"IOMMU group", orNone(d.IOMMUGroup)},
		{"state", state(d)},
	}
	for _, i := range d.Interfaces {
		list = append(list, [2]string{"interface", strings.TrimSpace(fmt.Sprintf("%s %s, MAC %s %s", i.Name, i.State, i.MAC, strings.Join(i.Over, ", ")))})
	}
	list = append(list, [2]string{"capabilities", capabilities(sys, d.Address)})
	// Whether a card without kernel driver is in use shows only by locking it.
	if d.Driver != "" {
		if err := sys.InUse(d.Address); err != nil {
			list = append(list, [2]string{"in use", err.Error()})
		}
	}
	return pairs(c.OutOrStdout(), list...)
}

// capabilities lists the capabilities as far as this user may read them.
func capabilities(sys *pci.Sysfs, addr string) string {
	cfg, err := sys.OpenConfig(addr, false)
	if err != nil {
		return ""
	}
	defer cfg.Close()
	list, err := pci.Capabilities(cfg)
	var s []string
	for _, k := range list {
		s = append(s, k.Name())
	}
	if err != nil {
		s = append(s, "more for root")
	}
	return strings.Join(s, ", ")
}

// portInfo prints what the driver knows.
func portInfo(c *cobra.Command, d nic.Device, asJSON bool) error {
	i := d.Info()
	l, err := d.Link()
	if err != nil {
		return err
	}
	leds := 0
	if k, ok := d.(nic.LEDs); ok {
		leds = k.LEDs()
	}
	hash := nic.HashProtocols(0)
	if k, ok := d.(nic.Hasher); ok {
		hash = k.Hashable()
	}
	steers := nic.RuleKinds(0)
	if k, ok := d.(nic.Filterer); ok {
		steers = k.Steerable()
	}
	if asJSON {
		return printJSON(c.OutOrStdout(), infoJSON{
			Address: i.Address, Driver: i.Driver, Card: i.Card, MAC: i.MAC.String(), NUMANode: i.NUMANode,
			LinkUp: l.Up, Speed: l.Speed, MTU: i.MTU, Offloads: i.Offloads.String(), Hash: hash.String(), Rules: steers.String(), RxQueues: i.RxQueues, TxQueues: i.TxQueues,
			RxRing: i.RxRing, TxRing: i.TxRing, Buffers: i.Pool.Len(), LEDs: leds,
		})
	}
	link := "down"
	if l.Up {
		link = fmt.Sprintf("up, %d Mbit/s", l.Speed)
	}
	return pairs(c.OutOrStdout(),
		[2]string{"address", i.Address},
		[2]string{"driver", i.Driver},
		[2]string{"card", i.Card},
		[2]string{"MAC", i.MAC.String()},
		[2]string{"NUMA node", orNone(i.NUMANode)},
		[2]string{"link", link},
		[2]string{"MTU", fmt.Sprint(i.MTU)},
		[2]string{"offloads", i.Offloads.String()},
		[2]string{"hash", hash.String()},
		[2]string{"rules", steers.String()},
		[2]string{"receive", fmt.Sprintf("%d queues of %d descriptors", i.RxQueues, i.RxRing)},
		[2]string{"transmit", fmt.Sprintf("%d queues of %d descriptors", i.TxQueues, i.TxRing)},
		[2]string{"buffers", fmt.Sprintf("%d of %d bytes", i.Pool.Len(), i.Pool.Room())},
		[2]string{"LEDs", fmt.Sprint(leds)},
	)
}
