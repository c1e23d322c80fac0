package nic

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"glassnic/bus"
)

// Driver serves a family of cards.
type Driver struct {
	Name string
	// Match tells whether the driver serves a device.
	Match func(bus.ID) bool
	// Open starts the card. It owns fn from the call on and closes it where it fails. All values of cfg
	// are set.
	Open func(ctx context.Context, fn bus.Function, cfg Config) (Device, error)
}

// Opener opens a port that is no PCI function, by the part of its address after "scheme:".
type Opener func(ctx context.Context, rest string, cfg Config) (Device, error)

var (
	mu      sync.Mutex
	drivers []Driver
	openers = map[string]Opener{}
)

// RegisterDriver makes a driver known; drivers call it from init.
func RegisterDriver(d Driver) {
	mu.Lock()
	defer mu.Unlock()
	drivers = append(drivers, d)
}

// RegisterScheme makes an address scheme of ports known that are no PCI functions; drivers call it
// from init. A scheme registered twice keeps the first opener.
func RegisterScheme(scheme string, open Opener) {
	mu.Lock()
	defer mu.Unlock()
	if openers[scheme] == nil {
		openers[scheme] = open
	}
}

// HasScheme tells whether a driver has made an address scheme known.
func HasScheme(scheme string) bool {
	mu.Lock()
	defer mu.Unlock()
	return openers[scheme] != nil
}

// DriverFor returns the name of the driver that serves a device, "" where there is none.
func DriverFor(id bus.ID) string {
	if d := match(id); d != nil {
		return d.Name
	}
	return ""
}

func match(id bus.ID) *Driver {
	mu.Lock()
	defer mu.Unlock()
	for i := range drivers {
		if drivers[i].Match(id) {
			return &drivers[i]
		}
	}
	return nil
}

// Open opens the port at an address: a PCI address ("0000:03:00.0", "03:00.0") or "scheme:rest".
// Which schemes there are depends on what the program imports; glassnic/driver/all imports every
// one. The caller closes the device.
func Open(ctx context.Context, addr string, cfg Config) (Device, error) {
	cfg, err := cfg.defaults()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", addr, err)
	}
	scheme, rest := bus.SplitAddress(addr)
	mu.Lock()
	open := openers[scheme]
	mu.Unlock()
	if open != nil {
		d, err := open(ctx, rest, cfg)
		return checkOuter(d, err, cfg)
	}
	if !known(scheme) {
		return nil, fmt.Errorf("nic: %q is no port: want a PCI address such as 0000:03:00.0, or one of %s", addr, strings.Join(schemes(), ", "))
	}
	fn, err := bus.Open(ctx, addr, bus.Options{HugePageSize: cfg.HugePageSize})
	if err != nil {
		return nil, err
	}
	return OpenFunction(ctx, fn, cfg)
}

// OpenFunction opens the port that a function is, with the driver that serves it. The function
// belongs to the device afterwards, and is closed where there is an error.
func OpenFunction(ctx context.Context, fn bus.Function, cfg Config) (Device, error) {
	cfg, err := cfg.defaults()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", fn.Address(), err), fn.Close())
	}
	d := match(fn.ID())
	if d == nil {
		return nil, errors.Join(fmt.Errorf("nic: %s: no driver for a device %v", fn.Address(), fn.ID()), fn.Close())
	}
	port, err := d.Open(ctx, fn, cfg)
	return checkOuter(port, err, cfg)
}

// checkOuter closes a port whose filter of VLANs would be by another tag than the one that is meant.
func checkOuter(d Device, err error, cfg Config) (Device, error) {
	if err != nil || cfg.VLANs == nil || cfg.Offloads&OuterVLAN == 0 {
		return d, err
	}
	if i := d.Info(); i.Offloads&OuterVLAN == 0 {
		return nil, errors.Join(fmt.Errorf("%s %s: no filter of VLANs behind an outer tag: leave it to the application", i.Driver, i.Address), d.Close())
	}
	return d, nil
}

func known(scheme string) bool {
	for _, s := range bus.Schemes() {
		if s == scheme {
			return true
		}
	}
	return false
}

// schemes returns all address schemes with their colon.
func schemes() []string {
	var all []string
	for _, s := range bus.Schemes() {
		if s != "pci" {
			all = append(all, s+":")
		}
	}
	mu.Lock()
	for s := range openers {
		all = append(all, s+":")
	}
	mu.Unlock()
	sort.Strings(all)
	return all
}
