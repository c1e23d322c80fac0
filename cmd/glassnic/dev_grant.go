package main

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"

	"glassnic/bus/pci"
)

// grant gives a user the IOMMU group of a device, which is all that VFIO asks of who opens it.
type grant struct {
	addr  string
	group pci.Group
	name  string
	uid   int
	stays bool // the group's file outlives the undoing of the bind
}

func newGrant(sys *pci.Sysfs, addr, name string) (*grant, error) {
	uid, err := userNumber(name)
	if err != nil {
		return nil, usage("--user %s: %v", name, err)
	}
	d, err := sys.Device(addr)
	if err != nil {
		return nil, err
	}
	g, ok, err := sys.Group(d.Address)
	if err != nil {
		return nil, err
	}
	if !ok || g.NoIOMMU {
		return nil, fmt.Errorf("%s is behind no IOMMU, so it can only be opened by root: switch VT-d or AMD-Vi on in the firmware and boot with intel_iommu=on", d.Address)
	}
	k := &grant{addr: d.Address, group: g, name: name, uid: uid}
	for _, m := range g.Members {
		k.stays = k.stays || pci.IsVFIO(m.Driver)
	}
	return k, nil
}

// userNumber returns the number of a user, by name or number.
func userNumber(name string) (int, error) {
	u, err := user.Lookup(name)
	if err == nil {
		name = u.Uid
	}
	if n, e := strconv.ParseUint(name, 10, 31); e == nil {
		return int(n), nil
	}
	return 0, err
}

// String returns the step as a shell command.
func (g *grant) String() string { return fmt.Sprintf("chown %s %s", g.name, g.group.Node) }

func (g *grant) undo() string { return "chown root " + g.group.Node }

// carryOut is for a device that is bound.
func (g *grant) carryOut() error {
	if g == nil {
		return nil
	}
	if err := os.Chown(g.group.Node, g.uid, -1); err != nil {
		return fmt.Errorf("%s: give it to %s: `%v`: %w", g.addr, g.name, g, err)
	}
	return nil
}

// needs lists what else the user needs, besides what this machine has.
func (g *grant) needs() []string {
	list := []string{fmt.Sprintf("leave to lock the DMA memory: echo '%s - memlock unlimited' > /etc/security/limits.d/glassnic.conf, then log in anew; "+
		"in a service LimitMEMLOCK=infinity; for one shell: sudo prlimit --pid $$ --memlock=unlimited", g.name)}
	for _, m := range g.group.Blocking() {
		if m.Address != g.addr {
			list = append(list, fmt.Sprintf("the whole of IOMMU group %d: glassnic dev bind %s --driver vfio-pci", g.group.Number, m.Address))
		}
	}
	if st, err := os.Stat("/dev/vfio/vfio"); err == nil && st.Mode()&0o006 != 0o006 {
		list = append(list, "the container: chmod 0666 /dev/vfio/vfio")
	}
	const pool = "/sys/kernel/mm/hugepages/hugepages-2048kB/"
	if b, err := os.ReadFile(pool + "free_hugepages"); err == nil && strings.TrimSpace(string(b)) == "0" {
		list = append(list, "for speed, huge pages; they take no mounted file system and no group: echo 512 > "+pool+"nr_hugepages")
	}
	return list
}
