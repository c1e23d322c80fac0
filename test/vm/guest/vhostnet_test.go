//go:build guest

package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"glassnic/bus/vhostnet"
	"glassnic/internal/netif"
	"glassnic/internal/wake"
	"glassnic/nic"
)

// TestVhostNet opens TAP interfaces, which the kernel's virtio device serves, pings the kernel, which loses nothing and
// has counted what it dropped, and removes the interface.
func TestVhostNet(t *testing.T) {
	for _, c := range []struct {
		addr, card string
		cfg        nic.Config
	}{
		{"tap:t0", "vhost-net at a TAP interface", nic.Config{}},
		{"vhost-net:t0", "vhost-net at a TAP interface", nic.Config{RxQueues: 2, TxQueues: 2}},
		{"tap:t0", "vhost-net at a TAP interface", nic.Config{RxQueues: 2}},
		{"tap:t0", "vhost-net at a TAP interface", nic.Config{MTU: 9000, Offloads: nic.RxPartial | nic.RxSegment | nic.TxSegment}},
		{"tap:t0,vhost=off", "TAP interface", nic.Config{}},
		{"tap:t0", "TAP interface", nic.Config{TxQueues: 2}}, // which a virtio device has not without as many others
	} {
		name := fmt.Sprint(c.addr, " ", c.cfg.RxQueues, c.cfg.Offloads)
		port, err := nic.Open(t.Context(), c.addr, c.cfg)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if i := port.Info(); i.Card != c.card || i.Offloads&c.cfg.Offloads != c.cfg.Offloads {
			t.Errorf("%s: %+v", name, i)
		}
		if l, err := port.Link(); err != nil || l.Up {
			t.Errorf("%s: link %v, %v before the interface is up", name, l, err)
		}
		kernel := strings.HasPrefix(c.card, "vhost-net")
		e := &echo{port: port, us: net.IPv4(192, 0, 2, 2).To4(), them: net.IPv4(192, 0, 2, 1).To4()}
		command(t, "ip", "addr", "add", "192.0.2.1/24", "dev", "t0")
		command(t, "ip", "link", "set", "t0", "up")
		if l, err := port.Link(); err != nil || !l.Up {
			t.Errorf("%s: link %v, %v", name, l, err)
		}
		if c.cfg.RxQueues < 2 { // the kernel answers by whichever queue it likes
			e.run(t, 1000) // the kernel does not read the eventfd of a doorbell
			s, err := port.Stats()
			if err != nil || s.RxPackets < 1000 || s.TxPackets < 1000 || s.RxDropped+s.RxErrors+s.TxDropped > 0 {
				t.Errorf("%s: %+v, %v", name, s, err)
			}
		}
		if kernel {
			e.send(append(append(e.arp(1, e.peer)[:12], 0x88, 0xb5), make([]byte, 46)...)) // IEEE 802, local experimental
			await(t, "the count of a frame of a protocol that nobody knows", func() bool {
				e.port.TxQueue(0).Send(nil)
				s, err := port.Stats()
				return err == nil && slices.ContainsFunc(s.Counters, func(c nic.Counter) bool { return c.Name == "interface_tx_dropped" && c.Value > 0 })
			})
		}
		if err := port.(nic.Watched).Trouble(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		command(t, "ip", "link", "del", "t0")
		if kernel {
			await(t, "the news that the interface is gone", func() bool { return errors.Is(port.(nic.Watched).Trouble(), nic.ErrGone) })
			if _, err := port.Link(); !errors.Is(err, nic.ErrGone) {
				t.Errorf("%s: link of an interface that is gone: %v", name, err)
			}
			for range 1000 { // nothing is taken any more but what the ring has room for
				e.send(make([]byte, 60))
				runtime.Gosched()
			}
		}
		if err := port.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for addr, want := range map[string]string{
		"tap:t0,vhost=on": "tap:NAME[,vhost=off]", "vhost-net:a/b": "1 to 15 bytes", "vhost-net:lo": "of another kind",
		"tap:lo": "of another kind",
	} {
		port, err := nic.Open(t.Context(), addr, nic.Config{})
		if port != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// TestVhostNetThrough has the kernel talk to itself through fwd between two TAP interfaces, each on a bridge with what
// leads to a namespace.
func TestVhostNetThrough(t *testing.T) {
	for _, args := range [][]string{{idle, "--user", "user"}, {"--adaptive", "--large-frames"}, {idle, "--queues", "2"}} {
		var undo []func()
		f := start(t, nil, append([]string{"tap:left0", "tap:right0", "--verbose"}, args...)...)
		await(t, "the first line of fwd", func() bool {
			f.lives(t)
			return f.lines.Load() > 0
		})
		for i, side := range []string{"left", "right"} {
			tap, bridge, here, there := side+"0", side+"b", side+"1", side+"2"
			command(t, "ip", "link", "add", bridge, "type", "bridge")
			command(t, "ip", "link", "add", here, "type", "veth", "peer", "name", there)
			for _, dev := range []string{tap, here} {
				command(t, "ip", "link", "set", dev, "master", bridge, "up")
			}
			command(t, "ip", "link", "set", bridge, "up")
			remove := space(t, side, there, fmt.Sprintf("192.0.2.%d/24", i+1))
			undo = append(undo, func() {
				command(t, "ip", "link", "del", here) // a namespace lets go of its interfaces a little late
				remove()
				command(t, "ip", "link", "del", bridge)
			})
		}
		segment := 1460.0
		if slices.Contains(args, "--large-frames") {
			segment = 64 << 10
		}
		through(t, f, segment)
		if said := f.stderr.String(); strings.Count(said, "virtio features") != 2 || slices.Contains(args, "--user") != strings.Contains(said, "privileges dropped") {
			t.Errorf("%v: %s", args, said)
		}
		for _, f := range undo {
			f()
		}
	}
}

// TestVhostNetNonsense gives the kernel a ring with a buffer that lies outside the memory: it says so.
func TestVhostNetNonsense(t *testing.T) {
	p, err := vhostnet.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	tap, err := netif.AttachTAP("t0", false, 12)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(tap)
	command(t, "ip", "link", "set", "t0", "up")
	const iova, version1 = 1 << 32, 1 << 32
	mem, err := unix.Mmap(-1, 0, 1<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(mem)
	kick, err := wake.New()
	if err != nil {
		t.Fatal(err)
	}
	defer kick.Close()
	wrong, err := wake.New()
	if err != nil {
		t.Fatal(err)
	}
	defer wrong.Close()
	if err := errors.Join(p.SetFeatures(version1), p.SetMemory(iova, mem)); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		at := uint64(iova + i<<16)
		if err := p.SetRing(i, vhostnet.Ring{Size: 4, Desc: at, Avail: at + 4096, Used: at + 8192, Kick: kick.FD(), Call: -1, Err: wrong.FD()}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Start(tap); err != nil {
		t.Fatal(err)
	}
	sent := mem[1<<16:]
	binary.LittleEndian.PutUint64(sent, iova-4096)
	binary.LittleEndian.PutUint32(sent[8:], 100)
	binary.LittleEndian.PutUint16(sent[4096+2:], 1) // index of the available ring (virtio 1.2, 2.7.6)
	if err := kick.Signal(); err != nil {
		t.Fatal(err)
	}
	var s wake.Set
	s.Add(wrong.FD())
	if told, err := s.Sleep(patience); err != nil || !told {
		t.Errorf("the kernel does not tell of it: %v, %v", told, err)
	}
}
