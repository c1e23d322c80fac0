package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"glassnic/app/forward"
)

// adaptiveFlag adds --adaptive.
func adaptiveFlag(c *cobra.Command, on *bool) {
	c.Flags().BoolVar(on, "adaptive", false, "let a worker with nothing to do sleep until a card has a frame")
}

// slept is the idle time of workers in a line.
func slept(s forward.Sleeps) string {
	return fmt.Sprintf("workers slept %d times, %.1f s in all, woken by a card %d times, %d of these for nothing", s.Sleeps, float64(s.Asleep)/1e9, s.Woken, s.Vain)
}
