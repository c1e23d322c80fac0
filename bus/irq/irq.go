// Package irq is how a process waits for a device's interrupts.
package irq

// Kind is the way in which a device interrupts.
type Kind uint8

// The kinds of interrupt (PCI Local Bus 3.0, sections 2.2.6 and 6.8).
const (
	INTx Kind = iota // a pin; level-triggered, masked by the kernel when it fires until Event.Clear
	MSI
	MSIX
)

// String returns the specification's name.
func (k Kind) String() string { return [...]string{"INTx", "MSI", "MSI-X"}[k] }

// Set is the interrupts of one device. Its methods may be called concurrently.
type Set interface {
	Kind() Kind
	// Vectors is how many there are: 1 for INTx, up to 32 for MSI and 2048 for MSI-X.
	Vectors() int
	// Enable has the device's first n interrupts come as events, in their order. It may be called again
	// after Disable. The events are the set's, and valid until Disable.
	Enable(n int) ([]Event, error)
	// Disable ends all interrupts.
	Disable() error
}

// Event is one interrupt as this process sees it.
type Event interface {
	// FD is a file descriptor that poll(2) finds readable from the interrupt on until Clear.
	FD() int
	// Clear forgets interrupts that have come, and lets an INTx come again.
	Clear() error
}
