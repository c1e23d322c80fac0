package ixgbe

// The MSI-X table is not among Registers: it has a BAR of its own (8.2.3.6).
const (
	MSIXBAR     = 4
	MSIXVectors = 64

	MSIXT   uint32 = 0x0000 // table, 16 bytes per vector
	MSIXPBA uint32 = 0x2000 // pending bit array
)
