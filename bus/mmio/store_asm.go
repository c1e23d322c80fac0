//go:build amd64 || arm64

package mmio

//go:noescape
func store32(p *uint32, v uint32)
