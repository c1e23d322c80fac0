package ladder

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// kernel is a rung on which no process forwards.
type kernel struct {
	*track
	bed *bed
}

// openKernel makes a track and has setUp tell the kernel, on the namespace's thread, how to forward on it.
func openKernel(b *bed, of trackOf, setUp func(*track) error) (runner, error) {
	t, err := newTrack(b.cpus, of)
	if err != nil {
		return nil, err
	}
	if err := t.ns.do(func() error { return setUp(t) }); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return kernel{t, b}, nil
}

func (k kernel) slice(d time.Duration) (sample, error) {
	return k.track.slice(k.bed, d, func(w *watch, c *counts) { k.await(d, w, c) })
}

// await waits while others forward, and counts by what the kernel has of the interfaces.
func (t *track) await(d time.Duration, w *watch, c *counts) {
	for time.Sleep(d); ; time.Sleep(quiet) {
		now, err := t.counters()
		if err != nil {
			w.err = err
			return
		}
		last := *c
		c.received, c.sent = now.in-w.before.in, now.out-w.before.out
		c.dropped = c.received - min(c.sent, c.received)
		if *c == last {
			w.idle()
		}
		if w.over(c) {
			return
		}
	}
}

// openRouting has the kernel route: from one network to another, by the next hop's address.
func openRouting(_ context.Context, b *bed) (runner, error) {
	return openKernel(b, trackOf{ip: true, want: hopMAC[touched]}, func(t *track) error {
		for _, a := range []struct {
			link netlink.Link
			ip   [4]byte
		}{{t.inLink, inIP}, {t.outLink, outIP}} {
			addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.ip[:], Mask: net.CIDRMask(24, 32)}}
			if err := netlink.AddrAdd(a.link, addr); err != nil {
				return fmt.Errorf("give %s its address: %w", a.link.Attrs().Name, err)
			}
		}
		hop := &netlink.Neigh{LinkIndex: t.outLink.Attrs().Index, State: unix.NUD_PERMANENT, IP: dstIP[:], HardwareAddr: hopMAC}
		if err := netlink.NeighAdd(hop); err != nil {
			return fmt.Errorf("next hop: %w", err)
		}
		if err := sysctl("net/ipv4/conf/"+t.in+"/rp_filter", "0"); err != nil {
			return err
		}
		return sysctl("net/ipv4/ip_forward", "1")
	})
}

// openBridge has the kernel switch.
func openBridge(_ context.Context, b *bed) (runner, error) {
	return openKernel(b, trackOf{want: inMAC[touched]}, func(t *track) error {
		// What is for the interface's own address the bridge would keep.
		if err := netlink.LinkSetHardwareAddr(t.inLink, []byte{0x02, 0x10, 0, 0, 0, 9}); err != nil {
			return fmt.Errorf("%s: set its address: %w", t.in, err)
		}
		br := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: "bridge", TxQLen: -1}}
		if err := netlink.LinkAdd(br); err != nil {
			return leftOut("make a bridge: %w: the kernel needs CONFIG_BRIDGE", err)
		}
		if err := setting("bridge", "bridge/forward_delay", 0); err != nil {
			return err
		}
		for _, l := range []netlink.Link{t.inLink, t.outLink} {
			if err := netlink.LinkSetMaster(l, br); err != nil {
				return fmt.Errorf("%s: into the bridge: %w", l.Attrs().Name, err)
			}
		}
		if err := netlink.LinkSetUp(br); err != nil {
			return fmt.Errorf("bridge: set it up: %w", err)
		}
		// The receiver of the frames is known to be behind out.
		entry := &netlink.Neigh{
			LinkIndex: t.outLink.Attrs().Index, Family: unix.AF_BRIDGE, State: netlink.NUD_NOARP, // static
			Flags: netlink.NTF_MASTER, HardwareAddr: inMAC,
		}
		if err := netlink.NeighAdd(entry); err != nil {
			return fmt.Errorf("bridge: forwarding entry: %w", err)
		}
		return nil
	})
}
