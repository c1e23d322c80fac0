package tap

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"glassnic/nic"
)

// Usage is the form of addresses.
const Usage = "tap:NAME[,vhost=off]"

// vhostNet is the scheme of ports by the kernel's virtio device at a TAP interface, which another driver has, and the file
// by which it is reached.
const (
	vhostNet = "vhost-net"
	vhostDev = "/dev/vhost-net"
)

func init() { nic.RegisterScheme("tap", open) }

// open implements nic.Opener: by vhost-net where the machine has it, this user may use it and the program has its driver.
func open(ctx context.Context, rest string, cfg nic.Config) (nic.Device, error) {
	name, option, found := strings.Cut(rest, ",")
	if found && option != "vhost=off" {
		return nil, fmt.Errorf("tap:%s: %q: want %s", rest, option, Usage)
	}
	// A virtio device has its queues in pairs, and does not reach the memory of any pool.
	if !found && cfg.TxQueues <= cfg.RxQueues && cfg.Pool == nil && nic.HasScheme(vhostNet) && present() {
		cfg.RxThresholds, cfg.TxThresholds = nil, nil // which mean nothing to a TAP interface
		return nic.Open(ctx, vhostNet+":"+name, cfg)
	}
	d, err := Open(name, cfg)
	if err != nil {
		return nil, err
	}
	return d, nil
}

// present tells whether vhost-net can be opened, which also has the kernel load it.
func present() bool {
	fd, err := unix.Open(vhostDev, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
}
