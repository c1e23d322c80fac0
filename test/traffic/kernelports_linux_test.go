package traffic

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"glassnic/app/generate"
	"glassnic/internal/traffic"
	"glassnic/nic"
)

// quiet has the kernel send nothing by itself from interfaces that come into a namespace.
func (ns *namespace) quiet(t *testing.T) {
	t.Helper()
	for _, which := range []string{"all", "default"} {
		err := ns.do(func() error {
			return os.WriteFile("/proc/sys/net/ipv6/conf/"+which+"/disable_ipv6", []byte("1"), 0)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// open opens a port in a namespace.
func (ns *namespace) open(t *testing.T, addr string, cfg nic.Config) nic.Device {
	t.Helper()
	var dev nic.Device
	err := ns.do(func() (err error) {
		dev, err = nic.Open(t.Context(), addr, cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, dev)
	return dev
}

// veth joins two namespaces, by interfaces that are up, of as many queues as the port there has: of more, the kernel may choose
// another for what it sends, by a hash that each boot has another key for.
func veth(t *testing.T, a *namespace, nameA string, b *namespace, nameB string, mtu, queues int) {
	t.Helper()
	n := strconv.Itoa(max(queues, 1))
	a.run(t, "ip", "link", "add", nameA, "numtxqueues", n, "numrxqueues", n, "type", "veth", "peer", "name", nameB, "numtxqueues", n, "numrxqueues", n)
	a.run(t, "ip", "link", "set", nameB, "netns", b.path)
	for _, end := range []struct {
		ns   *namespace
		name string
	}{{a, nameA}, {b, nameB}} {
		end.ns.run(t, "ip", "link", "set", end.name, "mtu", strconv.Itoa(mtu), "up")
	}
}

// plain has the kernel complete what it sends: an XDP program is not told what is left to do.
func (ns *namespace) plain(t *testing.T, dev string) {
	t.Helper()
	ns.run(t, "ethtool", "-K", dev, "tx", "off", "txvlan", "off")
}

// openKind opens a port of a kind that is all that a host sees.
func (h *host) openKind(t *testing.T, kind string, cfg nic.Config) nic.Device {
	t.Helper()
	switch kind {
	case "tap":
		dev := h.open(t, "tap:"+tap, cfg)
		h.up(t, cfg.MTU)
		return dev
	case "packet", "xdp":
		yard := newNamespace(t)
		yard.quiet(t)
		veth(t, h.namespace, tap, yard, "port", cfg.MTU, cfg.RxQueues)
		if kind == "xdp" {
			h.plain(t, tap)
		}
		h.up(t, cfg.MTU)
		return yard.open(t, kind+":port", cfg)
	}
	return h.openTap(t, cfg)
}

// TestKernelPorts joins two hosts by ports of the kernel and of modelled cards, in mixtures.
func TestKernelPorts(t *testing.T) {
	need(t, "ip", "ping", "iperf3", "ethtool")
	for _, c := range []struct {
		kinds       [2]string
		mtu, queues int
	}{
		{[2]string{"xdp", "xdp"}, 9000, 4},
		{[2]string{"tap", "packet"}, 1500, 4},
		{[2]string{"sim", "tap"}, 9000, 1},
		{[2]string{"packet", "sim"}, 9000, 1},
	} {
		t.Run(fmt.Sprintf("%s and %s, mtu %d, %d queues", c.kinds[0], c.kinds[1], c.mtu, c.queues), func(t *testing.T) {
			hosts := newHosts(t)
			cfg := nic.Config{MTU: c.mtu, RxQueues: c.queues, TxQueues: c.queues, Promiscuous: true, Buffers: 16384}
			a := hosts[0].openKind(t, c.kinds[0], cfg)
			f := startForward(t, a, hosts[1].openKind(t, c.kinds[1], cfg), false)
			t.Run("ping", func(t *testing.T) { testPing(t, hosts, c.mtu) })
			t.Run("iperf3", func(t *testing.T) { testIperf(t, hosts, f) })
			for i := range 2 {
				eventually(t, patience, fmt.Sprintf("account from host %d", i), func() error {
					from, to := hosts[i].stats(t, tap), hosts[1-i].stats(t, tap)
					in, out, err := f.account(i)
					if err != nil {
						return err
					}
					got := in.RxPackets + in.RxMissed + in.RxErrors
					// The kernel counts what it hands to a packet socket before it takes segments apart.
					if c.kinds[i] != "packet" && c.kinds[i] != "xdp" && got < from.Tx.Packets || c.kinds[i] == "sim" && got != from.Tx.Packets {
						return fmt.Errorf("the kernel sent %d, the port received %d, missed %d, refused %d", from.Tx.Packets, in.RxPackets, in.RxMissed, in.RxErrors)
					}
					if to.Rx.Packets != out.TxPackets {
						return fmt.Errorf("the port sent %d, the kernel received %d", out.TxPackets, to.Rx.Packets)
					}
					return nil
				})
			}
			testIntact(t, hosts)
			f.stop(t)
		})
	}
}

// TestKernelMillion sends a million frames through two ports of a kind and a modelled card, and back, and checks each.
func TestKernelMillion(t *testing.T) {
	need(t, "ip")
	for _, kind := range []string{"packet", "tap"} {
		t.Run(kind, func(t *testing.T) {
			a, b := newNamespace(t), newNamespace(t)
			a.quiet(t)
			b.quiet(t)
			cfg := nic.Config{Promiscuous: true, Buffers: 16384, RxRing: 8192}
			var near, far nic.Device
			if kind == "packet" {
				veth(t, a, "near", b, "far", 1500, 4)
				near, far = a.open(t, "packet:near", cfg), b.open(t, "packet:far", cfg)
			} else {
				near, far = a.open(t, "tap:near", cfg), a.open(t, "tap:far", cfg)
				a.run(t, "ip", "link", "add", "bridge", "type", "bridge")
				for _, dev := range []string{"near", "far"} {
					a.run(t, "ip", "link", "set", dev, "txqueuelen", "10000")
					a.run(t, "ip", "link", "set", dev, "master", "bridge", "up")
				}
				a.run(t, "ip", "link", "set", "bridge", "up")
			}
			f := startForward(t, far, openPort(t, "sim:loop", cfg), false)
			const count = 1_000_000
			r, err := generate.Run(t.Context(), generate.Config{
				Port: near, Spec: traffic.Spec{Seq: true, Sizes: []int{60, 200, 1514}, Flows: 16}, Count: count, Rate: 100e3, Receive: true, Linger: 2 * time.Second,
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			total := f.stop(t)
			lost := sum(total.Drops)
			for _, p := range []nic.Device{near, far} {
				s, err := p.Stats()
				if err != nil {
					t.Fatal(err)
				}
				lost += s.RxMissed + s.RxErrors + s.RxDropped + s.TxDropped
			}
			c := r.Checked
			if r.TxPackets != count || c.Corrupt+c.Duplicate+c.Stale > 0 || c.OK+c.Reordered+lost < count || c.OK < count/2 {
				t.Errorf("%d sent: %+v; %d are counted as lost", r.TxPackets, *c, lost)
			}
			t.Logf("%+v, lost and counted %d", *c, lost)
		})
	}
}

// TestInterfaceChanges: an interface that goes down and up again carries on, and one that is removed ends the work with
// an error; then there may be another one of its name.
func TestInterfaceChanges(t *testing.T) {
	need(t, "ip", "ping", "ethtool")
	for _, kind := range []string{"packet", "tap", "xdp"} {
		t.Run(kind, func(t *testing.T) {
			hosts, yard := newHosts(t), newNamespace(t)
			yard.quiet(t)
			cfg := nic.Config{Promiscuous: true}
			make := func() nic.Device {
				if kind == "tap" {
					// By vhost-net the kernel would take frames for an interface that is down.
					dev := yard.open(t, "tap:port,vhost=off", cfg)
					yard.run(t, "ip", "link", "set", "port", "up")
					return dev
				}
				veth(t, yard, "port", hosts[0].namespace, tap, 1500, 1)
				hosts[0].plain(t, tap)
				hosts[0].up(t, 1500)
				return yard.open(t, kind+":port", cfg)
			}
			// A TAP interface and a host are joined by a bridge.
			if kind == "tap" {
				veth(t, yard, "side", hosts[0].namespace, tap, 1500, 1)
				hosts[0].up(t, 1500)
				yard.run(t, "ip", "link", "add", "bridge", "type", "bridge")
				yard.run(t, "ip", "link", "set", "bridge", "up")
				yard.run(t, "ip", "link", "set", "side", "master", "bridge")
			}
			port := make()
			other := hosts[1].openTap(t, nic.Config{Promiscuous: true, MTU: 1500})
			reaches := func() error {
				if kind == "tap" {
					if _, err := output(yard.command(t.Context(), "ip", "link", "set", "port", "master", "bridge"), yard.start); err != nil {
						return err
					}
				}
				_, err := output(hosts[0].command(t.Context(), "ping", "-q", "-n", "-c", "1", "-W", "1", hosts[1].v4), hosts[0].start)
				return err
			}
			f := startForward(t, port, other, false)
			eventually(t, patience, "ping", reaches)
			for range 3 {
				yard.run(t, "ip", "link", "set", "port", "down")
				// Frames for an interface that is down are counted.
				before, _ := port.Stats()
				eventually(t, patience, "drops", func() error {
					_, _ = output(hosts[1].command(t.Context(), "ping", "-q", "-n", "-c", "1", "-W", "1", hosts[0].v4), hosts[1].start)
					if now, _ := port.Stats(); now.TxDropped == before.TxDropped {
						return errors.New("none")
					}
					return nil
				})
				if l, err := port.Link(); err != nil || l.Up {
					t.Errorf("link while the interface is down: %+v, %v", l, err)
				}
				yard.run(t, "ip", "link", "set", "port", "up")
				eventually(t, patience, "ping after down and up", reaches)
			}
			yard.run(t, "ip", "link", "delete", "port")
			select {
			case <-f.done:
			case <-time.After(patience):
				t.Fatal("forward goes on without the interface")
			}
			if !errors.Is(f.err, nic.ErrGone) || !strings.Contains(f.err.Error(), "removed") {
				t.Errorf("%v", f.err)
			}
			again := make()
			startForward(t, again, other, false)
			eventually(t, patience, "ping by an interface of the same name", reaches)
		})
	}
}

// TestKernelPortsWithoutPrivileges: what the ports need works in the sandbox.
func TestKernelPortsWithoutPrivileges(t *testing.T) {
	need(t, "ip", "ping", "ethtool")
	hosts, yard := newHosts(t), newNamespace(t)
	yard.quiet(t)
	veth(t, yard, "left", hosts[0].namespace, tap, 1500, 1)
	hosts[0].plain(t, tap)
	hosts[0].up(t, 1500)
	veth(t, yard, "side", hosts[1].namespace, tap, 1500, 1)
	hosts[1].up(t, 1500)
	yard.run(t, "ip", "link", "add", "bridge", "type", "bridge")
	yard.run(t, "ip", "tuntap", "add", "dev", "right", "mode", "tap")
	for _, dev := range []string{"side", "right"} {
		yard.run(t, "ip", "link", "set", dev, "master", "bridge", "up")
	}
	yard.run(t, "ip", "link", "set", "bridge", "up")
	for _, left := range []string{"packet:left", "xdp:left"} {
		fwd := runWith(t, yard.start, "fwd", left, "tap:right", "--promisc", "--adaptive", "--user", "nobody")
		eventually(t, patience, "ping", func() error {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			_, err := output(hosts[0].command(ctx, "ping", "-q", "-n", "-c", "1", "-W", "1", hosts[1].v4), hosts[0].start)
			return err
		})
		fwd.interrupt(t)
		for _, d := range fwd.all("total")[0].Directions {
			if d.RxPackets != d.TxPackets+sum(d.Drops) || d.RxPackets == 0 {
				t.Errorf("%s: %+v", left, d)
			}
		}
		if l := fwd.all("port"); len(l) != 2 {
			t.Errorf("%s: %d ports in the totals", left, len(l))
		}
	}
}
