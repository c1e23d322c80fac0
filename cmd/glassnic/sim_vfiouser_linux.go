package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"glassnic/sim/iommu"
	"glassnic/sim/ixgbe"
	"glassnic/sim/vfiouser"
	"glassnic/sim/wire"
)

// serveVFIOUser gives a card on a wire to virtual machines, one after another.
func serveVFIOUser(ctx context.Context, c *cobra.Command, socket string, end wire.End, p servePrinter) (err error) {
	defer func() { err = errors.Join(err, end.Close()) }()
	start, space := time.Now(), iommu.New()
	card, err := ixgbe.New(ixgbe.Config{
		Name: "vfio-user:" + socket, Device: 0x10f7, Memory: space, Wire: end, Clock: func() time.Duration { return time.Since(start) },
	})
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
