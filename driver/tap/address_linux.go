package tap

import (
	"context"
	"fmt"
	"strings"

	"glassnic/bus/vhostnet"
	"glassnic/nic"
)

// usage is the form of addresses.
const usage = "tap:NAME[,vhost=off]"

// vhostNet is the scheme of ports by the kernel's virtio device at a TAP interface, which another driver has.
const vhostNet = "vhost-net"

func init() { nic.RegisterScheme("tap", open) }

// open implements nic.Opener: by vhost-net where the machine has it, this user may use it and the program has its driver.
func open(ctx context.Context, rest string, cfg nic.Config) (nic.Device, error) {
	name, option, found := strings.Cut(rest, ",")
	if found && option != "vhost=off" {
		return nil, fmt.Errorf("tap:%s: %q: want %s", rest, option, usage)
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
	p, err := vhostnet.Open()
	return err == nil && p.Close() == nil
}
