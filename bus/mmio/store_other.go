//go:build !amd64 && !arm64

package mmio

// store32 is kept out of line so that the compiler neither moves nor merges the store.
//
//go:noinline
func store32(p *uint32, v uint32) { *p = v }
