//go:build amd64 && !race

package ixgbe

// Plain stores: amd64 keeps the order of stores, and the compiler does not reorder stores to memory.
// An atomic store would be an XCHG and cost more than the rest of a descriptor.

func store64(p *uint64, v uint64) { *p = v }

func store32(p *uint32, v uint32) { *p = v }
