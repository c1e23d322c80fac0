//go:build linux && amd64 && !race

package vhost

// store64 stores a word after all that was stored before. A plain store does: amd64 keeps the order of stores, and
// the compiler does not reorder stores to memory.
func store64(p *uint64, v uint64) { *p = v }
