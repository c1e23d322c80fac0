//go:build !linux

package vfio

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"glassnic/bus"
)

func open(_ context.Context, rest string, _ bus.Options) (bus.Function, error) {
	return nil, fmt.Errorf("vfio %s: VFIO is Linux's, not of %s: %w", rest, runtime.GOOS, errors.ErrUnsupported)
}
