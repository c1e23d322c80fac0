//go:build amd64 || arm64

package tsc

// Read returns the counter. It is read after all earlier instructions, which keeps what is measured
// inside the interval.
//
//go:noescape
func Read() uint64
