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
)

// serveVFIOUser gives a card to virtual machines, one after another, and calls ready when it is there and done at the end.
func serveVFIOUser(ctx context.Context, c *cobra.Command, v vfioCard, ready func(), done func(*ixgbe.Card)) (failed error) {
	defer func() { failed = errors.Join(failed, v.wire.Close()) }()
	start, space := time.Now(), iommu.New()
	cfg := ixgbe.Config{
		Name: "vfio-user:" + v.socket, Device: 0x10f7, Memory: space, Wire: v.wire, Trace: v.trace,
		Clock: func() time.Duration { return time.Since(start) },
	}
	if v.module {
		cfg.Device, cfg.Module = 0x10fb, true
	}
	card, err := ixgbe.New(cfg)
	if err != nil {
		return err
	}
	log := logger(c)
	s, err := vfiouser.Listen(v.socket, card, space, func(format string, args ...any) { log.Debug(fmt.Sprintf(format, args...)) })
	if err != nil {
		return err
	}
	ready()
	err = s.Run(ctx)
	done(card)
	return errors.Join(err, s.Close())
}
