package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"glassnic/nic"
)

func newDevRegs() *cobra.Command {
	var (
		asJSON, zero bool
		filter       string
	)
	c := &cobra.Command{
		Use: "regs ADDR", Short: "Print a card's registers, decoded", Args: wants, ValidArgsFunction: completePorts,
		Long: `Open a port and print its registers with their fields and the datasheet's section. Those that a
read changes are left out, and, without --all, those that are zero.`,
	}
	f := &portFlags{}
	f.add(c, false, time.Second)
	c.Flags().StringVar(&filter, "filter", "", "only registers whose name matches this regular expression")
	c.Flags().BoolVar(&zero, "all", false, "also registers that are zero")
	jsonFlag(c, &asJSON)
	c.RunE = func(c *cobra.Command, args []string) error {
		match, err := regexp.Compile(filter)
		if err != nil {
			return usage("--filter: %w", err)
		}
		return f.with(c, args, func(ports []nic.Device) error {
			r, ok := ports[0].(nic.Registers)
			if !ok {
				return fmt.Errorf("%s: driver %s has no register table", args[0], ports[0].Info().Driver)
			}
			all, err := r.Registers()
			if err != nil {
				return err
			}
			rows, found := [][]string{{"OFFSET", "REGISTER", "VALUE", "FIELDS", "SECTION"}}, 0
			for _, reg := range all {
				if !match.MatchString(reg.Name) {
					continue
				}
				if found++; reg.Value == 0 && !zero {
					continue
				}
				if asJSON {
					if err := printJSON(c.OutOrStdout(), reg); err != nil {
						return err
					}
					continue
				}
				rows = append(rows, []string{
					fmt.Sprintf("0x%05x", reg.Offset), reg.Name, fmt.Sprintf("0x%08x", reg.Value), fields(reg), reg.Section,
				})
			}
			if found == 0 {
				return fmt.Errorf("%s: no register matches %q", args[0], filter)
			}
			if asJSON {
				return nil
			}
			return table(c.OutOrStdout(), rows)
		})
	}
	return c
}

// fields writes the fields of a register that are not zero.
func fields(r nic.Register) string {
	var s []string
	for _, f := range r.Fields {
		if f.Value != 0 {
			s = append(s, fmt.Sprintf("%s=%#x", f.Name, f.Value))
		}
	}
	return or(strings.Join(s, " "), "-")
}
