//go:build amd64 || arm64

package mmio

//go:noescape
func store32(p *uint32, v uint32)

//go:noescape
func store16(p *uint16, v uint16)

//go:noescape
func store8(p *uint8, v uint8)
