// Package bus is the seam between a driver and a device: a driver is handed a Function and does not
// know whether a card, a hypervisor or a model holds the other end.
package bus

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"glassnic/bus/dma"
	"glassnic/bus/irq"
	"glassnic/bus/mmio"
)

// ErrInUse is what the refusal of a device that somebody else uses is wrapped around.
var ErrInUse = errors.New("device in use")

// ID identifies a function as its PCI configuration space does (PCI Local Bus 3.0, section 6.2.1).
type ID struct {
	Vendor, Device       uint16
	Subvendor, Subdevice uint16
	Revision             uint8
	Class                uint32 // 24 bits: base class, sub-class, programming interface
}

// String returns vendor and device as lspci prints them, such as "8086:10fb".
func (id ID) String() string { return fmt.Sprintf("%04x:%04x", id.Vendor, id.Device) }

// ConfigSpace is a function's PCI configuration space, little-endian. Offsets are in bytes; widths
// are 8, 16 and 32 bits and offsets multiples of them.
type ConfigSpace interface {
	Read8(off int) (uint8, error)
	Read16(off int) (uint16, error)
	Read32(off int) (uint32, error)
	Write8(off int, v uint8) error
	Write16(off int, v uint16) error
	Write32(off int, v uint32) error
}

// Function is one PCI function, opened for this process alone.
type Function interface {
	// Address is what the function was opened by, such as "0000:03:00.0".
	Address() string
	ID() ID
	// NUMANode is the node the device hangs on, -1 where that is unknown.
	NUMANode() int
	// Config returns the configuration space; nil where the provider has none.
	Config() ConfigSpace
	// BAR maps base address register n (0–5). The region stays valid until Close.
	BAR(n int) (mmio.Region, error)
	// DMA returns the allocator of memory that this device can reach.
	DMA() dma.Allocator
	// Interrupts returns the device's interrupts, nil where the provider has none. They are off at first
	// and end with Close.
	Interrupts() (irq.Set, error)
	// Reset resets the function; its registers have their reset values afterwards.
	Reset() error
	// Close takes the device's bus mastering away, then unmaps its registers and gives the DMA
	// memory back.
	Close() error
}

// Options are what an Opener may need to know beforehand.
type Options struct {
	// HugePageSize is the size in bytes of the pages that DMA memory is made of: 2 MiB (also for 0)
	// or 1 GiB. Providers without huge pages ignore it.
	HugePageSize int
}

// Opener opens the function that rest names, the part of an address after "scheme:".
type Opener func(ctx context.Context, rest string, opt Options) (Function, error)

var (
	mu      sync.Mutex
	openers = map[string]Opener{}
)

// Register makes an address scheme known, such as "shm"; providers call it from init. The scheme
// "pci" also serves addresses without a scheme that look like a PCI address. A scheme registered
// twice keeps the first opener.
func Register(scheme string, open Opener) {
	mu.Lock()
	defer mu.Unlock()
	if openers[scheme] == nil {
		openers[scheme] = open
	}
}

// Schemes returns the registered schemes in order.
func Schemes() []string {
	mu.Lock()
	defer mu.Unlock()
	var s []string
	for k := range openers {
		s = append(s, k)
	}
	sort.Strings(s)
	return s
}

// Open opens the function at an address: "scheme:rest" or a PCI address.
func Open(ctx context.Context, addr string, opt Options) (Function, error) {
	scheme, rest := SplitAddress(addr)
	mu.Lock()
	open := openers[scheme]
	mu.Unlock()
	if open == nil {
		return nil, fmt.Errorf("bus: no scheme %q in address %q: have %s", scheme, addr, strings.Join(Schemes(), ", "))
	}
	return open(ctx, rest, opt)
}

// SplitAddress splits a device address into scheme and rest; PCI addresses, with or without domain,
// belong to the scheme "pci".
func SplitAddress(addr string) (scheme, rest string) {
	if IsPCIAddress(addr) {
		return "pci", addr
	}
	scheme, rest, ok := strings.Cut(addr, ":")
	if !ok {
		return "", addr
	}
	return scheme, rest
}

// IsPCIAddress tells whether s is written dddd:bb:dd.f or bb:dd.f in hexadecimal.
func IsPCIAddress(s string) bool {
	if strings.Count(s, ":") == 2 {
		domain, rest, _ := strings.Cut(s, ":")
		if !hex(domain, 4, 8) {
			return false
		}
		s = rest
	}
	b, rest, ok := strings.Cut(s, ":")
	d, f, ok2 := strings.Cut(rest, ".")
	return ok && ok2 && hex(b, 2, 2) && hex(d, 2, 2) && len(f) == 1 && f[0] >= '0' && f[0] <= '7'
}

func hex(s string, least, most int) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	return strings.Trim(strings.ToLower(s), "0123456789abcdef") == ""
}
