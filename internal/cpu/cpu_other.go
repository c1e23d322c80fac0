//go:build !linux

package cpu

import (
	"fmt"
	"runtime"
)

// Pin fails: it needs Linux.
func Pin(cpu int) error { return fmt.Errorf("cpu: pin to CPU %d: %w", cpu, unsupported()) }

// Online fails: it needs Linux.
func Online() ([]int, error) { return nil, fmt.Errorf("cpu: list CPUs: %w", unsupported()) }

// Allowed fails: it needs Linux.
func Allowed() ([]int, error) { return nil, fmt.Errorf("cpu: list CPUs: %w", unsupported()) }

func unsupported() error { return fmt.Errorf("%w, this is %s", ErrUnsupported, runtime.GOOS) }
