//go:build amd64 && !race

package bench

// store64 is a plain store: amd64 keeps the order of stores, and an atomic one would be an XCHG.
func store64(p *uint64, v uint64) { *p = v }
