// Package pci finds PCI network cards, takes them from the kernel's drivers and back, and opens them
// through sysfs without a kernel module (Linux, Documentation/ABI/testing/sysfs-bus-pci).
package pci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"glassnic/bus"
)

// Sysfs is the tree in which devices are found. The zero value is the system's own.
type Sysfs struct {
	// Root is where sysfs is mounted: "" for /sys.
	Root string
	// State tells what the network stack uses an interface for: nil for KernelState("/proc/net").
	State NetState
	// IDs are files of vendor and device names, the first that exists is read: nil for where
	// distributions put pci.ids.
	IDs []string
	// Pagemap is where physical addresses are looked up: "" for /proc/self/pagemap.
	Pagemap string
	// VFIO is the folder of VFIO's device files: "" for /dev/vfio.
	VFIO string

	write func(path, text string) error // nil for a write to the file
}

func (s Sysfs) root() string {
	if s.Root == "" {
		return "/sys"
	}
	return s.Root
}

// device is the folder of the device at a normalised address.
func (s Sysfs) device(addr string) string { return filepath.Join(s.root(), "bus/pci/devices", addr) }

// Normalise returns addr as sysfs writes it, dddd:bb:dd.f, the domain being 0000 where none is given.
func Normalise(addr string) (string, error) {
	if !bus.IsPCIAddress(addr) {
		return "", fmt.Errorf("pci: %q is no PCI address: want bb:dd.f or dddd:bb:dd.f", addr)
	}
	addr = strings.ToLower(addr)
	if strings.Count(addr, ":") == 1 {
		addr = "0000:" + addr
	}
	return addr, nil
}

// find checks that there is such a device.
func (s Sysfs) find(addr string) (string, error) {
	addr, err := Normalise(addr)
	if err != nil {
		return "", err
	}
	if s.Root == "" && runtime.GOOS != "linux" {
		return "", fmt.Errorf("pci %s: PCI devices are reached through Linux's sysfs, not on %s: %w", addr, runtime.GOOS, errors.ErrUnsupported)
	}
	if _, err := os.Stat(s.device(addr)); err != nil {
		return "", fmt.Errorf("pci %s: find device: %w: `glassnic dev list` prints what there is", addr, err)
	}
	return addr, nil
}

// explain names device, step and cure of a failure.
func explain(addr, step string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("pci %s: %s: %w: run as root (the kernel's lockdown, on with Secure Boot, refuses root too)", addr, step, err)
	}
	return fmt.Errorf("pci %s: %s: %w", addr, step, err)
}
