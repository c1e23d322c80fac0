//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"glassnic/sim/ixgbe"
)

func serveVFIOUser(_ context.Context, _ *cobra.Command, v vfioCard, _ func(), _ func(*ixgbe.Card)) error {
	return errors.Join(errors.New("--vfio-user needs Linux"), v.wire.Close())
}
