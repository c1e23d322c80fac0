//go:build !linux

package pci

import (
	"errors"
	"os"
)

func lockFile(*os.File) error { return errors.ErrUnsupported }

func mapBAR(string, int, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapBAR([]byte) error { return nil }

func newHuge(int, int, string) (source, error) { return nil, errors.ErrUnsupported }
