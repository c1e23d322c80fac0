package main

import (
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"glassnic/nic"
)

var ledStates = map[string]nic.LEDState{"auto": nic.LEDAuto, "on": nic.LEDOn, "off": nic.LEDOff, "blink": nic.LEDBlink}

func newDevLED() *cobra.Command {
	var d time.Duration
	c := &cobra.Command{
		Use: "led ADDR N blink|on|off|auto", Short: "Set an LED, to see which card is which", Args: wants, ValidArgsFunction: completePorts,
		Long: `Open a port and set LED N until the duration or Ctrl-C ends, then give the LED back to the card.`,
	}
	f := &portFlags{}
	f.add(c, false, 0)
	durationFlag(c, &d, 10*time.Second, "how long (0: until Ctrl-C)")
	c.RunE = func(c *cobra.Command, args []string) error {
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return usage("LED %q: want its number", args[1])
		}
		state, ok := ledStates[args[2]]
		if !ok {
			return usage("LED state %q: want blink, on, off or auto", args[2])
		}
		return f.with(c, args[:1], func(ports []nic.Device) error {
			k, ok := ports[0].(nic.LEDs)
			if !ok {
				return fmt.Errorf("%s: driver %s sets no LEDs", args[0], ports[0].Info().Driver)
			}
			if err := k.SetLED(n, state); err != nil || state == nic.LEDAuto {
				return err
			}
			ctx, cancel := limit(c, d)
			defer cancel()
			<-ctx.Done()
			return k.SetLED(n, nic.LEDAuto)
		})
	}
	return c
}
