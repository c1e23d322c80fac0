//go:build !linux

package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"glassnic/sim/wire"
)

func serveVFIOUser(_ context.Context, _ *cobra.Command, _, _ string, _ bool, end wire.End, _ servePrinter) error {
	return errors.Join(errors.New("--vfio-user needs Linux"), end.Close())
}
