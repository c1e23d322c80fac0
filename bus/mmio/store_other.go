//go:build !amd64 && !arm64

package mmio

// The stores are kept out of line so that the compiler neither moves nor merges them.
//
//go:noinline
func store32(p *uint32, v uint32) { *p = v }

//go:noinline
func store16(p *uint16, v uint16) { *p = v }

//go:noinline
func store8(p *uint8, v uint8) { *p = v }
