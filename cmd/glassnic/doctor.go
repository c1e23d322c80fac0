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
		Use: "doctor", Short: "Say what this machine lacks for fast cards, and the command that mends it", Args: wants,
		RunE: func(c *cobra.Command, _ []string) error {
			out := c.OutOrStdout()
			for _, k := range sys.Examine() {
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
