package pci

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"

	"glassnic/bus"
)

// Device is what sysfs tells about a PCI device.
type Device struct {
	Address    string
	ID         bus.ID
	Vendor     string // names, "" where unknown
	Name       string
	Driver     string // the kernel's driver, "" for none
	NUMANode   int    // -1 where unknown
	IOMMUGroup int    // -1 for none
	Interfaces []Interface
}

// Interface is a kernel network interface of a device.
type Interface struct {
	Name  string
	State string // operstate (RFC 2863): up, down, dormant, unknown …
	Up    bool   // IFF_UP: somebody set it up, cable or not
	MAC   string
	// Over are the interfaces that stand on it: bridge, bond, VLAN …
	Over []string
}

// List returns the PCI network devices (base class 02h) by address. It only reads and needs no
// privilege.
func (s Sysfs) List() ([]Device, error) {
	if s.Root == "" && runtime.GOOS != "linux" {
		return nil, fmt.Errorf("pci: list devices: sysfs is Linux's, not of %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	dir := filepath.Join(s.root(), "bus/pci/devices")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // a machine without PCI
	}
	if err != nil {
		return nil, fmt.Errorf("pci: list devices: %w", err)
	}
	var list []Device
	for _, e := range entries {
		class, err := readHex(filepath.Join(dir, e.Name(), "class"))
		if err != nil || class>>16 != 0x02 {
			continue
		}
		d, err := s.read(e.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue // unplugged meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	sort.Slice(list, func(i, j int) bool { return list[i].Address < list[j].Address })
	s.name(list)
	return list, nil
}

// Device returns what sysfs tells about one device of any class.
func (s Sysfs) Device(addr string) (Device, error) {
	addr, err := s.find(addr)
	if err != nil {
		return Device{}, err
	}
	d, err := s.read(addr)
	if err != nil {
		return Device{}, err
	}
	list := []Device{d}
	s.name(list)
	return list[0], nil
}

func (s Sysfs) read(addr string) (Device, error) {
	dir := s.device(addr)
	d := Device{Address: addr, NUMANode: -1, IOMMUGroup: -1}
	var err error
	number := func(file string) uint64 {
		v, e := readHex(filepath.Join(dir, file))
		if e != nil && err == nil {
			err = explain(addr, "read "+file, e)
		}
		return v
	}
	d.ID = bus.ID{
		Vendor: uint16(number("vendor")), Device: uint16(number("device")),
		Subvendor: uint16(number("subsystem_vendor")), Subdevice: uint16(number("subsystem_device")),
		Revision: uint8(number("revision")), Class: uint32(number("class")),
	}
	if err != nil {
		return Device{}, err
	}
	d.Driver = link(filepath.Join(dir, "driver"))
	if n, err := strconv.Atoi(text(filepath.Join(dir, "numa_node"))); err == nil {
		d.NUMANode = n
	}
	if n, err := strconv.Atoi(link(filepath.Join(dir, "iommu_group"))); err == nil {
		d.IOMMUGroup = n
	}
	d.Interfaces = interfaces(dir)
	return d, nil
}

// interfaces finds those of the device and of what its driver put below it (virtio0, say); links,
// such as virtfn0, lead to other devices.
func interfaces(dir string) []Interface {
	parents := []string{dir}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if e.IsDir() && e.Name() != "net" {
			parents = append(parents, filepath.Join(dir, e.Name()))
		}
	}
	var list []Interface
	for _, p := range parents {
		nets, _ := os.ReadDir(filepath.Join(p, "net"))
		for _, n := range nets {
			list = append(list, readInterface(filepath.Join(p, "net", n.Name())))
		}
	}
	return list
}

func readInterface(dir string) Interface {
	i := Interface{Name: filepath.Base(dir), State: text(filepath.Join(dir, "operstate")), MAC: text(filepath.Join(dir, "address"))}
	flags, _ := readHex(filepath.Join(dir, "flags"))
	i.Up = flags&1 != 0 // IFF_UP, netdevice(7)
	if m := link(filepath.Join(dir, "master")); m != "" {
		i.Over = append(i.Over, m)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if u, ok := strings.CutPrefix(e.Name(), "upper_"); ok && (len(i.Over) == 0 || u != i.Over[0]) {
			i.Over = append(i.Over, u)
		}
	}
	return i
}

// text returns a file's contents without the line's end, "" where it cannot be read.
func text(path string) string {
	b, _ := os.ReadFile(path)
	return strings.TrimSpace(string(b))
}

// link returns the last element of a link's target, "" where there is none.
func link(path string) string {
	t, err := os.Readlink(path)
	if err != nil {
		return ""
	}
	return filepath.Base(t)
}

// readHex reads a file that holds one number, 0x….
func readHex(path string) (uint64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	v, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return v, nil
}
