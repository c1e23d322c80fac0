//go:build !amd64 && !arm64

package tsc

import "time"

var start = time.Now()

// Read returns the monotonic clock in nanoseconds.
func Read() uint64 { return uint64(time.Since(start)) }
