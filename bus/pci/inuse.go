package pci

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"glassnic/bus"
)

// NetState tells which addresses and routes the kernel's network stack has on an interface.
type NetState func(ifname string) (addrs, routes []string, err error)

// userDrivers are kernel drivers, besides VFIO's, that make no interface but hand a device to a process.
var userDrivers = []string{"uio_pci_generic", "igb_uio", "pci-stub", "xen-pciback"}

// InUse returns an error around bus.ErrInUse that says by what, if the kernel uses the device: an
// interface of it is up, has an address or a route, is part of a bridge or bond or carries a VLAN; or
// its virtual functions are on; or a network driver holds it and its interface cannot be seen; or no
// driver does and a process has opened it here; or a process has its group by VFIO. A device whose state cannot be read counts as used.
func (s Sysfs) InUse(addr string) error {
	d, err := s.Device(addr)
	if err != nil {
		return err
	}
	if d.Driver == "" {
		return s.opened(d.Address)
	}
	if IsVFIO(d.Driver) {
		if err := s.taken(d.Address); err != nil {
			return err
		}
	}
	var why []string
	if n := text(filepath.Join(s.device(d.Address), "sriov_numvfs")); n != "" && n != "0" {
		why = append(why, n+" virtual functions are on")
	}
	if len(d.Interfaces) == 0 && d.ID.Class>>16 == 0x02 && !IsVFIO(d.Driver) && !slices.Contains(userDrivers, d.Driver) {
		why = append(why, "driver "+d.Driver+" has it but no interface is visible: it may belong to another network namespace")
	}
	state := s.State
	if state == nil {
		state = KernelState("/proc/net")
	}
	for _, i := range d.Interfaces {
		if i.Up || i.State == "up" {
			why = append(why, i.Name+" is up")
		}
		if len(i.Over) > 0 {
			why = append(why, i.Name+" is part of "+strings.Join(i.Over, ", "))
		}
		addrs, routes, err := state(i.Name)
		if err != nil {
			why = append(why, fmt.Sprintf("addresses and routes of %s cannot be read (%v)", i.Name, err))
		}
		if len(addrs) > 0 {
			why = append(why, i.Name+" has address "+strings.Join(addrs, ", "))
		}
		if len(routes) > 0 {
			why = append(why, i.Name+" has route "+strings.Join(routes, ", "))
		}
	}
	if len(why) == 0 {
		return nil
	}
	cure := "free it first"
	if len(d.Interfaces) > 0 {
		n := d.Interfaces[0].Name
		cure = fmt.Sprintf("free it first (`ip addr flush dev %s; ip link set dev %s nomaster down`)", n, n)
	}
	return fmt.Errorf("pci %s: %w: %s: %s or insist with --force, which cuts what runs over it",
		d.Address, bus.ErrInUse, strings.Join(why, "; "), cure)
}

// opened tells whether a process has the device, as Open leaves it. Whoever may not look may not bind
// either.
func (s Sysfs) opened(addr string) error {
	f, err := os.OpenFile(s.lockPath(addr), os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	if err := lockFile(f); errors.Is(err, bus.ErrInUse) {
		return fmt.Errorf("pci %s: a process has locked %s: stop it (`fuser -v %s` names it): %w", addr, f.Name(), f.Name(), err)
	}
	return nil
}

// taken tells whether a process has the device's group, as far as this user may see.
func (s Sysfs) taken(addr string) error {
	g, ok, err := s.Group(addr)
	if err != nil || !ok {
		return err
	}
	if who := Holders("/proc", g.Node); len(who) > 0 {
		return fmt.Errorf("pci %s: %s has it by VFIO: stop it: %w", addr, strings.Join(who, ", "), bus.ErrInUse)
	}
	return nil
}

// Holders names the processes that have a file open, as far as this user may see: all of them for root. proc is
// where procfs is mounted.
func Holders(proc, file string) (who []string) {
	links, _ := filepath.Glob(filepath.Join(proc, "[0-9]*", "fd", "*"))
	for _, l := range links {
		if t, err := os.Readlink(l); err != nil || t != file {
			continue
		}
		dir := filepath.Dir(filepath.Dir(l))
		p := fmt.Sprintf("process %s (%s)", filepath.Base(dir), text(filepath.Join(dir, "comm")))
		if !slices.Contains(who, p) {
			who = append(who, p)
		}
	}
	return who
}

// KernelState reads this network namespace's addresses and routes: from the tables route, ipv6_route
// and if_inet6 in dir, and addresses also as net.Interfaces does.
func KernelState(dir string) NetState {
	return func(ifname string) (addrs, routes []string, err error) {
		// Columns of the tables: proc_net(5); Documentation/networking/ipv6 for if_inet6.
		routes, err = column(filepath.Join(dir, "route"), ifname, 0, 1)
		if err != nil {
			return nil, nil, err
		}
		r6, err := column(filepath.Join(dir, "ipv6_route"), ifname, 9, 0)
		if err != nil {
			return nil, nil, err
		}
		a6, err := column(filepath.Join(dir, "if_inet6"), ifname, 5, 0)
		if err != nil {
			return nil, nil, err
		}
		routes = append(routes, r6...)
		ifs, err := net.Interfaces()
		if err != nil {
			return nil, nil, err
		}
		for _, i := range ifs {
			if i.Name != ifname {
				continue
			}
			list, err := i.Addrs()
			if err != nil {
				return nil, nil, err
			}
			for _, a := range list {
				addrs = append(addrs, a.String())
			}
		}
		if len(addrs) == 0 {
			addrs = a6
		}
		return addrs, routes, nil
	}
}

// column returns field value of the lines whose field name is ifname. A table that is missing is
// empty: the kernel has no IPv6.
func column(path, ifname string, name, value int) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var list []string
	sc := bufio.NewScanner(f)
	for sc.Scan() {
		fields := strings.Fields(sc.Text())
		if len(fields) > max(name, value) && fields[name] == ifname {
			list = append(list, fields[value])
		}
	}
	return list, sc.Err()
}
