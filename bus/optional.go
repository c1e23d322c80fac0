package bus

import "errors"

// ErrGone is what errors of a device are wrapped around that was pulled, failed for good, or is wanted back
// by the kernel.
var ErrGone = errors.New("device gone")

// ErrFault is what errors of a device are wrapped around that an IOMMU refused access to memory.
var ErrFault = errors.New("DMA fault")

// What only some providers can tell is found by asserting one of these on a Function.
type (
	// Isolated is implemented by providers of real devices.
	Isolated interface {
		// Isolated tells whether an IOMMU lets the device reach only what DMA hands out. Where it does not,
		// the device can read and write all memory of the machine.
		Isolated() bool
	}

	// Watched is implemented by providers that hear of what befalls a device.
	Watched interface {
		// Trouble returns nil as long as all is well, and from then on an error around ErrGone or, for a device
		// that is still there, ErrFault. Faults are heard of only where the process could read the kernel's log
		// when it opened the device: root, as a rule. It never blocks, costs a few system calls, and may be
		// called concurrently.
		Trouble() error
	}
)

// Trouble returns what a function says that is Watched; nil for others.
func Trouble(fn any) error {
	if w, ok := fn.(Watched); ok {
		return w.Trouble()
	}
	return nil
}
