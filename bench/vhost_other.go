//go:build !linux

package bench

import (
	"context"
	"errors"
)

// Vhost needs Linux.
func Vhost(context.Context, VhostOptions, func(VhostResult)) error {
	return errors.New("bench: vhost-user needs Linux")
}
