//go:build !linux || !(amd64 || arm64)

package sandbox

import (
	"errors"
	"fmt"
)

func drop(Options) (Report, error) {
	return Report{}, fmt.Errorf("sandbox: only on Linux on amd64 and arm64: %w", errors.ErrUnsupported)
}
