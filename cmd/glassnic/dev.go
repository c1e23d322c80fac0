package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"glassnic/bus/pci"
	"glassnic/nic"
)

func newDev() *cobra.Command {
	var sys pci.Sysfs
	dev := group("dev", "Network cards: list, bind, look inside",
		newDevList(&sys), newDevInfo(&sys), newDevBind(&sys), newDevUnbind(&sys), newDevRegs(), newDevLED(), newDevStats())
	dev.PersistentFlags().StringVar(&sys.Root, "sysfs", "", "where sysfs is mounted, if not at /sys")
	_ = dev.PersistentFlags().MarkHidden("sysfs")
	return dev
}

// deviceJSON is a PCI network device as --json prints it.
type deviceJSON struct {
	Address    string          `json:"address"`
	ID         string          `json:"id"`
	Vendor     string          `json:"vendor"`
	Name       string          `json:"name"`
	Driver     string          `json:"driver"` // the kernel's
	NUMANode   int             `json:"numa_node"`
	IOMMUGroup int             `json:"iommu_group"`
	Interfaces []interfaceJSON `json:"interfaces"`
	State      string          `json:"state"`
	ServedBy   string          `json:"served_by"` // the driver here
}

type interfaceJSON struct {
	Name  string   `json:"name"`
	State string   `json:"state"`
	Up    bool     `json:"up"`
	MAC   string   `json:"mac"`
	Over  []string `json:"over,omitempty"`
}

func newDeviceJSON(d pci.Device) deviceJSON {
	j := deviceJSON{
		Address: d.Address, ID: d.ID.String(), Vendor: d.Vendor, Name: d.Name, Driver: d.Driver,
		NUMANode: d.NUMANode, IOMMUGroup: d.IOMMUGroup, Interfaces: []interfaceJSON{},
		State: state(d), ServedBy: nic.DriverFor(d.ID),
	}
	for _, i := range d.Interfaces {
		j.Interfaces = append(j.Interfaces, interfaceJSON(i))
	}
	return j
}

// state says in a word who has a device: "free" for nobody.
func state(d pci.Device) string {
	switch {
	case d.Driver == "":
		return "free"
	case len(d.Interfaces) == 0:
		return "bound"
	}
	s := "down"
	for _, i := range d.Interfaces {
		if i.Up || i.State == "up" {
			s = "up"
		}
	}
	return s
}

// names are those of the interfaces of a device.
func names(d pci.Device) string {
	var s []string
	for _, i := range d.Interfaces {
		s = append(s, i.Name)
	}
	return strings.Join(s, ",")
}

// title is the name of a device, or its number where nobody knows a name.
func title(d pci.Device) string {
	if d.Name == "" {
		return strings.TrimSpace(d.Vendor + " " + d.ID.String())
	}
	return strings.TrimSpace(d.Vendor + " " + d.Name)
}

func newDevList(sys *pci.Sysfs) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the PCI network cards; needs no root and touches nothing", Args: wants,
		Long: `List the PCI network cards. Needs no root and touches nothing.

STATE is up or down for a card with a kernel interface, bound for one whose kernel driver shows none,
free for one without a kernel driver: that one can be opened. SERVED BY is the glassnic driver.`,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := sys.List()
			if err != nil {
				return err
			}
			if asJSON {
				for _, d := range list {
					if err := printJSON(c.OutOrStdout(), newDeviceJSON(d)); err != nil {
						return err
					}
				}
				return nil
			}
			rows := [][]string{{"ADDRESS", "NAME", "DRIVER", "NUMA", "IOMMU", "INTERFACES", "STATE", "SERVED BY"}}
			for _, d := range list {
				rows = append(rows, []string{
					d.Address, title(d), or(d.Driver, "-"), orNone(d.NUMANode), orNone(d.IOMMUGroup), or(names(d), "-"),
					state(d), or(nic.DriverFor(d.ID), "-"),
				})
			}
			if len(list) == 0 {
				fmt.Fprintln(c.ErrOrStderr(), "glassnic: no PCI network card here; `glassnic sim demo` needs none")
			}
			return table(c.OutOrStdout(), rows)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}
