//go:build !linux

package doctor

import "errors"

func access(string) error { return errors.ErrUnsupported }
