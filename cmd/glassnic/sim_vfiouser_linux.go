package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
	"glassnic/sim/vfiouser"
	"glassnic/sim/wire"
)

// serveVFIOUser gives a card on a wire to virtual machines, one after another. What they did to its registers is
// written to a file in the end, if one is named.
func serveVFIOUser(ctx context.Context, c *cobra.Command, socket, accesses string, module bool, end wire.End, p servePrinter) (failed error) {
	defer func() { failed = errors.Join(failed, end.Close()) }()
	start, space := time.Now(), iommu.New()
	cfg := ixgbe.Config{
		Name: "vfio-user:" + socket, Device: 0x10f7, Memory: space, Wire: end, Clock: func() time.Duration { return time.Since(start) },
	}
	if module {
		cfg.Device, cfg.Module = 0x10fb, true
	}
	if accesses != "" {
		f, err := os.Create(accesses)
		if err != nil {
			return err
		}
		var count ixgbe.Accesses
		cfg.Trace = count.Add
		defer func() { failed = errors.Join(failed, count.Print(f), f.Close()) }()
	}
	card, err := ixgbe.New(cfg)
	if err != nil {
		return err
	}
	log := logger(c)
	s, err := vfiouser.Listen(socket, card, space, func(format string, args ...any) { log.Debug(fmt.Sprintf(format, args...)) })
	if err != nil {
		return err
	}
	p.ready()
	err = s.Run(ctx)
	p.total(0, stationsOf(card, end))
	return errors.Join(err, s.Close())
}
