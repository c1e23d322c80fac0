//go:build !linux

package shm

import (
	"context"
	"fmt"
	"runtime"

	"glassnic/bus"
)

func open(_ context.Context, rest string, _ bus.Options) (bus.Function, error) {
	return nil, fmt.Errorf("shm:%s: shared files with locks need Linux, not %s", rest, runtime.GOOS)
}
