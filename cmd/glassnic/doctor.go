package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"glassnic/internal/doctor"
)

func newDoctor() *cobra.Command {
	var (
		asJSON bool
		sys    doctor.System
	)
	c := &cobra.Command{
		Use: "doctor [ADDR...]", Short: "Say what this machine lacks for fast cards, and the command that mends it", Args: cobra.ArbitraryArgs,
		ValidArgsFunction: completePorts,
		Long: `Say what this machine lacks for fast cards, and what mends it: commands for a shell of root's, in which
$$ is the process that lacks something. It only reads.

With addresses of PCI cards it also says what keeps this user from opening these. Run it as the user who is
to open them.`,
		RunE: func(c *cobra.Command, addrs []string) error {
			out := c.OutOrStdout()
			checks := sys.Examine()
			for _, a := range addrs {
				more, err := sys.Card(a)
				if err != nil {
					return err
				}
				checks = append(checks, more...)
			}
			for _, k := range checks {
				if asJSON {
					if err := printJSON(out, k); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(out, "%-8s %s: %s\n", k.State, k.Name, k.Found)
				if k.State != doctor.OK {
					fmt.Fprintf(out, "         for:  %s\n         mend: %s\n", k.For, k.Cure)
				}
			}
			return nil
		},
	}
	c.Flags().StringVar(&sys.Root, "root", "", "examine the tree below this folder")
	_ = c.Flags().MarkHidden("root")
	jsonFlag(c, &asJSON)
	return c
}
