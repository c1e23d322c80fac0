package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use: "man DIR", Short: "Write the man pages to a directory", Hidden: true, Args: wants,
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return fmt.Errorf("man pages: %w", err)
			}
			return doc.GenManTree(c.Root(), &doc.GenManHeader{Title: "GLASSNIC", Section: "1", Source: "glassnic", Manual: "glassnic"}, args[0])
		},
	}
}
