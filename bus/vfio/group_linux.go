package vfio

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"glassnic/bus"
	"glassnic/bus/internal/ioctl"
	"glassnic/bus/pci"
)

// group is an IOMMU group that this process has: a group can be opened once.
type group struct {
	pci.Group
	fd      int
	c       *container
	devices []string // addresses of those that are open
}

// taken are the groups and containers of this process.
var taken struct {
	sync.Mutex
	groups     map[string]*group // by node
	containers []*container
}

// take opens the group for one of its devices, or adds the device to those of a group that is open.
func take(sys pci.Sysfs, g pci.Group, addr string) (*group, error) {
	taken.Lock()
	defer taken.Unlock()
	if have := taken.groups[g.Node]; have != nil {
		if slices.Contains(have.devices, addr) {
			return nil, fmt.Errorf("this process has it open: %w", bus.ErrInUse)
		}
		have.devices = append(have.devices, addr)
		return have, nil
	}
	fd, err := openNode(g, addr)
	if err != nil {
		return nil, err
	}
	gr := &group{Group: g, fd: fd, devices: []string{addr}}
	if err := gr.join(sys); err != nil {
		return nil, errors.Join(err, gr.release())
	}
	if taken.groups == nil {
		taken.groups = map[string]*group{}
	}
	taken.groups[g.Node] = gr
	return gr, nil
}

// leave gives the group back with the last of its devices, whose files must be closed.
func (g *group) leave(addr string) error {
	taken.Lock()
	defer taken.Unlock()
	g.devices = slices.DeleteFunc(g.devices, func(d string) bool { return d == addr })
	if len(g.devices) > 0 {
		return nil
	}
	delete(taken.groups, g.Node)
	return g.release()
}

// release closes the group, and its container if that was the last in it.
func (g *group) release() error {
	err := unix.Close(g.fd)
	c := g.c
	if c == nil {
		return err
	}
	if c.groups--; c.groups > 0 {
		return err
	}
	taken.containers = slices.DeleteFunc(taken.containers, func(o *container) bool { return o == c })
	return errors.Join(err, unix.Close(c.fd))
}

func openNode(g pci.Group, addr string) (int, error) {
	fd, err := unix.Open(g.Node, unix.O_RDWR|unix.O_CLOEXEC, 0)
	switch {
	case err == nil:
		return fd, nil
	case errors.Is(err, unix.EBUSY):
		return 0, fmt.Errorf("IOMMU group %d, which is given away as a whole %s, is taken: %s: %w", g.Number, describe(g), holder(g.Node), bus.ErrInUse)
	case errors.Is(err, unix.EACCES):
		return 0, fmt.Errorf("open %s: %w: as root: `glassnic dev bind %s --driver vfio-pci --user %s`", g.Node, err, addr, userName())
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.EPERM):
		return 0, fmt.Errorf("open %s: %w: if this is a container, start it with the device files %s and %s", g.Node, err, g.Node, containerNode)
	}
	return 0, fmt.Errorf("open %s: %w", g.Node, err)
}

// holder says who has a group's file open, as far as this user may see.
func holder(node string) string {
	if who := pci.Holders("/proc", node); len(who) > 0 {
		return strings.Join(who, ", ") + " has " + node + " open: stop it"
	}
	return fmt.Sprintf("another user has %s open: `sudo fuser -v %s` names the process", node, node)
}

func userName() string {
	if u := os.Getenv("USER"); u != "" {
		return u
	}
	return strconv.Itoa(os.Getuid())
}

// join puts the group into a container: one that this process has if its IOMMU fits in there, else a new one.
func (g *group) join(sys pci.Sysfs) error {
	b := encode(groupStatus{})
	if _, err := ioctl.Pass(g.fd, groupGetStatus, b); err != nil {
		return fmt.Errorf("status of IOMMU group %d: %w", g.Number, err)
	}
	var st groupStatus
	if err := decode(b, &st); err != nil {
		return err
	}
	if st.Flags&groupViable == 0 {
		return fmt.Errorf("IOMMU group %d cannot be used as long as the kernel uses one of its devices %s: bind them all to vfio-pci: %w", g.Number, describe(g.Group), bus.ErrInUse)
	}
	if err := g.enter(); err != nil {
		return err
	}
	return g.c.learn(sys, g.Members)
}

// enter finds the container.
func (g *group) enter() error {
	for _, c := range taken.containers {
		if g.attach(c) == nil {
			return nil
		}
	}
	c, err := newContainer()
	if err != nil {
		return err
	}
	if err := g.attach(c); err != nil {
		return errors.Join(fmt.Errorf("put IOMMU group %d into a container: %w", g.Number, err), unix.Close(c.fd))
	}
	taken.containers = append(taken.containers, c)
	return c.start()
}

func (g *group) attach(c *container) error {
	if _, err := ioctl.Pass(g.fd, groupContainer, native.AppendUint32(nil, uint32(c.fd))); err != nil {
		return err
	}
	g.c = c
	c.groups++
	return nil
}
