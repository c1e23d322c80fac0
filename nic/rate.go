package nic

// RateLimiter is implemented by ports whose card can bound what each transmit queue sends. Ports without it are paced by
// whoever sends.
type RateLimiter interface {
	// TxRates returns the lowest and the highest limit in bits per second, FCS counted and what is between frames not.
	TxRates() (lowest, highest uint64)
	// SetTxRate bounds queue i to so many bits per second, until Close; 0 ends that. Frames wait in the ring meanwhile,
	// so Send takes none once it is full, and Close does not wait for all that are left there. Limits that the card
	// cannot keep are refused.
	SetTxRate(i int, bitsPerSecond uint64) error
}
